//! A sale with its waiting room behind the gateway, and a shop that visitors are sent on to.

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, Request, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use urr_core::{
    room::Room,
    sale::{AdmissionSettings, CapacitySettings, Ordering as Draw, Sale, SaleId, Schedule},
    snapshot::SeatsView,
    time::Millis,
    token::tier1,
};
use urr_gateway::{Backend, Backends, Room as Service};
use urr_kit::{
    clock::{Clock as _, ManualClock},
    state::rooms::Rooms,
    testing::{TestBed, eventually},
};
use uuid::Uuid;

/// Everything one test needs.
pub(crate) struct World {
    pub(crate) bed: TestBed,
    pub(crate) sale: SaleId,
    pub(crate) base: String,
    pub(crate) http: reqwest::Client,
    rooms: Rooms,
    seen: Arc<Seen>,
}

/// What reached the server, and how it behaves.
#[derive(Default)]
struct Seen {
    paths: Mutex<Vec<String>>,
    shop_cookies: Mutex<Vec<String>>,
    failing: AtomicBool,
    denying: AtomicBool,
    joins: Mutex<Vec<String>>,
    summaries: AtomicUsize,
    seats: Mutex<Option<(SaleId, SeatsView)>>,
}

/// How a sale of these tests differs from another.
pub(crate) struct Plan {
    pub(crate) opens_in_s: i64,
    pub(crate) pre_queue_in_s: i64,
    pub(crate) rate_per_s: u32,
    pub(crate) ordering: Draw,
    /// People who stand in line already.
    pub(crate) ahead: u64,
}

impl Default for Plan {
    /// Open, one a second, a handful of people.
    fn default() -> Self {
        Self {
            opens_in_s: -60,
            pre_queue_in_s: -600,
            rate_per_s: 1,
            ordering: Draw::Fifo,
            ahead: 0,
        }
    }
}

impl World {
    pub(crate) async fn new(plan: Plan) -> Self {
        let bed = TestBed::new().await;
        let seen = Arc::new(Seen::default());
        let booking = bed
            .serve(
                Router::new()
                    .route("/internal/seats/summary/{event}", get(summary))
                    .with_state(Arc::clone(&seen)),
            )
            .await;
        let ctx = bed
            .ctx()
            .with_settings(|settings| settings.urls.booking = booking);
        let rooms = Rooms::new(&ctx.dynamo().await);
        let vwr = urr_vwr::start(&ctx, urr_vwr::Config::default()).await.unwrap();
        let page = urr_page::start(&ctx, urr_page::Config::default()).await.unwrap();
        let backends = Backends::from([
            (Service::Vwr, Backend::Mounted(vwr.router)),
            (Service::Page, Backend::Mounted(page.router)),
        ]);
        let gateway = urr_gateway::start(&ctx, &urr_gateway::Config::default(), backends)
            .await
            .unwrap();
        bed.run(vwr.tasks);
        let site = Router::new()
            .route("/queue/{event}", get(shop))
            .route("/events/{event}", get(shop))
            .route("/shop", get(shop))
            .with_state(Arc::clone(&seen))
            .fallback_service(gateway.router)
            .layer(middleware::from_fn_with_state(Arc::clone(&seen), watch));
        let base = bed.serve(site).await;
        let now = bed.clock().now();
        let sale = sale(&plan, now);
        let mut room = Room::new(&sale, 1);
        // The line begins to move now, not when the sale opened: nothing is saved up.
        room.clock.since = sale.schedule.opens_at.max(now);
        rooms.create(&room).await.unwrap();
        let world = Self {
            bed,
            sale: sale.id,
            base,
            http: reqwest::Client::builder().no_proxy().no_gzip().build().unwrap(),
            rooms,
            seen,
        };
        for n in 0..plan.ahead {
            world.join(&format!("ahead-{n}")).await;
        }
        world
    }

    /// Somebody takes a place by the API.
    pub(crate) async fn join(&self, visitor: &str) {
        let url = format!("{}/vwr-api/vwr/assign/{}", self.base, self.sale);
        let body = serde_json::json!({"userId": visitor});
        let answer = self.http.post(url).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{visitor} joins");
    }

    pub(crate) fn page(&self) -> String {
        format!("{}/vwr/{}", self.base, self.sale)
    }

    pub(crate) fn clock(&self) -> Arc<ManualClock> {
        self.bed.clock()
    }

    /// Changes the room as the control plane would.
    pub(crate) async fn change(&self, change: impl Fn(&Room, Millis) -> Room) {
        let now = self.clock().now();
        for _ in 0..10 {
            let room = self.rooms.get(self.sale).await.unwrap().unwrap();
            let next = change(&room, now);
            if self.rooms.replace(room.revision, &next).await.is_ok() {
                return;
            }
        }
        panic!("the room is contended by nobody");
    }

    /// Lets the server's clock run with the machine's from now on.
    pub(crate) fn run_clock(&self) {
        let clock = self.clock();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(50));
            loop {
                ticks.tick().await;
                clock.advance_ms(50);
            }
        });
    }

    /// Waits until the waiting room's own copy of its record says so.
    pub(crate) async fn until_phase(&self, phase: &'static str) {
        let url = format!("{}/vwr-api/vwr/serving/{}", self.base, self.sale);
        eventually(Duration::from_secs(30), phase, async || {
            let answer = self.http.get(&url).send().await.unwrap();
            answer.json::<serde_json::Value>().await.unwrap()["phase"] == phase
        })
        .await;
    }

    /// Requests so far whose path has this in it.
    pub(crate) fn asked(&self, part: &str) -> usize {
        let paths = self.seen.paths.lock().unwrap();
        paths.iter().filter(|path| path.contains(part)).count()
    }

    /// Answers everything of the waiting room's API with 503 from now on, or no longer.
    pub(crate) fn failing(&self, failing: bool) {
        self.seen.failing.store(failing, Ordering::SeqCst);
    }

    /// Answers polls with 404 and joins with 503 from now on, as a replica that knows no room, or no
    /// longer.
    pub(crate) fn denying(&self, denying: bool) {
        self.seen.denying.store(denying, Ordering::SeqCst);
    }

    /// The bodies of the joins so far.
    pub(crate) fn joins(&self) -> Vec<String> {
        self.seen.joins.lock().unwrap().clone()
    }

    /// Questions booking was asked about seats.
    pub(crate) fn summaries(&self) -> usize {
        self.seen.summaries.load(Ordering::SeqCst)
    }

    pub(crate) fn seats(&self, free: u64, held: u64, sold: u64) {
        let seats = SeatsView {
            capacity: free + held + sold,
            free,
            held,
            sold,
            sections: Vec::new(),
        };
        *self.seen.seats.lock().unwrap() = Some((self.sale, seats));
    }

    /// The pass the shop was shown last, verified for this sale.
    pub(crate) fn pass_shown(&self) -> Option<tier1::Claims> {
        let cookies = self.seen.shop_cookies.lock().unwrap();
        let token = cookies
            .last()?
            .split("; ")
            .find_map(|pair| pair.strip_prefix("urr-vwr-token="))?;
        let keys = &self.bed.ctx().secrets.vwr_keys;
        tier1::verify(keys, token, self.sale, self.clock().now()).ok()
    }
}

fn sale(plan: &Plan, now: Millis) -> Sale {
    Sale {
        id: Uuid::new_v4(),
        name: "test".to_owned(),
        schedule: Schedule {
            pre_queue_at: now.plus_s(plan.pre_queue_in_s),
            opens_at: now.plus_s(plan.opens_in_s),
            closes_at: now.plus_s(86_400),
        },
        ordering: plan.ordering,
        seats: 1000,
        expected_visitors: 1000,
        admission: AdmissionSettings {
            rate_per_s: plan.rate_per_s,
            burst: 0,
            ..AdmissionSettings::default()
        },
        capacity: CapacitySettings {
            rate_per_replica: 10_000,
            replicas: 1,
        },
    }
}

async fn watch(State(seen): State<Arc<Seen>>, request: Request<Body>, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let fails = path.starts_with("/vwr-api/") && seen.failing.load(Ordering::SeqCst);
    seen.paths.lock().unwrap().push(path.clone());
    if fails {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let denies = seen.denying.load(Ordering::SeqCst);
    if denies && path.starts_with("/vwr-api/vwr/check/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    if !path.starts_with("/vwr-api/vwr/assign/") {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 16).await.unwrap();
    let join = String::from_utf8_lossy(&body).into_owned();
    seen.joins.lock().unwrap().push(join);
    if denies {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}

async fn shop(State(seen): State<Arc<Seen>>, headers: HeaderMap) -> Html<&'static str> {
    let cookies = headers.get(header::COOKIE).and_then(|value| value.to_str().ok());
    seen.shop_cookies
        .lock()
        .unwrap()
        .push(cookies.unwrap_or_default().to_owned());
    Html("<!doctype html><title>shop</title><h1 id=shop>shop</h1>")
}

async fn summary(State(seen): State<Arc<Seen>>, Path(event): Path<Uuid>) -> Response {
    seen.summaries.fetch_add(1, Ordering::SeqCst);
    match seen.seats.lock().unwrap().clone() {
        Some((sale, seats)) if sale == event => Json(seats).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
