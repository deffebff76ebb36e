//! The saga by events: booking and payment with their relays and listeners on a real Redis.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code
)]

mod world;

use std::sync::atomic::Ordering;
use std::time::Duration;

use urr_kit::Clock;
use urr_kit::events::{
    Envelope, EventBus, RESERVATION_EVENTS, RESERVATION_REJECTED, RedisStreams, ReservationRejected,
    bus::Message,
};
use urr_kit::testing::eventually;
use world::World;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn booking_that_does_not_answer_confirms_by_the_event() {
    // R-PAY-07, R-DATA-04.
    let world = World::new().await;
    let order = world.order().await;
    world.booking_refuses_to_answer.store(true, Ordering::SeqCst);
    let receipt = order.pay(&world.sound(), "key-1").await.unwrap();
    assert!(!receipt.fulfilled);
    assert_eq!(world.reservation(&order).await, "pending");
    world.run_tasks().await;
    eventually(SOON, "the event confirms", async || {
        world.reservation(&order).await == "confirmed"
    })
    .await;
    world.booking_refuses_to_answer.store(false, Ordering::SeqCst);
    world.recover().await;
    world.assert_settled(&order, "by event").await;
}

#[tokio::test]
async fn a_cancelled_reservation_is_refunded_without_being_asked() {
    // R-PAY-10, R-BOOK-10.
    let world = World::new().await;
    let order = world.order().await;
    order.pay(&world.sound(), "key-1").await.unwrap();
    world.cancel_reservation(&order).await;
    world.run_tasks().await;
    eventually(SOON, "the refund", async || world.charged(&order).await == (0, 1)).await;
    eventually(SOON, "nothing owed", async || world.owed().await == 0).await;
}

#[tokio::test]
async fn a_rejection_that_comes_three_times_refunds_once() {
    // R-MSG-01.
    let world = World::new().await;
    let order = world.order().await;
    world.booking_refuses_to_answer.store(true, Ordering::SeqCst);
    order.pay(&world.sound(), "key-1").await.unwrap();
    world.run_tasks().await;
    eventually(SOON, "the event confirms", async || {
        world.reservation(&order).await == "confirmed"
    })
    .await;

    let rejected = ReservationRejected {
        reservation_id: order.reservation,
        payment_id: None,
        reason: "HOLD_LOST".to_owned(),
    };
    let now = world.bed.clock().now();
    let event = Envelope::new(
        RESERVATION_REJECTED,
        "reservation",
        order.reservation,
        now,
        &rejected,
    )
    .unwrap();
    let message = Message::new(RESERVATION_EVENTS, &event).unwrap();
    let bus = RedisStreams::new(world.ctx.redis().await.unwrap());
    for result in bus.publish(&vec![message; 3]).await.unwrap() {
        result.unwrap();
    }
    eventually(SOON, "the refund", async || world.charged(&order).await == (0, 1)).await;
    // The refund's event gives the seat back.
    eventually(SOON, "the seat", async || {
        world.reservation(&order).await == "cancelled"
    })
    .await;
    let refunds = world
        .count("SELECT count(*) FROM outbox_events WHERE event_type = 'PAYMENT_REFUNDED'")
        .await;
    assert_eq!(refunds, 1);
}
