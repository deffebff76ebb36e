//! What messaging remembers is cut, however much of it there is.

use crate::world::{Counts, SOON, World};
use std::sync::Arc;
use urr_kit::testing::{TestBed, eventually};

/// More than one statement deletes.
const MANY: i32 = 20_500;

async fn count(world: &World, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement)
        .fetch_one(&world.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_service_that_only_hears_forgets_what_it_processed_a_week_ago() {
    let bed = TestBed::new().await;
    let world = World::new(bed.ctx()).await;
    let now = urr_kit::wire::at(world.ctx.clock.now());
    sqlx::query(
        "INSERT INTO processed_events SELECT gen_random_uuid(), 'test', 'KIND',
             $1 - (CASE WHEN n <= $2 THEN 8 ELSE 6 END) * interval '1 day'
         FROM generate_series(1, $2 + 3) n",
    )
    .bind(now)
    .bind(MANY)
    .execute(&world.pool)
    .await
    .unwrap();
    bed.run([world.consumer(&Arc::new(Counts::default()), &bed.ctx().shutdown)]);
    eventually(SOON, "only this week's", async || {
        count(&world, "SELECT count(*) FROM processed_events").await == 3
    })
    .await;
}

#[tokio::test]
async fn a_relay_forgets_all_that_it_published_before_yesterday_and_nothing_unpublished() {
    let bed = TestBed::new().await;
    let world = World::new(bed.ctx()).await;
    let now = urr_kit::wire::at(world.ctx.clock.now());
    sqlx::query(
        "INSERT INTO outbox_events
             (id, topic, aggregate_type, aggregate_id, event_type, payload, created_at, published, published_at)
         SELECT gen_random_uuid(), 'payment-events', 'payment', n, 'KIND', '{}', $1 - interval '2 days', true,
             $1 - (CASE WHEN n <= $2 THEN 25 ELSE 23 END) * interval '1 hour'
         FROM generate_series(1, $2 + 3) n",
    )
    .bind(now)
    .bind(MANY)
    .execute(&world.pool)
    .await
    .unwrap();
    bed.run([world.relay(&bed.ctx().shutdown)]);
    eventually(SOON, "only today's", async || {
        count(&world, "SELECT count(*) FROM outbox_events").await == 3
    })
    .await;
}
