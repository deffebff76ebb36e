//! A stand-in for the services that knows just enough of the wire to see how the generator
//! behaves: whether it obeys pacing, survives errors, repeats itself. It stands in for no engine.

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use urr_core::draw::{Draw, Seed};
use uuid::Uuid;

/// How it behaves.
#[derive(Clone, Copy)]
pub(crate) struct Manners {
    /// People served per second from the opening on.
    pub(crate) rate_per_s: u64,
    /// From now to the opening.
    pub(crate) opens_in: Duration,
    /// Everything answers 503 from the opening plus the first until the opening plus the second.
    pub(crate) outage: Option<(Duration, Duration)>,
    /// Time every answer takes.
    pub(crate) latency: Duration,
    /// What waiting visitors are told.
    pub(crate) next_poll_ms: u64,
    pub(crate) seats: usize,
    /// Presses of a pay button after which it is charged and still only "processing".
    pub(crate) silent_presses: u32,
    /// Whether the next press then hears that the money went back.
    pub(crate) refunds_after_silence: bool,
    /// Places of those who come before the opening are drawn with this seed.
    pub(crate) draw: Option<Seed>,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            rate_per_s: 200,
            opens_in: Duration::from_secs(3),
            outage: None,
            latency: Duration::ZERO,
            next_poll_ms: 300,
            seats: 30,
            silent_presses: 0,
            refunds_after_silence: false,
            draw: None,
        }
    }
}

/// What it saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// User key to place and how often it joined.
    pub(crate) places: HashMap<String, (u64, u32)>,
    /// Tickets in the draw, once it is closed.
    drawn: Option<u64>,
    /// Request id to user key.
    requests: HashMap<String, String>,
    /// Until when a user was told to wait.
    told: HashMap<String, Instant>,
    /// Polls that came before they were told to, by more than a timer's grain.
    pub(crate) hasty: u32,
    pub(crate) polls: u32,
    pub(crate) sold: HashSet<Uuid>,
    held: HashMap<Uuid, Uuid>,
    pub(crate) orders: HashMap<String, u32>,
    pub(crate) payment_keys: HashSet<String>,
    pub(crate) left: u32,
    pub(crate) cookies: u32,
    pub(crate) bearers: u32,
    pub(crate) registered: u32,
}

#[derive(Clone)]
pub(crate) struct Double {
    pub(crate) manners: Manners,
    pub(crate) seen: Arc<Mutex<Seen>>,
    opened: Instant,
    seats: Arc<Vec<Uuid>>,
    /// From its cancellation on, answers take no time.
    pub(crate) released: CancellationToken,
}

impl Double {
    /// Starts it; yields itself and its address.
    pub(crate) async fn start(manners: Manners) -> (Self, String) {
        let seats = (0..manners.seats)
            .map(|n| Uuid::from_u128(n as u128 + 1))
            .collect();
        let double = Self {
            manners,
            seen: Arc::default(),
            opened: Instant::now() + manners.opens_in,
            seats: Arc::new(seats),
            released: CancellationToken::new(),
        };
        let router = Router::new()
            .route("/vwr-api/vwr/assign/{sale}", post(assign))
            .route("/vwr-api/vwr/check/{sale}/{request}", get(check))
            .route("/vwr-api/vwr/draw/{sale}", get(draw))
            .route("/api/v1/queue/check/{sale}", post(door))
            .route("/api/v1/queue/status/{sale}", get(door))
            .route(
                "/api/v1/queue/heartbeat/{sale}",
                post(|| async { Json(json!({})) }),
            )
            .route("/api/v1/queue/leave/{sale}", post(leave))
            .route("/api/v1/seats/events/{sale}", get(map))
            .route("/api/v1/seats/reserve", post(reserve))
            .route("/api/v1/payments/prepare", post(prepare))
            .route("/api/v1/payments/confirm", post(confirm))
            .route("/api/v1/auth/register", post(register))
            .route("/api/v1/auth/login", post(register))
            .layer(from_fn_with_state(double.clone(), weather))
            .with_state(double.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (double, format!("http://{address}"))
    }

    /// Where the holder of the number `number` stands; `None` before the draw.
    fn place(&self, seen: &mut Seen, number: u64) -> Option<u64> {
        let Some(seed) = self.manners.draw else {
            return Some(number);
        };
        if Instant::now() < self.opened {
            return None;
        }
        let everybody = seen.places.len() as u64;
        let drawn = *seen.drawn.get_or_insert(everybody);
        Some(Draw::new(&seed, drawn).place(number))
    }

    fn serving(&self) -> u64 {
        let open = u64::try_from(self.opened.elapsed().as_millis()).unwrap();
        if Instant::now() < self.opened {
            0
        } else {
            open * self.manners.rate_per_s / 1000
        }
    }
}

async fn weather(State(double): State<Double>, request: Request, next: Next) -> Response {
    tokio::select! {
        () = tokio::time::sleep(double.manners.latency) => {}
        () = double.released.cancelled() => {}
    }
    if let Some((from, to)) = double.manners.outage {
        let now = Instant::now();
        if now >= double.opened + from && now < double.opened + to {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    next.run(request).await
}

async fn assign(State(double): State<Double>, Json(body): Json<Value>) -> Json<Value> {
    let user = body["userId"].as_str().unwrap().to_owned();
    let mut seen = double.seen.lock().unwrap();
    // The draw is closed before whoever comes after the opening has a number.
    double.place(&mut seen, 0);
    let next = seen.places.len() as u64 + 1;
    let place = seen.places.entry(user.clone()).or_insert((next, 0));
    place.1 += 1;
    let number = place.0;
    let request = Uuid::from_u128(u128::from(number) << 64).to_string();
    seen.requests.insert(request.clone(), user);
    let place = double.place(&mut seen, number);
    Json(json!({
        "requestId": request, "position": place.unwrap_or(next), "placed": place.is_some(),
        "etaP50S": 30, "servingCounter": 0, "nextPollMs": 0,
    }))
}

async fn check(
    State(double): State<Double>,
    Path((_, request)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    const GRAIN: Duration = Duration::from_millis(5);
    let mut seen = double.seen.lock().unwrap();
    let Some(user) = seen.requests.get(&request).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    assert_eq!(
        query.get("userId"),
        Some(&user),
        "a poll names the user who joined"
    );
    let now = Instant::now();
    seen.polls += 1;
    if seen.told.get(&user).is_some_and(|until| now + GRAIN < *until) {
        seen.hasty += 1;
    }
    let issued = seen.places.len() as u64;
    let (number, serving) = (seen.places[&user].0, double.serving().min(issued));
    let place = double.place(&mut seen, number);
    let position = place.unwrap_or(issued);
    let said = if place.is_some_and(|place| place <= serving) {
        json!({ "admitted": true, "position": position, "servingCounter": serving,
            "totalInQueue": issued, "ahead": 0, "token": format!("tier1-{position}") })
    } else {
        let ms = double.manners.next_poll_ms;
        seen.told.insert(user, now + Duration::from_millis(ms));
        json!({ "admitted": false, "position": position, "placed": place.is_some(),
            "etaP50S": 30, "servingCounter": serving, "totalInQueue": issued, "ahead": position.saturating_sub(serving), "nextPoll": 60, "nextPollMs": ms })
    };
    Json(said).into_response()
}

async fn draw(State(double): State<Double>) -> Response {
    let Some(seed) = double.manners.draw else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let drawn = double.seen.lock().unwrap().drawn;
    Json(json!({
        "commitment": seed.commitment(), "seed": drawn.map(|_| seed), "drawn": drawn, "algorithm": "x",
    }))
    .into_response()
}

fn has(headers: &HeaderMap, name: &str, text: &str) -> bool {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains(text))
}

async fn door(State(double): State<Double>, headers: HeaderMap) -> Response {
    let by_cookie = has(&headers, "cookie", "access_token=");
    let by_bearer = has(&headers, "authorization", "Bearer ");
    if !by_cookie && !by_bearer || !has(&headers, "cookie", "urr-vwr-token=tier1-") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut seen = double.seen.lock().unwrap();
    seen.cookies += u32::from(by_cookie);
    seen.bearers += u32::from(by_bearer);
    Json(json!({ "status": "active", "queued": false, "nextPoll": 3, "entryToken": "entry" })).into_response()
}

async fn leave(State(double): State<Double>) -> Json<Value> {
    double.seen.lock().unwrap().left += 1;
    Json(json!({ "message": "Left queue" }))
}

fn gate(headers: &HeaderMap) -> bool {
    headers
        .get("x-queue-entry-token")
        .is_some_and(|token| token == "entry")
}

async fn map(State(double): State<Double>, headers: HeaderMap) -> Response {
    if !gate(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let seen = double.seen.lock().unwrap();
    let taken = |id: &Uuid| seen.sold.contains(id) || seen.held.values().any(|held| held == id);
    let seats: Vec<Value> = double
        .seats
        .iter()
        .map(|id| json!({ "id": id, "section": "A", "status": if taken(id) { "locked" } else { "available" } }))
        .collect();
    let free = double.seats.iter().filter(|id| !taken(id)).count();
    Json(json!({ "seats": seats, "sections": [{ "name": "A", "total": seats.len(), "available": free, "price": 99000 }] }))
        .into_response()
}

async fn reserve(State(double): State<Double>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    if !gate(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut seen = double.seen.lock().unwrap();
    let seat: Uuid = body["seatIds"][0].as_str().unwrap().parse().unwrap();
    let key: Uuid = body["idempotencyKey"].as_str().unwrap().parse().unwrap();
    if seen.sold.contains(&seat)
        || seen
            .held
            .iter()
            .any(|(other, held)| *held == seat && *other != key)
    {
        return StatusCode::CONFLICT.into_response();
    }
    seen.held.insert(key, seat);
    Json(json!({ "reservation": { "id": key, "totalAmount": 99000, "fencingToken": 1 } })).into_response()
}

async fn prepare(Json(body): Json<Value>) -> Json<Value> {
    Json(
        json!({ "orderId": format!("ORD_{}", body["reservationId"].as_str().unwrap()), "amount": body["amount"] }),
    )
}

async fn confirm(State(double): State<Double>, Json(body): Json<Value>) -> Response {
    let order = body["orderId"].as_str().unwrap();
    let key: Uuid = order.trim_start_matches("ORD_").parse().unwrap();
    let mut seen = double.seen.lock().unwrap();
    let presses = seen.orders.entry(order.to_owned()).or_default();
    *presses += 1;
    let silent = *presses <= double.manners.silent_presses;
    seen.payment_keys
        .insert(body["paymentKey"].as_str().unwrap().to_owned());
    if silent {
        return Json(json!({ "success": true, "status": "processing" })).into_response();
    }
    if double.manners.refunds_after_silence {
        let error = json!({ "error": "Payment already refunded" });
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    }
    let seat = seen.held[&key];
    seen.sold.insert(seat);
    Json(json!({ "success": true, "status": "confirmed" })).into_response()
}

async fn register(State(double): State<Double>) -> Json<Value> {
    double.seen.lock().unwrap().registered += 1;
    Json(json!({ "token": "access", "user": { "id": Uuid::from_u128(99) } }))
}
