//! An event has one effect, however often it is told.

use crate::world::{Counts, SOON, World, event};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use urr_kit::events::{PAYMENT_EVENTS, outbox};
use urr_kit::testing::{TestBed, eventually};

#[tokio::test]
async fn several_relays_and_consumers_give_each_event_one_effect() {
    // R-MSG-01, R-MSG-02.
    let bed = TestBed::new().await;
    let world = World::new(bed.ctx()).await;
    let handler = Arc::new(Counts::default());
    let stop = &bed.ctx().shutdown;
    bed.run([world.relay(stop), world.relay(stop)]);
    bed.run([world.consumer(&handler, stop), world.consumer(&handler, stop)]);
    for _ in 0..5 {
        let events: Vec<_> = (0..50).map(|_| event(&world.ctx, "PAYMENT_CONFIRMED")).collect();
        world.enqueue(&events).await;
    }
    eventually(SOON, "250 effects", async || world.effects().await == 250).await;
    eventually(SOON, "an empty outbox", async || {
        outbox::waiting(&world.pool).await.unwrap() == 0
    })
    .await;
    assert_eq!(handler.calls.load(Ordering::SeqCst), 250);
    let key = world.redis.key(&format!("{{events}}:{PAYMENT_EVENTS}"));
    let published: u64 = redis::cmd("XLEN")
        .arg(key)
        .query_async(&mut world.redis.conn())
        .await
        .unwrap();
    assert_eq!(published, 250, "two relays published the same event");
    assert!(world.letters().await.is_empty());
}

#[tokio::test]
async fn what_was_rolled_back_is_never_published() {
    let bed = TestBed::new().await;
    let world = World::new(bed.ctx()).await;
    let mut tx = world.pool.begin().await.unwrap();
    outbox::enqueue(&mut tx, PAYMENT_EVENTS, &event(&world.ctx, "PAYMENT_CONFIRMED"))
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(outbox::waiting(&world.pool).await.unwrap(), 0);
}

#[tokio::test]
async fn an_event_delivered_twice_has_one_effect() {
    // R-MSG-01.
    let bed = TestBed::new().await;
    let world = World::new(bed.ctx()).await;
    let handler = Arc::new(Counts::default());
    let (twice, last) = (event(&world.ctx, "PAYMENT_CONFIRMED"), event(&world.ctx, "LAST"));
    for event in [&twice, &twice, &last] {
        world.publish(event).await;
    }
    bed.run([world.consumer(&handler, &bed.ctx().shutdown)]);
    eventually(SOON, "both events", async || world.effects().await == 2).await;
    eventually(SOON, "nothing pending", async || world.pending().await == 0).await;
    assert_eq!(handler.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn events_read_together_commit_together_and_a_bad_one_takes_none_with_it() {
    // R-MSG-01, R-MSG-05.
    let bed = TestBed::new().await;
    let world = World::new(bed.ctx()).await;
    let handler = Arc::new(Counts::default());
    let kinds = ["GOOD", "GOOD", "OTHERS", "POISON", "GOOD"];
    for kind in kinds {
        world.publish(&event(&world.ctx, kind)).await;
    }
    bed.run([world.consumer(&handler, &bed.ctx().shutdown)]);
    eventually(SOON, "three effects", async || world.effects().await == 3).await;
    eventually(SOON, "nothing pending", async || world.pending().await == 0).await;
    assert_eq!(world.letters().await.len(), 1, "the poison alone");
    // Together up to the poison, whose transaction took the two before it back; then one by one.
    assert_eq!(handler.calls.load(Ordering::SeqCst), 3 + 4);
    let remembered: i64 = sqlx::query_scalar("SELECT count(*) FROM processed_events")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(remembered, 3, "what nobody wants costs no row");
}

#[tokio::test]
async fn without_its_memory_of_events_a_consumer_would_act_twice() {
    // The guard of the test above switched off: it can fail.
    let bed = TestBed::new().await;
    let world = World::new(bed.ctx()).await;
    let handler = Arc::new(Counts::default());
    bed.run([world.consumer(&handler, &bed.ctx().shutdown)]);
    let twice = event(&world.ctx, "PAYMENT_CONFIRMED");
    world.publish(&twice).await;
    eventually(SOON, "the first effect", async || world.effects().await == 1).await;
    sqlx::query("DELETE FROM processed_events")
        .execute(&world.pool)
        .await
        .unwrap();
    world.publish(&twice).await;
    eventually(SOON, "the second effect", async || world.effects().await == 2).await;
}
