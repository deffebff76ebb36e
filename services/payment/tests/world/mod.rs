//! A payment service between a real booking service and the provider's double, each behind its own
//! socket, on real engines.
#![allow(unreachable_pub)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use tower::ServiceExt;
use urr_core::token::entry;
use urr_kit::events::EventChanged;
use urr_kit::identity::{Identity, Role, write_headers};
use urr_kit::testing::TestBed;
use urr_kit::{Clock, Ctx, Service, Task};
use urr_payment::payment::{PaymentType, Target};
use urr_payment::saga::{ConfirmRequest, Error, PrepareRequest, Receipt};
use urr_payment::{Config, FailPoints, Payments, Store};
use uuid::Uuid;

pub const PRICE: i64 = 90_000;
/// The same with ten percent on top.
pub const RESOLD: i64 = 99_000;
pub const MEMBERSHIP: i64 = 30_000;

pub struct World {
    pub bed: TestBed,
    pub ctx: Ctx,
    pub config: Config,
    booking: Router,
    booking_tasks: std::sync::Mutex<Vec<Task>>,
    /// While set, booking's confirmations are answered 503.
    pub booking_refuses_to_answer: Arc<AtomicBool>,
    testpay: String,
    event: Uuid,
    seats: Vec<Uuid>,
    next_seat: AtomicU32,
    store: Store,
}

/// Who wants what, and which payment is prepared for it.
pub struct Order {
    pub user: Uuid,
    /// What he holds, or what is sold by the transfer he pays for.
    pub reservation: Uuid,
    pub order_id: String,
    pub amount: i64,
}

impl World {
    pub async fn new() -> Self {
        Self::with_timeout_ms(10_000).await
    }

    pub async fn with_timeout_ms(payment_provider_timeout_ms: u64) -> Self {
        let bed = TestBed::new().await;
        let ctx = bed.ctx();
        let pay = urr_testpay::Config::default();
        let testpay = bed
            .serve(urr_testpay::router(
                &ctx.secrets.toss_secret_key,
                ctx.clock.clone(),
                &pay,
            ))
            .await;
        let catalog = bed.serve(catalog()).await;
        let ctx = ctx.with_settings(|settings| settings.urls.catalog = catalog);
        let service = urr_booking::start(&ctx, urr_booking::Config::default())
            .await
            .unwrap();
        let flag = Arc::new(AtomicBool::new(false));
        let booking = service
            .app(&ctx)
            .layer(middleware::from_fn_with_state(flag.clone(), outage));
        let booking_url = bed.serve(booking.clone()).await;
        let ctx = ctx.with_settings(|settings| {
            settings.urls.booking = booking_url;
            settings.payment_provider_url = testpay.clone();
        });
        let pool = ctx.postgres("payment", &urr_payment::MIGRATOR).await.unwrap();
        let mut world = Self {
            config: Config {
                payment_provider_timeout_ms,
                ..Config::default()
            },
            bed,
            ctx,
            booking,
            booking_tasks: std::sync::Mutex::new(service.tasks),
            booking_refuses_to_answer: flag,
            testpay,
            event: Uuid::new_v4(),
            seats: Vec::new(),
            next_seat: AtomicU32::new(0),
            store: Store::new(pool),
        };
        world.build_hall().await;
        world
    }

    /// Runs booking's relay, listener and sweep, and the payment service's.
    pub async fn run_tasks(&self) {
        let tasks: Vec<Task> = self.booking_tasks.lock().unwrap().drain(..).collect();
        self.bed.run(tasks);
        let service = urr_payment::start(&self.ctx, self.config.clone()).await.unwrap();
        self.bed.run(service.tasks);
    }

    pub async fn service(&self) -> Service {
        urr_payment::start(&self.ctx, self.config.clone()).await.unwrap()
    }

    pub fn payments(&self, fail_points: FailPoints) -> Payments {
        urr_payment::saga(&self.ctx, self.store.clone(), &self.config, fail_points)
    }

    pub fn sound(&self) -> Payments {
        self.payments(FailPoints::none())
    }

    /// The show turns out to be this artist's.
    pub async fn of_artist(&self, artist: Uuid) {
        let pool = self
            .ctx
            .postgres("booking", &urr_booking::store::MIGRATOR)
            .await
            .unwrap();
        sqlx::query("UPDATE event_copies SET artist_id = $1")
            .bind(artist)
            .execute(&pool)
            .await
            .unwrap();
    }

    async fn build_hall(&mut self) {
        let hall = json!({ "name": "Hall", "layout_config": { "sections": [
            { "name": "A", "rows": 5, "seatsPerRow": 10, "price": PRICE, "startRow": 1 }]}});
        let made = self.booking("POST", "/internal/seat-layouts", None, hall).await;
        let layout = made["id"].as_str().unwrap().to_owned();
        let now = self.bed.clock().now();
        let show = EventChanged {
            event_id: self.event,
            title: "Opening night".into(),
            venue: "Hall".into(),
            address: None,
            event_date: now.plus_s(30 * 24 * 3600),
            sale_start_date: Some(now),
            sale_end_date: Some(now.plus_s(24 * 3600)),
            status: "on_sale".into(),
            artist_id: None,
            artist_name: None,
            seat_layout_id: None,
            poster_image_url: None,
        };
        let path = format!("/internal/seats/generate/{}/{layout}", self.event);
        self.booking("POST", &path, None, serde_json::to_value(show).unwrap())
            .await;
        let path = format!("/api/seats/events/{}", self.event);
        let map = self
            .booking("GET", &path, Some(Uuid::new_v4()), Value::Null)
            .await;
        let seats = map["seats"].as_array().unwrap();
        self.seats = seats
            .iter()
            .map(|seat| seat["id"].as_str().unwrap().parse().unwrap())
            .collect();
    }

    /// A call to booking, as `user` with an entry token, or as another service.
    pub async fn booking(&self, method: &str, path: &str, user: Option<Uuid>, body: Value) -> Value {
        let (status, body) = self.try_booking(method, path, user, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {body}");
        body
    }

    pub async fn try_booking(
        &self,
        method: &str,
        path: &str,
        user: Option<Uuid>,
        body: Value,
    ) -> (u16, Value) {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path);
        let headers = request.headers_mut().unwrap();
        if let Some(user) = user {
            write_headers(headers, &caller(user));
            let claims = entry::Claims::new(self.event, user, self.bed.clock().now(), 600);
            let token = entry::issue(&self.ctx.secrets.entry_keys, &claims);
            headers.insert("x-queue-entry-token", token.parse().unwrap());
        } else {
            let bearer = format!("Bearer {}", self.ctx.secrets.internal_api_token);
            headers.insert("authorization", bearer.parse().unwrap());
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        let answer = self
            .booking
            .clone()
            .oneshot(request.body(body).unwrap())
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 22).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Somebody holds the next free seat.
    pub async fn hold(&self) -> (Uuid, Uuid) {
        self.hold_of(Uuid::new_v4()).await
    }

    async fn hold_of(&self, user: Uuid) -> (Uuid, Uuid) {
        let seat = self.seats[self.next_seat.fetch_add(1, Ordering::SeqCst) as usize];
        let body = json!({ "eventId": self.event, "seatIds": [seat] });
        let held = self.booking("POST", "/api/seats/reserve", Some(user), body).await;
        (user, held["reservation"]["id"].as_str().unwrap().parse().unwrap())
    }

    /// Somebody holds a seat and is about to pay for it.
    pub async fn order(&self) -> Order {
        self.order_of(Uuid::new_v4()).await
    }

    pub async fn order_of(&self, user: Uuid) -> Order {
        let (user, reservation) = self.hold_of(user).await;
        let request = PrepareRequest {
            target: target(reservation),
            amount: PRICE,
        };
        let payment = self.sound().prepare(user, request).await.unwrap();
        Order {
            user,
            reservation,
            order_id: payment.order_id,
            amount: PRICE,
        }
    }

    /// Somebody has paid for a ticket and lists it: his order, and the transfer.
    pub async fn listed(&self) -> (Order, Uuid) {
        let sellers = self.order().await;
        let paid = sellers.pay(&self.sound(), &sellers.order_id).await.unwrap();
        assert!(paid.fulfilled);
        let transfer = self.list(&sellers).await;
        (sellers, transfer)
    }

    pub async fn list(&self, sellers: &Order) -> Uuid {
        let body = json!({ "reservationId": sellers.reservation });
        let listed = self
            .booking("POST", "/api/transfers", Some(sellers.user), body)
            .await;
        listed["transfer"]["id"].as_str().unwrap().parse().unwrap()
    }

    /// Somebody else is about to pay for it.
    pub async fn buyer(&self, sellers: &Order, transfer: Uuid) -> Order {
        let user = Uuid::new_v4();
        let target = Target {
            kind: PaymentType::Transfer,
            id: transfer,
        };
        let amount = RESOLD;
        let payment = self
            .sound()
            .prepare(user, PrepareRequest { target, amount })
            .await
            .unwrap();
        Order {
            user,
            reservation: sellers.reservation,
            order_id: payment.order_id,
            amount,
        }
    }

    pub async fn withdraw(&self, sellers: &Order, transfer: Uuid) {
        let path = format!("/api/transfers/{transfer}/cancel");
        self.booking("POST", &path, Some(sellers.user), Value::Null).await;
    }

    /// Whether the ticket is this payer's.
    pub async fn has_ticket(&self, order: &Order) -> bool {
        let path = format!("/api/reservations/{}", order.reservation);
        let (status, found) = self
            .try_booking("GET", &path, Some(order.user), Value::Null)
            .await;
        status == 200 && found["reservation"]["status"] == "confirmed"
    }

    pub async fn cancel_reservation(&self, order: &Order) {
        let path = format!("/api/reservations/{}/cancel", order.reservation);
        self.booking("POST", &path, Some(order.user), Value::Null).await;
    }

    /// What booking says of the reservation: `pending`, `confirmed`, `cancelled`, `expired`.
    pub async fn reservation(&self, order: &Order) -> String {
        let path = format!("/api/reservations/{}", order.reservation);
        let found = self.booking("GET", &path, Some(order.user), Value::Null).await;
        found["reservation"]["status"].as_str().unwrap().to_owned()
    }

    /// The provider's side of an order: (charges not given back, charges given back).
    pub async fn charged(&self, order: &Order) -> (usize, usize) {
        let url = format!("{}/ledger", self.testpay);
        let ledger: Vec<Value> = self
            .ctx
            .http()
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let with = |status: &str| {
            ledger
                .iter()
                .filter(|p| p["orderId"] == order.order_id && p["status"] == status)
                .count()
        };
        (with("DONE"), with("CANCELED"))
    }

    pub async fn behave(&self, behaviour: Value) {
        let url = format!("{}/admin/behaviour", self.testpay);
        let set = self.ctx.http().put(url).json(&behaviour).send().await.unwrap();
        assert!(set.status().is_success());
    }

    /// Lets the leases run out and recovers until nothing changes any more.
    pub async fn recover(&self) {
        for _ in 0..6 {
            self.bed.clock().advance_ms(20_000);
            self.sound().recover().await.unwrap();
        }
    }

    pub async fn owed(&self) -> i64 {
        self.count("SELECT count(*) FROM payments WHERE next_check_at IS NOT NULL")
            .await
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(self.store.pool())
            .await
            .unwrap()
    }

    /// The law `paid-means-ticket` for one order: a charge that was kept has its ticket, one without
    /// a ticket was given back, and nothing is left to do.
    pub async fn assert_settled(&self, order: &Order, context: &str) {
        let (kept, _) = self.charged(order).await;
        let ticket = self.reservation(order).await == "confirmed";
        assert_eq!(
            kept,
            usize::from(ticket),
            "{context}: {kept} charges kept, ticket: {ticket}"
        );
        assert_eq!(self.owed().await, 0, "{context}: something is still owed");
    }
}

/// What catalog says about any artist.
fn catalog() -> Router {
    let artist = || async {
        axum::Json(json!({ "name": "The Waves", "image_url": null, "membership_price": MEMBERSHIP }))
    };
    Router::new().route("/internal/artists/{id}", axum::routing::get(artist))
}

/// Booking's short cut can be cut off; validation and reads go on.
async fn outage(
    axum::extract::State(down): axum::extract::State<Arc<AtomicBool>>,
    request: Request,
    next: Next,
) -> axum::response::Response {
    let path = request.uri().path();
    let short_cut = ["/confirm", "/complete", "/activate"]
        .iter()
        .any(|step| path.ends_with(step));
    if down.load(Ordering::SeqCst) && short_cut {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}

pub fn target(reservation: Uuid) -> Target {
    Target {
        kind: PaymentType::Reservation,
        id: reservation,
    }
}

pub fn caller(user: Uuid) -> Identity {
    Identity {
        user_id: user,
        email: "kim@x.kr".to_owned(),
        role: Role::User,
    }
}

impl Order {
    pub async fn pay(&self, payments: &Payments, key: &str) -> Result<Receipt, Error> {
        let request = ConfirmRequest {
            payment_key: key.to_owned(),
            order_id: self.order_id.clone(),
            amount: self.amount,
        };
        payments.confirm(self.user, request).await
    }
}
