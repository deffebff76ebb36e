//! Events of payment and catalog, as the bus delivers them: at least once.

use super::HOLD_MS;
use super::served::{Api, SOON};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use urr_kit::clock::Clock as _;
use urr_kit::events::{
    CATALOG_EVENTS, EVENT_CHANGED, Envelope, EventChanged, PAYMENT_CONFIRMED, PAYMENT_EVENTS,
    PAYMENT_REFUNDED, PaymentConfirmed, PaymentRefunded,
};
use urr_kit::testing::eventually;
use uuid::Uuid;

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
    let its: PaymentConfirmed = confirmed.decode().unwrap();
    let refund = PaymentRefunded {
        payment_id: its.payment_id,
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
        "SELECT event_type, count(*) FROM outbox_events WHERE event_type LIKE 'RESERVATION%'
         GROUP BY event_type ORDER BY event_type",
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
    // By the news alone; catalog's call finds nothing left to give back.
    eventually(SOON, "everything given back", async || {
        api.status_of(&visitor, &held["reservation"]["id"]).await == "cancelled"
    })
    .await;
    let path = format!("/internal/admin/reservations/cancel-by-event/{}", api.event);
    let (_, body) = api.internal(Method::POST, &path, &Value::Null).await;
    assert_eq!(body, json!({"cancelledCount": 0}));
    let path = format!("/internal/seats/{}", api.event);
    let (status, body) = api.internal(Method::DELETE, &path, &Value::Null).await;
    assert_eq!((status, body), (StatusCode::OK, json!({"deleted": 2})));
    let halls: Vec<bool> = sqlx::query_scalar(
        "SELECT payload -> 'payload' ->> 'hall' IS NOT NULL FROM outbox_events
         WHERE event_type = 'SEATING_CHANGED' ORDER BY seq",
    )
    .fetch_all(&api.pool().await)
    .await
    .unwrap();
    assert_eq!(halls, [true, false], "told when made and when removed, once each");
    api.clock.advance_ms(crate::map::MAX_AGE_MS);
    let path = format!("/api/seats/events/{}", api.event);
    assert_eq!(
        api.call(Some(&visitor), Method::GET, &path, &Value::Null).await.0,
        404
    );
}

#[tokio::test]
async fn a_show_is_shut_before_it_is_emptied_and_does_not_wait_for_catalogs_news() {
    // Catalog tells of a cancellation after booking has given everything back, and of a deletion never.
    let api = Api::new(2).await;
    let (kim, lee) = (api.visitor(), api.visitor());
    let seats = api.map(&kim, "").await["seats"].clone();
    let (_, held) = api.reserve(&kim, &seats[0]["id"]).await;
    let path = format!("/internal/admin/reservations/cancel-by-event/{}", api.event);
    // However long it takes to give everything back, the caller and the door do not wait for it.
    let pool = api.pool().await;
    let mut busy = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM reservations FOR UPDATE")
        .execute(&mut *busy)
        .await
        .unwrap();
    let (_, body) = tokio::time::timeout(SOON, api.internal(Method::POST, &path, &Value::Null))
        .await
        .expect("an answer at once");
    assert_eq!(body, json!({"cancelledCount": 1}));
    let (status, body) = api.reserve(&lee, &seats[1]["id"]).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::CONFLICT, &json!("EVENT_CANCELLED")),
        "{body}"
    );
    assert_eq!(api.status_of(&kim, &held["reservation"]["id"]).await, "pending");
    busy.rollback().await.unwrap();
    eventually(SOON, "everything given back", async || {
        api.status_of(&kim, &held["reservation"]["id"]).await == "cancelled"
    })
    .await;
}
