//! The admin API as it is asked, and what the service hears.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use http_body_util::BodyExt;
use serde_json::Value;
use std::time::Duration;
use tower::ServiceExt;
use urr_core::time::Millis;
use urr_kit::{
    events::{
        Envelope, EventBus, PAYMENT_CONFIRMED, PAYMENT_EVENTS, PAYMENT_REFUNDED, PaymentConfirmed,
        PaymentRefunded, RESERVATION_CANCELLED, RESERVATION_CONFIRMED, RESERVATION_CREATED,
        RESERVATION_EVENTS, RedisStreams, ReservationCancelled, ReservationConfirmed, ReservationCreated,
        bus::Message,
    },
    identity::{Identity, Role, write_headers},
    testing::TestBed,
};
use uuid::Uuid;

/// How long anything may take to be heard, on a machine that is busy with other tests.
pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) async fn get(router: &Router, path: &str, role: Role) -> (StatusCode, Value) {
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

/// What the house was told.
pub(crate) struct History {
    pub(crate) now: Millis,
    pub(crate) event: Uuid,
    pub(crate) all: Vec<(&'static str, Envelope)>,
}

impl History {
    pub(crate) fn add(&mut self, topic: &'static str, kind: &str, payload: &impl serde::Serialize) {
        let envelope = Envelope::new(kind, "x", Uuid::new_v4(), self.now, payload).unwrap();
        self.all.push((topic, envelope));
    }

    /// Backwards, then once more forwards.
    pub(crate) async fn tell(&self, bed: &TestBed) {
        let bus = RedisStreams::new(bed.ctx().redis().await.unwrap());
        for (topic, envelope) in self.all.iter().rev().chain(&self.all) {
            bus.publish(&[Message::new(topic, envelope).unwrap()])
                .await
                .unwrap();
        }
    }

    pub(crate) fn reservation(&mut self, confirmed: bool, cancelled: bool) {
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
                seats: vec![],
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

    pub(crate) fn payment(&mut self, refunded: bool) {
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
