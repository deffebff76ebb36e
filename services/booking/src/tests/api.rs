//! The wire: the whole service behind its routes, as the gateway and the others see it.

use super::{HOLD_MS, hall};
use crate::Config;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt as _;
use urr_core::sale::{AdmissionSettings, CapacitySettings, Sale, Schedule};
use urr_core::token::entry;
use urr_kit::clock::{Clock as _, ManualClock};
use urr_kit::events::{
    CATALOG_EVENTS, EVENT_CHANGED, Envelope, EventBus as _, EventChanged, PAYMENT_CONFIRMED, PAYMENT_EVENTS,
    PAYMENT_REFUNDED, PaymentConfirmed, PaymentRefunded, RedisStreams, bus::Message,
};
use urr_kit::identity::{Identity, Role, write_headers};
use urr_kit::testing::{TestBed, eventually};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(10);

struct Api {
    bed: TestBed,
    clock: Arc<ManualClock>,
    app: axum::Router,
    event: Uuid,
}

/// A caller: user, and the entry token he shows.
#[derive(Clone)]
struct Caller {
    user: Uuid,
    token: Option<String>,
}

impl Api {
    async fn new(seats: u32) -> Self {
        let bed = TestBed::new().await;
        let ctx = bed.ctx();
        let config = Config {
            cleanup_interval_ms: 20,
            ..Config::default()
        };
        let service = crate::start(&ctx, config).await.unwrap();
        let app = service.router.clone().merge(service.internal.clone());
        bed.run(service.tasks);
        let api = Self {
            clock: bed.clock(),
            bed,
            app,
            event: Uuid::new_v4(),
        };
        api.put_sale().await;
        let layout = json!({"name": "Hall", "layout_config": hall(seats)});
        let (status, made) = api
            .internal(Method::POST, "/internal/seat-layouts", &layout)
            .await;
        assert_eq!(status, 201, "{made}");
        let path = format!(
            "/internal/seats/generate/{}/{}",
            api.event,
            made["id"].as_str().unwrap()
        );
        let (status, made) = api.internal(Method::POST, &path, &Value::Null).await;
        assert_eq!(
            (status, &made["seatsCreated"]),
            (StatusCode::OK, &json!(seats)),
            "{made}"
        );
        let (status, again) = api.internal(Method::POST, &path, &Value::Null).await;
        assert_eq!(status, 400, "{again}");
        api
    }

    async fn put_sale(&self) {
        let now = self.clock.now();
        let sale = Sale {
            id: self.event,
            name: "Opening night".into(),
            schedule: Schedule {
                pre_queue_at: now,
                opens_at: now,
                closes_at: now.plus_s(24 * 3600),
            },
            seats: 4,
            expected_visitors: 10,
            admission: AdmissionSettings {
                hold_ttl_s: 300,
                ..AdmissionSettings::default()
            },
            capacity: CapacitySettings {
                rate_per_replica: 10,
                replicas: 1,
            },
        };
        let path = format!("/internal/sales/{}", self.event);
        let (status, body) = self
            .internal(Method::PUT, &path, &serde_json::to_value(&sale).unwrap())
            .await;
        assert_eq!(status, 200, "{body}");
    }

    fn token(&self, event: Uuid, user: Uuid) -> String {
        let claims = entry::Claims::new(event, user, self.clock.now(), 600);
        entry::issue(&self.bed.ctx().secrets.entry_keys, &claims)
    }

    fn visitor(&self) -> Caller {
        let user = Uuid::new_v4();
        Caller {
            user,
            token: Some(self.token(self.event, user)),
        }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        use axum::body::to_bytes;
        let response = self.app.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn internal(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let token = format!("Bearer {}", self.bed.ctx().secrets.internal_api_token);
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", token);
        self.send(request.body(body).unwrap()).await
    }

    async fn call(
        &self,
        who: Option<&Caller>,
        method: Method,
        path: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        let mut request = Request::builder().method(method).uri(path).body(body).unwrap();
        if let Some(caller) = who {
            let identity = Identity {
                user_id: caller.user,
                email: "a@b.kr".into(),
                role: Role::User,
            };
            write_headers(request.headers_mut(), &identity);
            if let Some(token) = &caller.token {
                request
                    .headers_mut()
                    .insert("x-queue-entry-token", token.parse().unwrap());
            }
        }
        self.send(request).await
    }

    async fn map(&self, who: &Caller, query: &str) -> Value {
        let path = format!("/api/seats/events/{}{query}", self.event);
        let (status, body) = self.call(Some(who), Method::GET, &path, &Value::Null).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn reserve(&self, who: &Caller, seat: &Value) -> (StatusCode, Value) {
        let body = json!({"eventId": self.event, "seatIds": [seat]});
        self.call(Some(who), Method::POST, "/api/seats/reserve", &body)
            .await
    }

    async fn publish(&self, topic: &str, event: &Envelope) {
        let bus = RedisStreams::new(self.bed.ctx().redis().await.unwrap());
        let message = Message::new(topic, event).unwrap();
        // Twice: a bus delivers at least once.
        bus.publish(&[message.clone(), message]).await.unwrap();
    }

    async fn pool(&self) -> sqlx::PgPool {
        self.bed
            .ctx()
            .postgres("booking", &crate::store::MIGRATOR)
            .await
            .unwrap()
    }

    async fn status_of(&self, who: &Caller, reservation: &Value) -> Value {
        let path = format!("/api/reservations/{}", reservation.as_str().unwrap());
        let (status, body) = self.call(Some(who), Method::GET, &path, &Value::Null).await;
        assert_eq!(status, 200, "{body}");
        body["reservation"]["status"].clone()
    }
}

fn paid(reservation: &Value, user: Uuid, now: urr_core::time::Millis) -> Envelope {
    let payload = PaymentConfirmed {
        payment_id: Uuid::new_v4(),
        order_id: "ORD_1".into(),
        payment_key: None,
        user_id: user,
        event_id: None,
        reservation_id: Some(reservation.as_str().unwrap().parse().unwrap()),
        reference_id: None,
        payment_type: "reservation".into(),
        amount: 150_000,
        payment_method: "toss".into(),
        approved_at: None,
    };
    Envelope::new(PAYMENT_CONFIRMED, "payment", payload.payment_id, now, &payload).unwrap()
}

#[tokio::test]
async fn a_visitor_sees_holds_and_owns_a_seat() {
    let api = Api::new(4).await;
    let visitor = api.visitor();
    let map = api.map(&visitor, "").await;
    assert_eq!(map["event"]["title"], "Opening night");
    assert_eq!(map["seats"].as_array().unwrap().len(), 4);
    assert_eq!(
        map["sections"],
        json!([
            {"name": "VIP", "total": 2, "available": 2, "price": 150_000},
            {"name": "A", "total": 2, "available": 2, "price": 90_000},
        ])
    );
    let vip = api.map(&visitor, "?section=VIP").await;
    assert_eq!(vip["seats"].as_array().unwrap().len(), 2);
    assert_eq!(vip["sections"].as_array().unwrap().len(), 2);
    let seat = &vip["seats"][0];
    assert_eq!(
        (&seat["seat_label"], &seat["status"]),
        (&json!("VIP-1-1"), &json!("available"))
    );

    let (status, held) = api.reserve(&visitor, &seat["id"]).await;
    assert_eq!(status, 200, "{held}");
    assert_eq!(held["message"], "Seat reserved temporarily");
    let reservation = &held["reservation"];
    assert!(
        reservation["reservationNumber"]
            .as_str()
            .unwrap()
            .starts_with("TK")
    );
    assert_eq!(
        (&reservation["totalAmount"], &reservation["fencingToken"]),
        (&json!(150_000), &json!(1))
    );
    assert_eq!(reservation["seats"][0]["status"], "locked");
    let (status, lost) = api.reserve(&api.visitor(), &seat["id"]).await;
    assert_eq!(
        (status, &lost["error"]),
        (StatusCode::CONFLICT, &lost["message"]),
        "{lost}"
    );

    api.clock.advance_ms(crate::map::MAX_AGE_MS);
    assert_eq!(
        api.map(&visitor, "?section=VIP").await["seats"][0]["status"],
        "locked"
    );
    let id = reservation["id"].as_str().unwrap();
    let path = format!("/internal/reservations/{id}/validate?userId={}", visitor.user);
    let (status, valid) = api.internal(Method::GET, &path, &Value::Null).await;
    assert_eq!(
        (status, &valid["total_amount"]),
        (StatusCode::OK, &json!(150_000)),
        "{valid}"
    );
    let path = format!("/internal/reservations/{id}/confirm");
    let (status, ok) = api
        .internal(Method::POST, &path, &json!({"paymentMethod": "toss"}))
        .await;
    assert_eq!((status, ok), (StatusCode::OK, json!({"ok": true})));

    api.clock.advance_ms(crate::map::MAX_AGE_MS);
    assert_eq!(api.map(&visitor, "").await["seats"][0]["status"], "reserved");
    let path = format!("/internal/seats/summary/{}", api.event);
    let (_, summary) = api.internal(Method::GET, &path, &Value::Null).await;
    assert_eq!(
        (&summary["capacity"], &summary["free"], &summary["sold"]),
        (&json!(4), &json!(3), &json!(1))
    );
    let (_, mine) = api
        .call(Some(&visitor), Method::GET, "/api/reservations/my", &Value::Null)
        .await;
    assert_eq!(mine["reservations"][0]["items"][0]["seatLabel"], "VIP-1-1");
    // Owners read and cancel without an entry token (quirk 18).
    let owner = Caller {
        token: None,
        ..visitor.clone()
    };
    assert_eq!(api.status_of(&owner, &reservation["id"]).await, "confirmed");
    let path = format!("/api/reservations/{id}/cancel");
    let (status, body) = api.call(Some(&owner), Method::POST, &path, &Value::Null).await;
    assert_eq!(
        (status, &body["reservation"]["status"]),
        (StatusCode::OK, &json!("cancelled"))
    );
    let (status, _) = api.call(Some(&owner), Method::POST, &path, &Value::Null).await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn nobody_gets_in_by_the_back_door() {
    // Law no-back-door, R-GW-04, quirk 4.
    let api = Api::new(2).await;
    let visitor = api.visitor();
    let seat = api.map(&visitor, "").await["seats"][0]["id"].clone();
    let with = |token: Option<String>| Caller {
        token,
        ..visitor.clone()
    };
    let expired = api.visitor();
    for (who, caller) in [
        ("no token", with(None)),
        ("another user's", with(Some(api.token(api.event, Uuid::new_v4())))),
        (
            "another sale's",
            with(Some(api.token(Uuid::new_v4(), visitor.user))),
        ),
        ("made up", with(Some("a.b.c".into()))),
    ] {
        let (status, body) = api.reserve(&caller, &seat).await;
        assert_eq!(
            (status, &body["redirectTo"]),
            (StatusCode::FORBIDDEN, &json!("/queue")),
            "{who}"
        );
        let path = format!("/api/seats/events/{}", api.event);
        let (status, _) = api.call(Some(&caller), Method::GET, &path, &Value::Null).await;
        assert_eq!(status, 403, "{who}");
    }
    api.clock.advance_ms(600_000);
    assert_eq!(api.reserve(&expired, &seat).await.0, 403);
    let anonymous = json!({"eventId": api.event, "seatIds": [seat]});
    assert_eq!(
        api.call(None, Method::POST, "/api/seats/reserve", &anonymous)
            .await
            .0,
        401
    );
    let path = format!("/internal/seats/count/{}", api.event);
    assert_eq!(
        api.call(Some(&visitor), Method::GET, &path, &Value::Null).await.0,
        401
    );
}

#[tokio::test]
async fn bad_input_is_400_or_404_with_a_sentence() {
    // Quirk 22.
    let api = Api::new(2).await;
    let visitor = api.visitor();
    let map = api.map(&visitor, "").await;
    let (a, b) = (&map["seats"][0]["id"], &map["seats"][1]["id"]);
    let reserve = |body: Value| {
        let (api, visitor) = (&api, &visitor);
        async move {
            api.call(Some(visitor), Method::POST, "/api/seats/reserve", &body)
                .await
        }
    };
    let event = api.event;
    for (body, code, text) in [
        (
            json!({"eventId": event, "seatIds": []}),
            400,
            "Please select at least one seat",
        ),
        (
            json!({"eventId": event, "seatIds": [a, b]}),
            400,
            "Only one seat can be selected",
        ),
        (
            json!({"eventId": event, "seatIds": [Uuid::new_v4()]}),
            404,
            "Selected seat not found",
        ),
        (
            json!({"eventId": event, "seatIds": ["x"]}),
            400,
            "Invalid request body",
        ),
        (json!("x"), 400, "Invalid request body"),
        (
            json!({"eventId": event, "seatIds": [a], "idempotencyKey": "k".repeat(256)}),
            400,
            "idempotencyKey",
        ),
    ] {
        let (status, answer) = reserve(body.clone()).await;
        assert_eq!(status, code, "{body} {answer}");
        assert!(answer["error"].as_str().unwrap().starts_with(text), "{answer}");
    }
    let (status, _) = api
        .call(
            Some(&visitor),
            Method::GET,
            "/api/reservations/none",
            &Value::Null,
        )
        .await;
    assert_eq!(status, 400);
    let missing = format!("/api/reservations/{}", Uuid::new_v4());
    assert_eq!(
        api.call(Some(&visitor), Method::GET, &missing, &Value::Null)
            .await
            .0,
        404
    );
    let flawed = json!({"name": "x", "layout_config": {"sections": []}});
    assert_eq!(
        api.internal(Method::POST, "/internal/seat-layouts", &flawed)
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn payments_heard_twice_and_too_late_end_in_one_ticket_or_a_rejection() {
    // R-MSG-01, R-PAY-07, law paid-means-ticket.
    let api = Api::new(2).await;
    let (a, b) = (api.visitor(), api.visitor());
    let map = api.map(&a, "").await;
    let (_, held) = api.reserve(&a, &map["seats"][0]["id"]).await;
    let (_, lost) = api.reserve(&b, &map["seats"][1]["id"]).await;
    let (held, lost) = (
        held["reservation"]["id"].clone(),
        lost["reservation"]["id"].clone(),
    );
    let confirmed = paid(&held, a.user, api.clock.now());
    api.publish(PAYMENT_EVENTS, &confirmed).await;
    eventually(SOON, "confirmation by event", async || {
        api.status_of(&a, &held).await == "confirmed"
    })
    .await;
    // The other one's hold ends, the sweep takes it, and then the money comes.
    api.clock.advance_ms(HOLD_MS);
    eventually(SOON, "the sweep", async || {
        api.status_of(&b, &lost).await == "expired"
    })
    .await;
    let late = paid(&lost, b.user, api.clock.now());
    api.publish(PAYMENT_EVENTS, &late).await;
    let pool = api.pool().await;
    let rejected = eventually(SOON, "a rejection", async || {
        let found: Option<Value> =
            sqlx::query_scalar("SELECT payload FROM outbox_events WHERE event_type = 'RESERVATION_REJECTED'")
                .fetch_optional(&pool)
                .await
                .unwrap();
        found
    })
    .await;
    assert_eq!(rejected["payload"]["reservationId"], lost);
    assert_eq!(rejected["causationId"], json!(late.event_id));
    // A refund frees the first one's seat.
    let refund = PaymentRefunded {
        payment_id: Uuid::new_v4(),
        order_id: "ORD_1".into(),
        user_id: a.user,
        reservation_id: Some(held.as_str().unwrap().parse().unwrap()),
        reference_id: None,
        payment_type: "reservation".into(),
        amount: 150_000,
        reason: "user-request".into(),
    };
    let refund = Envelope::new(
        PAYMENT_REFUNDED,
        "payment",
        refund.payment_id,
        api.clock.now(),
        &refund,
    )
    .unwrap();
    api.publish(PAYMENT_EVENTS, &refund).await;
    eventually(SOON, "the refund", async || {
        api.status_of(&a, &held).await == "cancelled"
    })
    .await;
    let told: Vec<(String, i64)> = sqlx::query_as(
        "SELECT event_type, count(*) FROM outbox_events GROUP BY event_type ORDER BY event_type",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let told: Vec<_> = told.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(
        told,
        [
            ("RESERVATION_CANCELLED", 2),
            ("RESERVATION_CONFIRMED", 1),
            ("RESERVATION_CREATED", 2),
            ("RESERVATION_REJECTED", 1),
        ]
    );
}

#[tokio::test]
async fn a_cancelled_show_cannot_be_booked_and_gives_everything_back() {
    let api = Api::new(2).await;
    let visitor = api.visitor();
    let seat = api.map(&visitor, "").await["seats"][0]["id"].clone();
    let (_, held) = api.reserve(&visitor, &seat).await;
    let now = api.clock.now();
    let changed = EventChanged {
        event_id: api.event,
        title: "Opening night".into(),
        venue: "Hall".into(),
        address: None,
        event_date: now.plus_s(30 * 24 * 3600),
        sale_start_date: None,
        sale_end_date: None,
        status: "cancelled".into(),
        artist_id: None,
        artist_name: None,
        seat_layout_id: None,
        poster_image_url: None,
    };
    let envelope = Envelope::new(EVENT_CHANGED, "event", api.event, now, &changed).unwrap();
    api.publish(CATALOG_EVENTS, &envelope).await;
    eventually(SOON, "the news", async || {
        api.clock.advance_ms(1000);
        let (status, body) = api.reserve(&api.visitor(), &seat).await;
        status == 409 && body["code"] == "EVENT_CANCELLED"
    })
    .await;
    let path = format!("/internal/admin/reservations/cancel-by-event/{}", api.event);
    let (_, body) = api.internal(Method::POST, &path, &Value::Null).await;
    assert_eq!(body, json!({"cancelledCount": 1}));
    assert_eq!(
        api.status_of(&visitor, &held["reservation"]["id"]).await,
        "cancelled"
    );
    let path = format!("/internal/seats/{}", api.event);
    let (status, body) = api.internal(Method::DELETE, &path, &Value::Null).await;
    assert_eq!((status, body), (StatusCode::OK, json!({"deleted": 2})));
    api.clock.advance_ms(crate::map::MAX_AGE_MS);
    let path = format!("/api/seats/events/{}", api.event);
    assert_eq!(
        api.call(Some(&visitor), Method::GET, &path, &Value::Null).await.0,
        404
    );
}

#[tokio::test]
async fn standing_tickets_count_down_to_zero_and_come_back() {
    // R-BOOK-05.
    let api = Api::new(1).await;
    let new = json!({"eventId": api.event, "name": "Standing", "price": 50_000, "totalQuantity": 5});
    let (_, made) = api.internal(Method::POST, "/internal/ticket-types", &new).await;
    let ticket_type = made["ticketType"]["id"].as_str().unwrap().to_owned();
    let order = |quantity: i32, key: &str| {
        json!({"eventId": api.event, "items": [{"ticketTypeId": ticket_type, "quantity": quantity}],
               "idempotencyKey": key})
    };
    let left = async || {
        let path = format!("/api/tickets/availability/{ticket_type}");
        api.call(None, Method::GET, &path, &Value::Null).await.1["available_quantity"].clone()
    };
    let (a, b) = (api.visitor(), api.visitor());
    let (status, first) = api
        .call(Some(&a), Method::POST, "/api/reservations", &order(3, "k"))
        .await;
    assert_eq!(status, 200, "{first}");
    let reservation = &first["reservation"];
    assert!(
        reservation["reservationNumber"]
            .as_str()
            .unwrap()
            .starts_with('R')
    );
    assert_eq!(
        (&reservation["totalAmount"], &reservation["status"]),
        (&json!(150_000), &json!("pending"))
    );
    assert_eq!(reservation["items"][0]["ticketTypeName"], "Standing");
    let (_, again) = api
        .call(Some(&a), Method::POST, "/api/reservations", &order(3, "k"))
        .await;
    assert_eq!(again, first);
    let (status, refused) = api
        .call(Some(&b), Method::POST, "/api/reservations", &order(3, "k"))
        .await;
    assert_eq!(
        (status, &refused["error"]),
        (StatusCode::CONFLICT, &json!("Standing quantity is not enough"))
    );
    let (status, _) = api
        .call(Some(&a), Method::POST, "/api/reservations", &order(2, "l"))
        .await;
    assert_eq!((status, left().await), (StatusCode::CONFLICT, json!(2)));
    api.clock.advance_ms(HOLD_MS);
    eventually(SOON, "the sweep", async || left().await == json!(5)).await;
}
