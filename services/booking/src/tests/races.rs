//! Many want one seat.

use super::World;
use crate::events;
use crate::holds::{Refusal, TICKETS_PER_USER_MAX};
use crate::reservation;
use crate::store::hold::{self, HoldRequest, Outcome};
use futures::future::join_all;
use urr_kit::wire;
use uuid::Uuid;

async fn race(world: &World, seat: Uuid) -> usize {
    let tries = (0..50).map(|_| async move { world.hold(Uuid::new_v4(), &[seat]).await.is_ok() });
    join_all(tries).await.into_iter().filter(|won| *won).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_who_want_a_seat_one_gets_it_with_and_without_redis() {
    // R-BOOK-01, R-BOOK-02, R-RES-04; laws no-oversell and fenced.
    for with_redis in [true, false] {
        let world = World::new(6, 1, with_redis).await;
        for seat in world.seats.clone() {
            assert_eq!(race(&world, seat).await, 1, "redis: {with_redis}");
        }
        assert_eq!(world.counts().await, (0, 6, 0));
        assert_eq!(world.outbox("RESERVATION_CREATED").await.len(), 6);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_the_status_check_the_same_race_is_won_many_times() {
    let world = World::new(1, 1, false).await;
    let (pool, event, seat, now) = (&world.pool, world.event, world.seats[0], world.now());
    let tries = (0..20).map(|_| async move {
        let (id, user) = (Uuid::new_v4(), Uuid::new_v4());
        let request = HoldRequest {
            user,
            event,
            seats: &[seat],
            reservation: id,
            number: &reservation::number("TK", now),
            now: wire::at(now),
            expires_at: wire::at(now.plus_s(300)),
            key: None,
            tickets_max: TICKETS_PER_USER_MAX,
            created: &events::hold_created(id, user, event, &[seat], now).unwrap(),
        };
        matches!(
            hold::hold_unguarded(pool, &request).await.unwrap(),
            Outcome::Held { .. }
        )
    });
    let won = join_all(tries).await.into_iter().filter(|won| *won).count();
    assert!(won > 1, "the guard is what this race tests, and it was off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn overlapping_choices_are_all_or_none_and_never_deadlock() {
    // R-BOOK-02: all seats or none. Choices overlap in a ring, in both directions.
    let world = World::new(6, 3, false).await;
    for _ in 0..5 {
        let tries = (0..24).map(|i| {
            let mut wanted: Vec<Uuid> = (0..3).map(|k| world.seats[(i + k) % 6]).collect();
            if i % 2 == 0 {
                wanted.reverse();
            }
            let world = &world;
            async move { world.hold(Uuid::new_v4(), &wanted).await }
        });
        let held: Vec<_> = join_all(tries).await.into_iter().flatten().collect();
        let (_, locked, _) = world.counts().await;
        assert!(!held.is_empty());
        assert!(held.iter().all(|hold| hold.seats.len() == 3));
        assert_eq!(locked, 3 * i64::try_from(held.len()).unwrap());
        world.clock.advance_ms(super::HOLD_MS);
        assert_eq!(world.sweep().await, held.len());
        assert_eq!(world.counts().await, (6, 0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_holds_of_one_user_stay_within_the_limit() {
    // R-BOOK-04: at most 4 tickets per user and event.
    let world = World::new(12, 1, true).await;
    let user = Uuid::new_v4();
    let tries = world
        .seats
        .iter()
        .map(|seat| world.hold(user, std::slice::from_ref(seat)));
    let (held, refused): (Vec<_>, Vec<_>) = join_all(tries).await.into_iter().partition(Result::is_ok);
    assert_eq!(held.len(), 4);
    assert!(refused.iter().all(|refusal| *refusal == Err(Refusal::OverLimit)));
    // The seats that were refused are free for others, in the filter too.
    let other = join_all(
        world
            .seats
            .iter()
            .map(|seat| world.hold(Uuid::new_v4(), std::slice::from_ref(seat))),
    )
    .await;
    assert_eq!(other.into_iter().filter(Result::is_ok).count(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_double_click_holds_once() {
    // R-BOOK-06, quirk 8.
    for with_redis in [true, false] {
        let world = World::new(4, 1, with_redis).await;
        let user = Uuid::new_v4();
        // The same key for one seat, and for different seats at the same instant.
        for seats in [[0, 0, 0, 0], [1, 2, 1, 2]] {
            let key = Uuid::new_v4().to_string();
            let clicks = seats.map(|seat| world.seats[seat]);
            let clicks = clicks
                .iter()
                .map(|seat| world.hold_keyed(user, std::slice::from_ref(seat), Some(&key)));
            let held: Vec<_> = join_all(clicks).await.into_iter().map(Result::unwrap).collect();
            assert!(held.iter().all(|hold| *hold == held[0]), "{held:#?}");
        }
        assert_eq!(world.counts().await, (2, 2, 0));
        // Another user's key of the same text is another key.
        let key = "the-same";
        let mine = world
            .hold_keyed(user, &[world.seats[3]], Some(key))
            .await
            .unwrap();
        let theirs = world
            .hold_keyed(Uuid::new_v4(), &[world.seats[3]], Some(key))
            .await;
        assert_eq!(theirs, Err(Refusal::Taken));
        assert_eq!(
            world
                .hold_keyed(user, &[world.seats[0]], Some(key))
                .await
                .unwrap()
                .id,
            mine.id
        );
    }
}

#[tokio::test]
async fn an_own_hold_asked_for_again_keeps_its_token_and_its_end() {
    // R-BOOK-02.
    let world = World::new(2, 2, true).await;
    let user = Uuid::new_v4();
    let first = world.hold(user, &world.seats).await.unwrap();
    world.clock.advance_ms(60_000);
    let again = world.hold(user, &world.seats).await.unwrap();
    assert_eq!(first, again);
    // A part of it is another choice, and refused.
    assert_eq!(world.hold(user, &world.seats[..1]).await, Err(Refusal::Taken));
}

#[tokio::test]
async fn a_refused_choice_leaves_nothing_behind() {
    let world = World::new(3, 3, true).await;
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    world.hold(a, &world.seats[..1]).await.unwrap();
    assert_eq!(world.hold(b, &world.seats).await, Err(Refusal::Taken));
    let unknown = [world.seats[1], Uuid::new_v4()];
    assert_eq!(world.hold(b, &unknown).await, Err(Refusal::SeatNotFound));
    assert_eq!(world.counts().await, (2, 1, 0));
    // Neither in Postgres nor in Redis.
    world.hold(a, &world.seats[1..]).await.unwrap();
}

#[tokio::test]
async fn the_hold_is_planned_once_per_connection() {
    // Planning takes longer than holding; without the role's setting it happens at every call.
    let world = World::new(12, 1, false).await;
    for seat in &world.seats {
        world
            .hold(Uuid::new_v4(), std::slice::from_ref(seat))
            .await
            .unwrap();
    }
    // As many as the pool may have: a connection still on its way back is then among them, and
    // not a fresh one in its stead.
    let mut conns = Vec::new();
    for _ in 0..world.pool.options().get_max_connections() {
        conns.push(world.pool.acquire().await.unwrap());
    }
    let (mut generic, mut custom) = (0, 0);
    for conn in &mut conns {
        let (g, c): (i64, i64) = sqlx::query_as(
            "SELECT coalesce(sum(generic_plans), 0)::bigint, coalesce(sum(custom_plans), 0)::bigint
             FROM pg_prepared_statements WHERE statement LIKE '%WITH prior AS%' AND name <> ''
               AND statement NOT LIKE '%pg_prepared_statements%'",
        )
        .fetch_one(&mut **conn)
        .await
        .unwrap();
        generic += g;
        custom += c;
    }
    assert_eq!((generic, custom), (12, 0));
}
