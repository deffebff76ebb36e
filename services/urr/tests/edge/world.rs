//! The binary, and an origin that knows nothing of URR.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::{
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::Semaphore,
    task::JoinSet,
};
use urr_core::{
    sale::SaleId,
    time::Millis,
    token::{Keyring, tier1},
};
use urr_kit::clock::{Clock as _, SystemClock};
use uuid::Uuid;

/// A client that goes where it is told and nowhere else.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

/// A pass for `sale`, given at `at` for ten minutes.
pub(crate) fn pass(secret: &str, sale: SaleId, at: Millis) -> String {
    let keys = Keyring::new(&[secret]).unwrap();
    tier1::issue(&keys, &tier1::Claims::new(sale, "anon-1", 1, 1, at, 600))
}

/// A running edge. It ends with the test.
pub(crate) struct Edge {
    pub(crate) process: Child,
    pub(crate) url: String,
    pub(crate) ops: String,
    pub(crate) sale: SaleId,
    pub(crate) secret: String,
    log: Arc<Mutex<Vec<String>>>,
    _reader: JoinSet<()>,
}

impl Edge {
    /// In front of `origin`, with `/shop` protected, and a waiting room that nobody needs to reach.
    pub(crate) async fn start(origin: &str) -> Self {
        let (sale, secret) = (Uuid::new_v4(), format!("{}{}", Uuid::new_v4(), Uuid::new_v4()));
        let mut process = Command::new(env!("CARGO_BIN_EXE_urr"))
            .args(["--log-format", "json", "edge", "--origin", origin])
            .args(["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"])
            .args(["--room", "http://127.0.0.1:1", "--secure-cookies", "false"])
            .args(["--protect", "/shop", "--sales", &sale.to_string()])
            .env("VWR_TOKEN_SECRET", &secret)
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (mut url, mut ops) = (None, None);
        let log = Arc::new(Mutex::new(Vec::new()));
        while url.is_none() || ops.is_none() {
            let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await;
            let line = line.expect("it starts").unwrap().expect("it runs");
            let said: Value = serde_json::from_str(&line).unwrap();
            log.lock().unwrap().push(line);
            let address = said["address"]
                .as_str()
                .map(|address| format!("http://{address}"));
            match said["service"].as_str() {
                Some("edge") => url = address,
                Some("ops") => ops = address,
                _ => {}
            }
        }
        let mut reader = JoinSet::new();
        let kept = Arc::clone(&log);
        reader.spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().unwrap().push(line);
            }
        });
        Self {
            process,
            url: url.unwrap(),
            ops: ops.unwrap(),
            sale,
            secret,
            log,
            _reader: reader,
        }
    }

    pub(crate) fn pass(&self) -> String {
        pass(&self.secret, self.sale, SystemClock.now())
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

/// What came to the origin.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A plain origin: answers 201 with what it was sent; `/slow` when it is told to.
pub(crate) struct Origin {
    pub(crate) url: String,
    state: Arc<Plain>,
    _serving: JoinSet<()>,
}

struct Plain {
    seen: Mutex<Vec<Seen>>,
    slow: Semaphore,
}

impl Origin {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Plain {
            seen: Mutex::default(),
            slow: Semaphore::new(0),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&state));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            state,
            _serving: serving,
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// Answers who asked for `/slow`.
    pub(crate) fn go_on(&self) {
        self.state.slow.add_permits(1);
    }
}

async fn answer(State(plain): State<Arc<Plain>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
    let is_slow = parts.uri.path() == "/slow";
    plain.seen.lock().unwrap().push(Seen {
        method: parts.method.to_string(),
        uri: parts.uri.to_string(),
        headers: parts.headers,
        body: body.to_vec(),
    });
    if is_slow {
        plain.slow.acquire().await.unwrap().forget();
    }
    Response::builder()
        .status(201)
        .header("x-origin", "plain")
        .body(Body::from(body))
        .unwrap()
}
