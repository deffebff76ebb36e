//! Figures from events, in any order and any number of times (R-STAT-01).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt;
use urr_core::time::Millis;
use urr_kit::{
    clock::Clock,
    events::{
        CATALOG_EVENTS, EVENT_CHANGED, Envelope, EventBus, EventChanged, PAYMENT_CONFIRMED, PAYMENT_EVENTS,
        PAYMENT_REFUNDED, PaymentConfirmed, PaymentRefunded, RESERVATION_CANCELLED, RESERVATION_CONFIRMED,
        RESERVATION_CREATED, RESERVATION_EVENTS, RedisStreams, ReservationCancelled, ReservationConfirmed,
        ReservationCreated, bus::Message,
    },
    identity::{Identity, Role, write_headers},
    testing::{TestBed, eventually},
};
use uuid::Uuid;

async fn get(router: &Router, path: &str, role: Role) -> (StatusCode, Value) {
    let mut request = Request::builder().uri(path);
    let identity = Identity {
        user_id: Uuid::new_v4(),
        email: "a@b.c".to_owned(),
        role,
    };
    write_headers(request.headers_mut().unwrap(), &identity);
    let response = router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

struct History {
    now: Millis,
    event: Uuid,
    all: Vec<(&'static str, Envelope)>,
}

impl History {
    fn add(&mut self, topic: &'static str, kind: &str, payload: &impl serde::Serialize) {
        let envelope = Envelope::new(kind, "x", Uuid::new_v4(), self.now, payload).unwrap();
        self.all.push((topic, envelope));
    }

    fn reservation(&mut self, confirmed: bool, cancelled: bool) {
        let (reservation_id, user_id, event_id) = (Uuid::new_v4(), Uuid::new_v4(), self.event);
        let (total_amount, seat_ids) = (50_000, vec![Uuid::new_v4()]);
        let created = ReservationCreated {
            reservation_id,
            user_id,
            event_id,
            total_amount,
            seat_ids: seat_ids.clone(),
        };
        self.add(RESERVATION_EVENTS, RESERVATION_CREATED, &created);
        if confirmed {
            let payload = ReservationConfirmed {
                reservation_id,
                user_id,
                event_id,
                total_amount,
                seat_ids: seat_ids.clone(),
                payment_method: None,
            };
            self.add(RESERVATION_EVENTS, RESERVATION_CONFIRMED, &payload);
        }
        if cancelled {
            let payload = ReservationCancelled {
                reservation_id,
                user_id,
                event_id,
                total_amount,
                seat_ids,
                reason: "USER_REQUEST".to_owned(),
                was_paid: confirmed,
                transfer_id: None,
            };
            self.add(RESERVATION_EVENTS, RESERVATION_CANCELLED, &payload);
        }
    }

    fn payment(&mut self, refunded: bool) {
        let payment_id = Uuid::new_v4();
        let confirmed = PaymentConfirmed {
            payment_id,
            order_id: "ORD".to_owned(),
            payment_key: None,
            user_id: Uuid::new_v4(),
            event_id: None,
            reservation_id: None,
            reference_id: None,
            payment_type: "reservation".to_owned(),
            amount: 50_000,
            payment_method: "toss".to_owned(),
            approved_at: None,
        };
        self.add(PAYMENT_EVENTS, PAYMENT_CONFIRMED, &confirmed);
        if refunded {
            let payload = PaymentRefunded {
                payment_id,
                order_id: "ORD".to_owned(),
                user_id: confirmed.user_id,
                reservation_id: None,
                reference_id: None,
                payment_type: "reservation".to_owned(),
                amount: 50_000,
                reason: "late".to_owned(),
            };
            self.add(PAYMENT_EVENTS, PAYMENT_REFUNDED, &payload);
        }
    }
}

#[tokio::test]
async fn figures_do_not_depend_on_order_or_repetition() {
    let bed = TestBed::new().await;
    let ctx = bed.ctx();
    let service = urr_stats::start(&ctx, urr_stats::Config::default())
        .await
        .unwrap();
    let router = service.router;
    bed.run(service.tasks);

    let mut history = History {
        now: bed.clock().now(),
        event: Uuid::new_v4(),
        all: Vec::new(),
    };
    let event = history.event;
    let changed = EventChanged {
        event_id: event,
        title: "Night".to_owned(),
        venue: "Club".to_owned(),
        address: None,
        event_date: history.now.plus_s(86_400),
        sale_start_date: None,
        sale_end_date: None,
        status: "on_sale".to_owned(),
        artist_id: None,
        artist_name: None,
        seat_layout_id: None,
        poster_image_url: None,
    };
    history.add(CATALOG_EVENTS, EVENT_CHANGED, &changed);
    for _ in 0..3 {
        history.reservation(true, false);
        history.payment(false);
    }
    history.reservation(true, true);
    history.payment(true);
    history.reservation(false, true);
    history.reservation(false, false);

    let bus = RedisStreams::new(ctx.redis().await.unwrap());
    // Backwards, then once more forwards.
    for (topic, envelope) in history.all.iter().rev().chain(&history.all) {
        bus.publish(&[Message::new(topic, envelope).unwrap()])
            .await
            .unwrap();
    }
    let path = format!("/api/stats/events/{event}");
    let expected = json!({"total_reservations": 6, "confirmed_reservations": 3, "cancelled_reservations": 2,
        "pending_reservations": 1, "total_revenue": 150_000, "sold_seats": 3});
    eventually(Duration::from_secs(10), "all events counted", async || {
        let (_, body) = get(&router, &path, Role::Admin).await;
        let overview = &body["data"]["overview"];
        expected
            .as_object()
            .unwrap()
            .iter()
            .all(|(key, value)| &overview[key] == value)
    })
    .await;
    eventually(Duration::from_secs(10), "all payments counted", async || {
        let (_, body) = get(&router, "/api/stats/overview", Role::Admin).await;
        body["data"]["completed_payments"] == 3 && body["data"]["payment_revenue"] == 150_000
    })
    .await;
    let (_, body) = get(&router, "/api/stats/conversion", Role::Admin).await;
    assert_eq!(
        body["data"]["funnel"],
        json!({"total_started": 6, "completed": 4, "cancelled": 1, "pending": 1})
    );
    assert_eq!(body["data"]["rates"]["conversion_rate"], 66.67);
}

#[tokio::test]
async fn every_figure_answers_an_empty_house_and_only_admins() {
    let bed = TestBed::new().await;
    let router = urr_stats::start(&bed.ctx(), urr_stats::Config::default())
        .await
        .unwrap()
        .router;
    for path in [
        "overview",
        "daily?days=7",
        "events?sortBy=occupancy&limit=0",
        "payments",
        "revenue?period=weekly",
        "hourly-traffic",
        "conversion",
        "cancellations?days=-3",
        "realtime",
    ] {
        let path = format!("/api/stats/{path}");
        let (status, body) = get(&router, &path, Role::Admin).await;
        assert_eq!(
            (status, &body["success"]),
            (StatusCode::OK, &json!(true)),
            "{path}: {body}"
        );
        assert_eq!(
            get(&router, &path, Role::User).await.0,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    assert_eq!(
        get(&router, "/api/stats/revenue?period=hourly", Role::Admin)
            .await
            .0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        get(
            &router,
            &format!("/api/stats/events/{}", Uuid::new_v4()),
            Role::Admin
        )
        .await
        .0,
        StatusCode::NOT_FOUND
    );
}
