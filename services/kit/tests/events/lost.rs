//! Consumers that die or end, and a bus that forgets: no event is lost with them.

use crate::world::{Counts, SOON, World, event};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio_util::sync::CancellationToken;
use urr_core::time::Millis;
use urr_kit::Ctx;
use urr_kit::engines::{EngineOptions, Engines, RedisEngine};
use urr_kit::events::{EventBus as _, PAYMENT_EVENTS, outbox};
use urr_kit::testing::{TestBed, eventually};

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
    published(&world).await;
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
async fn a_redis_that_comes_back_without_its_last_second_loses_no_event() {
    // R-RES-04. A crash with an append log synced once a second, or a replica that takes over: the
    // bus is there, with its name and its streams, and lacks what came last.
    let redis = RedisEngine::alone().await.unwrap();
    let bed = TestBed::new().await;
    let ctx = bed
        .ctx()
        .with_settings(|settings| settings.redis_url = redis.url().to_owned());
    let world = World::new(ctx).await;
    let stop = world.ctx.shutdown.child_token();
    let relay = tokio::spawn(world.relay(&stop).future);

    world.enqueue(&[event(&world.ctx, "KEPT")]).await;
    published(&world).await;
    // What the disk has.
    let marker = world.redis.key("marker");
    eventually(SOON, "the save", async || {
        let saved: Result<(), _> = redis::pipe()
            .cmd("SET")
            .arg((&marker, 1))
            .ignore()
            .cmd("SAVE")
            .ignore()
            .query_async(&mut world.redis.conn())
            .await;
        saved.is_ok()
    })
    .await;
    world.enqueue(&[event(&world.ctx, "LOST")]).await;
    published(&world).await;
    redis.restart().await.unwrap();
    let remembered = eventually(SOON, "the answer", async || {
        let found: Result<bool, _> = redis::cmd("EXISTS")
            .arg(&marker)
            .query_async(&mut world.redis.conn())
            .await;
        found.ok()
    })
    .await;
    assert!(remembered, "this test is about a bus that has a memory");

    let handler = Arc::new(Counts::default());
    let consumer = tokio::spawn(world.consumer(&handler, &stop).future);
    eventually(SOON, "both effects", async || world.effects().await == 2).await;
    stop.cancel();
    relay.await.unwrap().unwrap();
    consumer.await.unwrap().unwrap();
}

async fn published(world: &World) {
    eventually(SOON, "publication", async || {
        outbox::waiting(&world.pool).await.unwrap() == 0
    })
    .await;
}

#[tokio::test]
async fn another_server_is_another_life_of_the_bus_on_a_cluster_as_well() {
    // R-QUE-14: the question goes to the node that holds the streams.
    let bed = TestBed::clustered(Millis(1_769_940_000_000)).await;
    let world = World::new(bed.ctx()).await;
    let first = incarnation(&world).await;
    assert_eq!(incarnation(&world).await, first);
    // As a replica that took over finds it.
    eventually(SOON, "the write", async || {
        redis::cmd("SET")
            .arg((world.redis.key("{events}:incarnation-server"), "0123abcd"))
            .query_async::<()>(&mut world.redis.conn())
            .await
            .is_ok()
    })
    .await;
    let second = incarnation(&world).await;
    assert_ne!(second, first);
    assert_eq!(incarnation(&world).await, second);
}

async fn incarnation(world: &World) -> String {
    eventually(SOON, "the bus's name", async || {
        world.bus().incarnation().await.ok()
    })
    .await
}
