//! What fails is tried again, then kept for people, and holds up nobody.

use crate::world::{Counts, SOON, World, event};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use urr_kit::events::{Envelope, PAYMENT_EVENTS, dlq, outbox};
use urr_kit::testing::{TestBed, eventually};

#[tokio::test]
async fn a_transient_failure_is_retried_and_leaves_no_half_effect() {
    // R-MSG-05: three retries.
    let bed = TestBed::new().await;
    let world = World::new(bed.ctx()).await;
    let handler = Arc::new(Counts {
        fail_first: 3,
        ..Counts::default()
    });
    world.publish(&event(&world.ctx, "PAYMENT_CONFIRMED")).await;
    bed.run([world.consumer(&handler, &bed.ctx().shutdown)]);
    eventually(SOON, "the effect", async || world.effects().await == 1).await;
    assert_eq!(handler.calls.load(Ordering::SeqCst), 4);
    assert!(world.letters().await.is_empty());
}

#[tokio::test]
async fn what_keeps_failing_or_makes_no_sense_goes_to_the_dead_letters_and_blocks_nobody() {
    // R-MSG-04, R-MSG-05.
    let bed = TestBed::new().await;
    let world = World::new(bed.ctx()).await;
    let handler = Arc::new(Counts {
        fail_first: 4,
        ..Counts::default()
    });
    // Calls 0 to 3 fail: the first event uses them all up. (One of the others cannot be read, so
    // the five are not tried together.)
    world.publish(&event(&world.ctx, "HOPELESS")).await;
    world.publish(&event(&world.ctx, "POISON")).await;
    world
        .publish(&Envelope {
            version: 99,
            ..event(&world.ctx, "PAYMENT_CONFIRMED")
        })
        .await;
    redis::cmd("XADD")
        .arg(world.redis.key(&format!("{{events}}:{PAYMENT_EVENTS}")))
        .arg(("*", "event", "{not json"))
        .query_async::<()>(&mut world.redis.conn())
        .await
        .unwrap();
    world.publish(&event(&world.ctx, "PAYMENT_CONFIRMED")).await;
    bed.run([world.consumer(&handler, &bed.ctx().shutdown)]);

    eventually(SOON, "the good event", async || world.effects().await == 1).await;
    let letters = world.letters().await;
    let reasons: Vec<&str> = letters
        .iter()
        .rev()
        .map(|letter| letter.reason.as_str())
        .collect();
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    assert!(reasons[0].contains("not yet"), "{reasons:?}");
    assert!(reasons[1].contains("poison"), "{reasons:?}");
    assert!(reasons[2].contains("version 99"), "{reasons:?}");
    assert!(reasons[3].contains("not an event"), "{reasons:?}");
    // No second call for what is invalid.
    assert_eq!(handler.calls.load(Ordering::SeqCst), 4 + 1 + 1);

    // Replayed, the hopeless one works now and leaves the list; a mended one likewise.
    let hopeless = &letters[3];
    assert!(
        dlq::replay(&world.redis, PAYMENT_EVENTS, &hopeless.id, None)
            .await
            .unwrap()
    );
    let mended = letters[1].event.replace("\"version\":99", "\"version\":1");
    assert!(
        dlq::replay(&world.redis, PAYMENT_EVENTS, &letters[1].id, Some(&mended))
            .await
            .unwrap()
    );
    eventually(SOON, "the replayed events", async || world.effects().await == 3).await;
    assert_eq!(world.letters().await.len(), 2);
    assert!(
        !dlq::replay(&world.redis, PAYMENT_EVENTS, &hopeless.id, None)
            .await
            .unwrap()
    );
    let counts = dlq::counts(&world.redis, &[PAYMENT_EVENTS]).await.unwrap();
    assert_eq!(counts[PAYMENT_EVENTS], 2);
}

#[tokio::test]
async fn an_event_the_bus_refuses_goes_to_the_dead_letters_and_the_others_go_on() {
    // R-MSG-02: after three retries.
    let bed = TestBed::new().await;
    let world = World::new(bed.ctx()).await;
    // A stream of that name cannot be made: the bus refuses, and would for ever.
    redis::cmd("SET")
        .arg((world.redis.key("{events}:transfer-events"), "in the way"))
        .query_async::<()>(&mut world.redis.conn())
        .await
        .unwrap();
    let refused = event(&world.ctx, "TRANSFER_COMPLETED");
    let mut tx = world.pool.begin().await.unwrap();
    outbox::enqueue(&mut tx, "transfer-events", &refused)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    bed.run([world.relay(&bed.ctx().shutdown)]);

    let letters = eventually(SOON, "the dead letter", async || {
        // Each new event wakes the relay, so the test need not wait out the seconds.
        world.enqueue(&[event(&world.ctx, "PAYMENT_CONFIRMED")]).await;
        let letters = dlq::list(&world.redis, "transfer-events", 10).await.unwrap();
        (!letters.is_empty()).then_some(letters)
    })
    .await;
    assert_eq!(letters.len(), 1);
    assert!(letters[0].event.contains(&refused.event_id.to_string()));
    assert!(letters[0].reason.contains("WRONGTYPE"), "{}", letters[0].reason);
    eventually(SOON, "the rest", async || {
        outbox::waiting(&world.pool).await.unwrap() == 0
    })
    .await;
    let row: (i32, bool) = sqlx::query_as("SELECT retry_count, dead FROM outbox_events WHERE id = $1")
        .bind(refused.event_id)
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(row, (4, true));
}
