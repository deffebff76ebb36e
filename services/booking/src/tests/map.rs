//! The seat map under a crowd.

use super::World;
use crate::map::{MAX_AGE_MS, OLDEST_MS};
use crate::store::seating::{self, Horizon};
use futures::future::join_all;
use std::time::{Duration, Instant};
use urr_core::snapshot::SeatsView;
use uuid::Uuid;

fn counts(view: &SeatsView) -> (u64, u64, u64) {
    assert_eq!(view.free + view.held + view.sold, view.capacity);
    (view.free, view.held, view.sold)
}

#[tokio::test]
async fn a_hall_of_fifteen_thousand_shows_a_hold_within_a_second() {
    // R-BOOK-08.
    let world = World::new(15_000, 1, true).await;
    assert_eq!(world.seats.len(), 15_000);
    let view = world.maps.view(world.event).await.unwrap().unwrap();
    assert_eq!(counts(&view.summary()), (15_000, 0, 0));
    world
        .hold(Uuid::new_v4(), &world.seats[7500..7501])
        .await
        .unwrap();
    world.clock.advance_ms(OLDEST_MS);
    let view = world.maps.view(world.event).await.unwrap().unwrap();
    let body = view.section("A").unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["seats"][0]["status"], "locked");
    assert_eq!(body["sections"][1]["available"], 7499);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_of_readers_costs_one_refresh_and_shares_one_body() {
    // R-CAT-08's idea, for the map: one refresher, no stampede.
    let world = World::new(100, 1, true).await;
    let views = join_all((0..200).map(|_| world.maps.view(world.event))).await;
    let views: Vec<_> = views.into_iter().map(|view| view.unwrap().unwrap()).collect();
    assert!(views.iter().all(|view| std::sync::Arc::ptr_eq(view, &views[0])));
    // Nothing changed: the bodies made before are handed on.
    let before = views[0].whole();
    world.clock.advance_ms(MAX_AGE_MS);
    let after = world.maps.view(world.event).await.unwrap().unwrap().whole();
    assert_eq!(before.as_ptr(), after.as_ptr());
}

#[tokio::test]
async fn the_map_is_at_most_its_age_behind_and_shows_dead_holds_as_free() {
    let world = World::new(2, 1, true).await;
    let summary = async || counts(&world.maps.view(world.event).await.unwrap().unwrap().summary());
    assert_eq!(summary().await, (2, 0, 0));
    world.hold(Uuid::new_v4(), &world.seats[..1]).await.unwrap();
    world.clock.advance_ms(MAX_AGE_MS);
    assert_eq!(summary().await, (1, 1, 0));
    world.clock.advance_ms(super::HOLD_MS);
    // Not swept yet, but anybody may take it.
    assert_eq!(summary().await, (2, 0, 0));
    assert!(world.maps.view(Uuid::new_v4()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_hold_that_was_being_written_while_the_map_was_read_is_not_missed() {
    let world = World::new(3, 1, true).await;
    let held = async || counts(&world.maps.view(world.event).await.unwrap().unwrap().summary()).1;
    assert_eq!(held().await, 0);
    // Began first, ends last; in between another is written and read.
    let mut slow = world.pool.begin().await.unwrap();
    let lock = "UPDATE seats SET status = 'locked', locked_by = gen_random_uuid(), lock_expires_at = $2 WHERE id = $1";
    let until = urr_kit::wire::at(world.now().plus_s(60));
    sqlx::query(lock)
        .bind(world.seats[0])
        .bind(until)
        .execute(&mut *slow)
        .await
        .unwrap();
    sqlx::query(lock)
        .bind(world.seats[1])
        .bind(until)
        .execute(&world.pool)
        .await
        .unwrap();
    world.clock.advance_ms(MAX_AGE_MS);
    assert_eq!(held().await, 1);
    slow.commit().await.unwrap();
    world.clock.advance_ms(MAX_AGE_MS);
    assert_eq!(held().await, 2);
    // Made anew: another hall, of which nothing is remembered.
    sqlx::query("UPDATE seatings SET generation = gen_random_uuid()")
        .execute(&world.pool)
        .await
        .unwrap();
    world.clock.advance_ms(MAX_AGE_MS);
    assert_eq!(held().await, 2);
}

#[tokio::test]
async fn only_what_changed_is_read_again() {
    let world = World::new(500, 1, true).await;
    let all = seating::changes(&world.pool, world.event, Horizon::BEGINNING)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(all.seats.len(), 500);
    world.hold(Uuid::new_v4(), &world.seats[7..8]).await.unwrap();
    let since = async |horizon| {
        seating::changes(&world.pool, world.event, horizon)
            .await
            .unwrap()
            .unwrap()
    };
    let mut told = since(all.horizon).await;
    assert!(told.seats.iter().any(|seat| seat.at == 7 && seat.letter == b'l'));
    // Other tests' transactions may be running, and hold the horizon back until they end.
    let patience = Instant::now() + Duration::from_secs(60);
    while !told.seats.is_empty() {
        assert!(
            Instant::now() < patience,
            "{} seats are told again and again",
            told.seats.len()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
        told = since(told.horizon).await;
    }
}
