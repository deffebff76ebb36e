//! Events under faults: delivered at least once, with one effect; what cannot be processed is kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use futures::future::BoxFuture;
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use urr_kit::engines::{EngineOptions, Engines};
use urr_kit::events::bus::Message;
use urr_kit::events::{
    ConsumerConfig, Envelope, EventBus as _, HandleError, Handler, PAYMENT_EVENTS, RedisStreams, consume,
    dlq, outbox,
};
use urr_kit::testing::{TestBed, eventually};
use urr_kit::{Ctx, Redis};
use uuid::Uuid;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./tests/migrations");
const SOON: Duration = Duration::from_secs(30);

/// Counts each event it sees in the table `effects`; fails as told.
#[derive(Default)]
struct Counts {
    calls: AtomicU32,
    fail_first: u32,
}

impl Handler for Counts {
    fn wants(&self, kind: &str) -> bool {
        kind != "OTHERS"
    }

    fn handle<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        event: &'a Envelope,
    ) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(async move {
            let call = self.calls.fetch_add(1, Ordering::SeqCst);
            sqlx::query("INSERT INTO effects (event_id) VALUES ($1)")
                .bind(event.event_id)
                .execute(tx)
                .await?;
            if event.kind == "POISON" {
                return Err(HandleError::Invalid("poison".to_owned()));
            }
            // After the effect: the transaction must take it back.
            if call < self.fail_first {
                return Err(HandleError::Transient("not yet".into()));
            }
            Ok(())
        })
    }
}

fn event(ctx: &Ctx, kind: &str) -> Envelope {
    Envelope::new(
        kind,
        "payment",
        Uuid::new_v4(),
        ctx.clock.now(),
        &json!({"amount": 1}),
    )
    .unwrap()
}

fn patient() -> ConsumerConfig {
    ConsumerConfig {
        backoff: vec![Duration::ZERO; 3],
        claim_after: Duration::from_millis(200),
        ..ConsumerConfig::new("test", [PAYMENT_EVENTS])
    }
}

struct World {
    ctx: Ctx,
    pool: PgPool,
    redis: Redis,
}

impl World {
    async fn new(ctx: Ctx) -> Self {
        let pool = ctx.postgres("events", &MIGRATOR).await.unwrap();
        let redis = ctx.redis().await.unwrap();
        Self { ctx, pool, redis }
    }

    fn bus(&self) -> RedisStreams {
        RedisStreams::new(self.redis.clone())
    }

    fn relay(&self, shutdown: &CancellationToken) -> urr_kit::Task {
        let (bus, clock) = (Arc::new(self.bus()), self.ctx.clock.clone());
        outbox::relay(self.pool.clone(), bus, clock, shutdown.clone())
    }

    fn consumer(&self, handler: &Arc<Counts>, shutdown: &CancellationToken) -> urr_kit::Task {
        let handler = Arc::clone(handler) as Arc<dyn Handler>;
        let (pool, redis) = (self.pool.clone(), self.redis.clone());
        consume(
            patient(),
            pool,
            redis,
            handler,
            self.ctx.clock.clone(),
            shutdown.clone(),
        )
    }

    async fn enqueue(&self, events: &[Envelope]) {
        let mut tx = self.pool.begin().await.unwrap();
        for event in events {
            outbox::enqueue(&mut tx, PAYMENT_EVENTS, event).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn publish(&self, event: &Envelope) {
        let message = Message::new(PAYMENT_EVENTS, event).unwrap();
        self.bus()
            .publish(&[message])
            .await
            .unwrap()
            .pop()
            .unwrap()
            .unwrap();
    }

    async fn effects(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM effects")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    async fn letters(&self) -> Vec<dlq::Letter> {
        dlq::list(&self.redis, PAYMENT_EVENTS, 100).await.unwrap()
    }

    /// Entries of the topic's stream that were not finished by the group.
    async fn pending(&self) -> usize {
        let key = self.redis.key(&format!("{{events}}:{PAYMENT_EVENTS}"));
        let reply: redis::streams::StreamPendingReply = redis::cmd("XPENDING")
            .arg((key, "test"))
            .query_async(&mut self.redis.conn())
            .await
            .unwrap();
        reply.count()
    }
}

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
async fn what_a_dead_consumer_left_is_taken_over() {
    let bed = TestBed::new().await;
    let world = World::new(bed.ctx()).await;
    let key = world.redis.key(&format!("{{events}}:{PAYMENT_EVENTS}"));
    world.publish(&event(&world.ctx, "PAYMENT_CONFIRMED")).await;
    // A consumer that takes the event and is never heard of again.
    redis::pipe()
        .cmd("XGROUP")
        .arg(("CREATE", &key, "test", "0"))
        .cmd("XREADGROUP")
        .arg(("GROUP", "test", "dead", "STREAMS", &key, ">"))
        .query_async::<()>(&mut world.redis.conn())
        .await
        .unwrap();
    assert_eq!(world.pending().await, 1);
    let handler = Arc::new(Counts::default());
    bed.run([world.consumer(&handler, &bed.ctx().shutdown)]);
    eventually(SOON, "the effect", async || world.effects().await == 1).await;
    eventually(SOON, "nothing pending", async || world.pending().await == 0).await;
}

#[tokio::test]
async fn a_consumer_that_ends_finishes_its_event_and_leaves_the_group() {
    // R-GW-10.
    let bed = TestBed::new().await;
    let world = World::new(bed.ctx()).await;
    let handler = Arc::new(Counts::default());
    let stop = CancellationToken::new();
    world.publish(&event(&world.ctx, "PAYMENT_CONFIRMED")).await;
    let running = tokio::spawn(world.consumer(&handler, &stop).future);
    eventually(SOON, "the effect", async || world.effects().await == 1).await;
    stop.cancel();
    tokio::time::timeout(SOON, running)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let info: redis::streams::StreamInfoConsumersReply = redis::cmd("XINFO")
        .arg((
            "CONSUMERS",
            world.redis.key(&format!("{{events}}:{PAYMENT_EVENTS}")),
            "test",
        ))
        .query_async(&mut world.redis.conn())
        .await
        .unwrap();
    assert!(info.consumers.is_empty());
}

#[tokio::test]
async fn a_redis_that_forgets_everything_loses_no_event_of_the_outbox() {
    // R-RES-04: engines of its own, because it kills Redis.
    let base = tempfile::tempdir().unwrap();
    fs::set_permissions(base.path(), Permissions::from_mode(0o711)).unwrap();
    let options = EngineOptions {
        base_dir: Some(base.path().to_owned()),
        ..EngineOptions::default()
    };
    let engines = Engines::start(options).await.unwrap();
    let secrets = urr_kit::Secrets::generate().unwrap();
    let clock = urr_kit::clock::SystemClock::shared();
    let ctx = Ctx::new(engines.settings(), secrets, clock).unwrap();
    let world = World::new(ctx).await;
    let stop = world.ctx.shutdown.clone();
    let relay = tokio::spawn(world.relay(&stop).future);

    // Published, and not consumed by anybody yet.
    world
        .enqueue(&[event(&world.ctx, "ONE"), event(&world.ctx, "TWO")])
        .await;
    eventually(SOON, "publication", async || {
        outbox::waiting(&world.pool).await.unwrap() == 0
    })
    .await;
    engines.redis.kill();
    // Happens while Redis is away: stays in the outbox, and is not counted against the event.
    world.enqueue(&[event(&world.ctx, "THREE")]).await;
    let handler = Arc::new(Counts::default());
    let consumer = tokio::spawn(world.consumer(&handler, &stop).future);
    engines.redis.restart().await.unwrap();

    eventually(SOON, "all three effects", async || world.effects().await == 3).await;
    let retries: i64 = sqlx::query_scalar("SELECT sum(retry_count) FROM outbox_events")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(retries, 0);

    // Once more with a consumer at work, whose group is forgotten as well.
    engines.redis.restart().await.unwrap();
    world.enqueue(&[event(&world.ctx, "FOUR")]).await;
    eventually(SOON, "the fourth effect", async || world.effects().await == 4).await;
    assert_eq!(
        handler.calls.load(Ordering::SeqCst),
        4,
        "what was processed is not processed again"
    );

    stop.cancel();
    relay.await.unwrap().unwrap();
    consumer.await.unwrap().unwrap();
    engines.stop().await.unwrap();
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
