//! What is owed for long: refunds that are refused, thousands of them at once, and who hears of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code
)]

mod world;

use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use urr_kit::Clock;
use urr_payment::FailPoints;
use urr_payment::payment::Status;
use urr_payment::saga::Step;
use world::{Order, World};

const CANCELS: &str = "SELECT count(*) FROM payment_logs WHERE action = 'cancel'";

/// Somebody paid, gave the ticket back, and the provider refuses to give the money back.
async fn refused(world: &World, times: u32) -> Order {
    let order = world.order().await;
    order.pay(&world.sound(), "key-1").await.unwrap();
    world.behave(json!({ "forbidCancelNext": times })).await;
    let owed = world.sound().cancel(order.user, "key-1", "changed my mind").await;
    assert_eq!(owed.unwrap().status, Status::Refunding);
    order
}

/// Recovers every 5 s of the clock for so many minutes.
async fn minutes(world: &World, minutes: u32) {
    for _ in 0..minutes * 12 {
        world.bed.clock().advance_ms(5_000);
        world.sound().recover().await.unwrap();
    }
}

#[tokio::test]
async fn a_forbidden_refund_is_asked_for_less_and_less_often_and_made_when_it_is_allowed() {
    let world = World::new().await;
    let order = refused(&world, 4).await;
    // Every 15 s these would be 5 requests. They are the first, and those after 15 s and 45 s.
    minutes(&world, 1).await;
    assert_eq!(world.count(CANCELS).await, 3);
    assert_eq!((world.charged(&order).await, world.owed().await), ((1, 0), 1));
    // After 105 s the last no; after 225 s it is allowed, to a request that has not had its answer yet.
    minutes(&world, 3).await;
    assert_eq!(world.count(CANCELS).await, 5);
    assert_eq!(world.charged(&order).await, (0, 1));
    world.assert_settled(&order, "forbidden refund").await;
}

#[tokio::test]
async fn refunds_that_are_refused_do_not_stop_new_charges() {
    // R-RES-01, C§15.23: a no is an answer. One saga, whose breaker hears of every call.
    let world = World::new().await;
    let saga = world.payments(FailPoints::none());
    owe_refunds(&world, 100).await;
    world.behave(json!({ "forbidCancelNext": 100 })).await;
    for _ in 0..2 {
        saga.recover().await.unwrap();
    }
    assert_eq!(world.count(CANCELS).await, 100, "the breaker's whole window");
    let order = world.order().await;
    let paid = order.pay(&saga, "key-1").await.unwrap();
    assert!(paid.fulfilled);
}

#[tokio::test]
async fn what_is_owed_for_a_minute_is_told_at_every_look() {
    // R-OBS-03: the alert looks at the figure for five minutes; a lease must not hide it.
    let world = World::new().await;
    let order = refused(&world, 1_000).await;
    assert_eq!(
        world.sound().measure_overdue().await.unwrap(),
        0,
        "it is on its way"
    );
    for second in 0..70 {
        world.bed.clock().advance_ms(1_000);
        world.sound().recover().await.unwrap();
        // Asking again does not make it young.
        let overdue = world.sound().measure_overdue().await.unwrap();
        assert_eq!(overdue, i64::from(second >= 60), "after {second} s");
    }
    world.behave(json!({})).await;
    minutes(&world, 5).await;
    assert_eq!(world.sound().measure_overdue().await.unwrap(), 0);
    world.assert_settled(&order, "told").await;
}

#[tokio::test]
async fn ten_thousand_refunds_do_not_make_a_payer_wait() {
    let world = World::new().await;
    let order = world.order().await;
    let crashes = FailPoints::at(|step| step == Step::Charged);
    order.pay(&world.payments(crashes), "key-1").await.unwrap_err();
    owe_refunds(&world, 10_000).await;
    world.bed.clock().advance_ms(20_000);
    let looked = world.sound().recover().await.unwrap();
    assert!(looked.claimed > 1, "the refunds were not due");
    assert_eq!(world.reservation(&order).await, "confirmed");
}

#[tokio::test]
async fn refunds_are_made_several_at_once() {
    let world = World::new().await;
    owe_refunds(&world, 2).await;
    // A provider that answers nobody before two have asked.
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let provider = axum::Router::new().fallback(move || {
        let both = Arc::clone(&both);
        async move {
            both.wait().await;
            axum::Json(json!({}))
        }
    });
    let provider = world.bed.serve(provider).await;
    let ctx = world
        .ctx
        .with_settings(|settings| settings.payment_provider_url = provider);
    let pool = ctx.postgres("payment", &urr_payment::MIGRATOR).await.unwrap();
    let store = urr_payment::Store::new(pool);
    let config = urr_payment::Config {
        payment_provider_timeout_ms: 30_000,
        ..world.config.clone()
    };
    let saga = urr_payment::saga(&ctx, store, &config, FailPoints::none());
    world.bed.clock().advance_ms(1_000);
    let looked = tokio::time::timeout(Duration::from_secs(60), saga.recover()).await;
    assert_eq!(looked.unwrap().unwrap().open, 0);
}

/// Refunds of tickets that nobody here has bought: the provider knows none of them.
async fn owe_refunds(world: &World, many: i32) {
    let pool = world
        .ctx
        .postgres("payment", &urr_payment::MIGRATOR)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO payments (id, order_id, payment_type, reservation_id, user_id, amount, payment_key, status,
             refund_reason, next_check_at, created_at, updated_at)
         SELECT gen_random_uuid(), 'owed-' || n, 'reservation', gen_random_uuid(), gen_random_uuid(), 1000,
             'owed-' || n, 'refunding', 'EVENT_CANCELLED', $1, $1, $1
         FROM generate_series(1, $2) n",
    )
    .bind(urr_kit::wire::at(world.bed.clock().now()))
    .bind(many)
    .execute(&pool)
    .await
    .unwrap();
}
