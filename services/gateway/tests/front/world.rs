//! An edge, an origin it knows nothing of, and a waiting room whose health can be played with.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Request, Response as Answer, StatusCode as Status},
    response::IntoResponse,
    routing::{any, get},
};
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use reqwest::{Client, Response, StatusCode, header};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
};
use urr_core::{
    room::Room,
    sale::{AdmissionSettings, CapacitySettings, Sale, SaleId, Schedule},
    token::tier1,
};
use urr_gateway::edge::{self, Config};
use urr_kit::{
    clock::Clock as _,
    secrets::TokenKeys,
    state::rooms::Rooms,
    testing::{TestBed, eventually},
};
use uuid::Uuid;

/// What a browser that goes somewhere says.
pub(crate) const HTML: (&str, &str) = ("accept", "text/html");

pub(crate) struct Front {
    pub(crate) bed: TestBed,
    pub(crate) sale: SaleId,
    pub(crate) base: String,
    pub(crate) http: Client,
    pub(crate) room: Arc<RoomStub>,
    ops: String,
    origin: Arc<Origin>,
}

/// The waiting room's answers to the edge itself.
#[derive(Default)]
pub(crate) struct RoomStub {
    down: AtomicBool,
    inactive: AtomicBool,
    voids: AtomicU32,
    listed: Mutex<Vec<SaleId>>,
    paths: Mutex<Vec<String>>,
}

impl RoomStub {
    pub(crate) fn down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    pub(crate) fn active(&self, active: bool) {
        self.inactive.store(!active, Ordering::SeqCst);
    }

    /// Lines up to this epoch were ended on purpose.
    pub(crate) fn ends_lines_up_to(&self, epoch: u32) {
        self.voids.store(epoch, Ordering::SeqCst);
    }

    pub(crate) fn list(&self, sales: &[SaleId]) {
        *self.listed.lock().unwrap() = sales.to_vec();
    }

    pub(crate) fn calls_to(&self, part: &str) -> usize {
        let paths = self.paths.lock().unwrap();
        paths.iter().filter(|path| path.contains(part)).count()
    }

    fn router(self: &Arc<Self>) -> Router {
        async fn answer(State(room): State<Arc<RoomStub>>, request: Request<Body>) -> Answer<Body> {
            let path = request.uri().path().to_owned();
            room.paths.lock().unwrap().push(path.clone());
            if room.down.load(Ordering::SeqCst) {
                return Status::SERVICE_UNAVAILABLE.into_response();
            }
            if path == "/sales.json" {
                let listed = room.listed.lock().unwrap().clone();
                if listed.is_empty() {
                    return Status::NOT_FOUND.into_response();
                }
                return Json(json!({ "activeEvents": listed })).into_response();
            }
            let voids = room.voids.load(Ordering::SeqCst);
            Json(json!({"isActive": !room.inactive.load(Ordering::SeqCst), "voids": voids})).into_response()
        }
        Router::new().fallback(any(answer)).with_state(Arc::clone(self))
    }
}

#[derive(Default)]
struct Origin {
    calls: AtomicUsize,
    go_on: Arc<Notify>,
}

impl Origin {
    fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/stream", get(stream))
            .route("/stuck", get(stuck))
            .route("/slow", get(slow))
            .route("/echo", get(upgrade))
            .fallback(any(echo))
            .with_state(Arc::clone(self))
    }
}

async fn echo(State(origin): State<Arc<Origin>>, request: Request<Body>) -> Json<Value> {
    origin.calls.fetch_add(1, Ordering::SeqCst);
    let headers: serde_json::Map<String, Value> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().into()))
        .collect();
    let uri = request.uri().to_string();
    let bytes = request
        .into_body()
        .collect()
        .await
        .map_or(0, |body| body.to_bytes().len());
    Json(json!({"uri": uri, "headers": headers, "bytes": bytes}))
}

async fn stream(State(origin): State<Arc<Origin>>) -> Body {
    let go_on = Arc::clone(&origin.go_on);
    let second = futures::stream::once(async move {
        go_on.notified().await;
        Ok::<_, std::io::Error>(Bytes::from_static(b"second"))
    });
    let first = futures::stream::iter([Ok(Bytes::from_static(b"first"))]);
    Body::from_stream(first.chain(second))
}

async fn stuck() -> Body {
    let first = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"first"))]);
    Body::from_stream(first.chain(futures::stream::pending()))
}

async fn slow() -> &'static str {
    std::future::pending().await
}

/// Says back what it hears, on a protocol of its own.
async fn upgrade(_headers: HeaderMap, mut request: Request<Body>) -> Answer<Body> {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut socket = hyper_util::rt::TokioIo::new(upgraded.await.unwrap());
        let mut bytes = [0; 64];
        while let Ok(read) = socket.read(&mut bytes).await {
            if read == 0 || socket.write_all(&bytes[..read]).await.is_err() {
                return;
            }
        }
    });
    Answer::builder()
        .status(Status::SWITCHING_PROTOCOLS)
        .header("connection", "upgrade")
        .header("upgrade", "echo")
        .body(Body::empty())
        .unwrap()
}

impl Front {
    /// An edge in front of `/shop/{sale}`, with a waiting room that is a stub.
    pub(crate) async fn new(change: impl FnOnce(&mut Config)) -> Self {
        let bed = TestBed::new().await;
        let room = Arc::new(RoomStub::default());
        let base = bed.serve(room.router()).await;
        Self::start(bed, Uuid::new_v4(), room, base, change).await
    }

    /// The same with the real waiting room, open, ten a second.
    pub(crate) async fn with_real_room(change: impl FnOnce(&mut Config)) -> Self {
        let bed = TestBed::new().await;
        let now = bed.clock().now();
        let sale = Sale {
            id: Uuid::new_v4(),
            name: "test".to_owned(),
            schedule: Schedule {
                pre_queue_at: now,
                opens_at: now,
                closes_at: now.plus_s(3600),
            },
            ordering: urr_core::sale::Ordering::Fifo,
            seats: 10,
            expected_visitors: 10,
            admission: AdmissionSettings::default(),
            capacity: CapacitySettings {
                rate_per_replica: 10,
                replicas: 1,
            },
        };
        let ctx = bed.ctx();
        let vwr = urr_vwr::start(&ctx, urr_vwr::Config::default()).await.unwrap();
        let rooms = Rooms::new(&ctx.dynamo().await);
        rooms.create(&Room::new(&sale, 1)).await.unwrap();
        let base = bed.serve(vwr.router).await;
        bed.run(vwr.tasks);
        Self::start(bed, sale.id, Arc::default(), base, change).await
    }

    async fn start(
        bed: TestBed,
        sale: SaleId,
        room: Arc<RoomStub>,
        room_base: String,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let origin = Arc::new(Origin::default());
        let mut config = Config::new(bed.serve(origin.router()).await, room_base);
        config.edge_protect = vec!["/shop/{sale}".to_owned()];
        config.edge_sales = vec![sale];
        config.edge_room_refresh_ms = 30;
        change(&mut config);
        let ctx = bed.ctx();
        let keys = TokenKeys {
            vwr: ctx.secrets.vwr_keys.clone(),
            entry: Some(ctx.secrets.entry_keys.clone()),
        };
        let edge = edge::start(keys, &config, Arc::clone(&ctx.clock), ctx.shutdown.clone()).unwrap();
        bed.run(edge.tasks);
        let base = bed.serve(edge.router).await;
        let ops = bed.serve(edge.ops).await;
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            bed,
            sale,
            base,
            http,
            room,
            ops,
            origin,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self.http.get(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// The status of a path exactly as it is spelled; clients tidy them up.
    pub(crate) async fn raw(&self, path: &str) -> u16 {
        let mut socket = self.socket().await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap()
    }

    pub(crate) async fn socket(&self) -> TcpStream {
        TcpStream::connect(self.base.trim_start_matches("http://"))
            .await
            .unwrap()
    }

    /// A genuine pass that ends in so many seconds.
    pub(crate) fn pass(&self, sale: SaleId, ends_in_s: i64) -> String {
        self.pass_of_line(1, sale, ends_in_s)
    }

    pub(crate) fn pass_of_line(&self, epoch: u32, sale: SaleId, ends_in_s: i64) -> String {
        let now = self.bed.clock().now();
        let mut claims = tier1::Claims::new(sale, "anon-1", 7, epoch, now, 600);
        claims.exp = now.0 / 1000 + ends_in_s;
        tier1::issue(&self.bed.ctx().secrets.vwr_keys, &claims)
    }

    pub(crate) fn claims(&self, pass: &str) -> tier1::Claims {
        let keys = &self.bed.ctx().secrets.vwr_keys;
        tier1::verify(keys, pass, self.sale, self.bed.clock().now()).unwrap()
    }

    pub(crate) fn origin_calls(&self) -> usize {
        self.origin.calls.load(Ordering::SeqCst)
    }

    /// Lets `/stream` go on.
    pub(crate) fn release(&self) {
        self.origin.go_on.notify_one();
    }

    pub(crate) async fn until(&self, path: &str, status: StatusCode) {
        eventually(Duration::from_secs(30), "that status", async || {
            self.get(path, &[HTML]).await.status() == status
        })
        .await;
    }

    pub(crate) async fn until_health(&self, field: &str, value: &str) {
        eventually(Duration::from_secs(30), "that health", async || {
            let health = self
                .http
                .get(format!("{}/health", self.ops))
                .send()
                .await
                .unwrap();
            health.json::<Value>().await.unwrap()[field] == value
        })
        .await;
    }
}

pub(crate) fn location(answer: &Response) -> String {
    answer.headers()[header::LOCATION].to_str().unwrap().to_owned()
}
