//! The pre-queue by lot: coming early wins nothing, and anyone can check it.

use super::{Door, OPENS_AT, Placed, Replica};
use crate::line::Guards;
use ::http::StatusCode;
use std::collections::BTreeSet;
use urr_core::{
    draw::{Commitment, Draw, Seed, verify},
    token::{place::claimed, tier1},
};

async fn published(door: &Door, replica: &Replica) -> serde_json::Value {
    let (status, body) = replica.get(format!("/vwr-api/vwr/draw/{}", door.sale)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

fn number(place: &Placed) -> u64 {
    claimed(place.request_id.parse().unwrap()).unwrap().0
}

/// `(ticket, place)` of each as `replica` tells it.
async fn told(door: &Door, replica: &Replica, people: &[(String, Placed)]) -> Vec<(u64, u64)> {
    let mut places = Vec::new();
    for (name, place) in people {
        let (_, body) = replica.check(door.sale, place, name).await;
        assert_eq!(body["placed"], true, "{name}: {body}");
        places.push((number(place), body["position"].as_u64().unwrap()));
    }
    places
}

async fn early_birds(door: &Door, replica: &Replica, n: usize) -> Vec<(String, Placed)> {
    let mut people = Vec::new();
    for i in 0..n {
        let name = format!("v{i}");
        let place = replica.join(door.sale, &name).await;
        people.push((name, place));
    }
    people
}

#[tokio::test]
async fn the_draw_is_committed_to_before_and_revealed_after_and_checks_out() {
    let (door, replica) = Door::with_draw().await;
    let before = published(&door, &replica).await;
    assert!(before["seed"].is_null() && before["drawn"].is_null());
    let commitment = Commitment::from_hex(before["commitment"].as_str().unwrap()).unwrap();

    let early = early_birds(&door, &replica, 40).await;
    let (_, body) = replica.check(door.sale, &early[0].1, "v0").await;
    assert_eq!(
        (&body["placed"], &body["phase"], &body["position"]),
        (&false.into(), &"pre-queue".into(), &40.into()),
        "before the draw one is told the worst place there is"
    );

    door.clock().set(OPENS_AT);
    replica.refreshed(door.sale).await;
    let late = replica.join(door.sale, "late").await;
    assert_eq!(
        (number(&late), late.position),
        (41, 41),
        "who comes late stands behind"
    );

    let after = published(&door, &replica).await;
    assert_eq!(after["drawn"], 40);
    let seed = Seed::from_hex(after["seed"].as_str().unwrap()).unwrap();
    let mut places = told(&door, &replica, &early).await;
    let distinct: BTreeSet<u64> = places.iter().map(|(_, place)| *place).collect();
    assert_eq!(distinct, (1..=40).collect());
    assert!(
        places.iter().any(|(ticket, place)| ticket != place),
        "nothing was drawn"
    );
    places.push((41, 41));
    assert_eq!(verify(&commitment, &seed, 40, places), Ok(41));
}

#[tokio::test]
async fn the_line_serves_drawn_places_and_the_token_carries_them() {
    let (door, replica) = Door::with_draw().await;
    let early = early_birds(&door, &replica, 30).await;
    door.clock().set(OPENS_AT.plus_ms(-1));
    let (_, body) = replica.check(door.sale, &early[0].1, "v0").await;
    assert_eq!(body["admitted"], false);
    door.clock().set(OPENS_AT);
    replica.refreshed(door.sale).await;
    door.clock().set(OPENS_AT.plus_s(1));
    let keys = &door.bed.ctx().secrets.vwr_keys;
    let mut admitted = Vec::new();
    for (name, place) in &early {
        let (_, body) = replica.check(door.sale, place, name).await;
        let position = body["position"].as_u64().unwrap();
        assert_eq!(body["admitted"], position <= 10, "{body}");
        if let Some(token) = body["token"].as_str() {
            let claims = tier1::verify(keys, token, door.sale, OPENS_AT.plus_s(1)).unwrap();
            assert_eq!(claims.pos, position);
            admitted.push(position);
        }
    }
    admitted.sort_unstable();
    assert_eq!(admitted, (1..=10).collect::<Vec<_>>());
}

/// Law `on-time`: nobody but replicas acts, and the first of them past the opening is enough.
#[tokio::test]
async fn without_a_control_plane_one_replica_closes_the_draw_and_the_others_follow() {
    let (door, a) = Door::with_draw().await;
    let b = door.replica().await;
    let early = early_birds(&door, &a, 20).await;
    b.watch(door.sale).await;
    door.clock().set(OPENS_AT.plus_ms(5));
    tokio::join!(a.app.cache.refresh(), b.app.cache.refresh());
    let room = a.stored(door.sale).await;
    assert_eq!(room.draw.drawn, Some(20));
    assert_eq!(room.clock.since, OPENS_AT.plus_ms(5));
    assert_eq!(told(&door, &a, &early).await, told(&door, &b, &early).await);
}

#[tokio::test]
async fn a_join_past_the_opening_closes_the_draw_before_it_takes_a_number() {
    let (door, replica) = Door::with_draw().await;
    early_birds(&door, &replica, 8).await;
    door.clock().set(OPENS_AT.plus_ms(1));
    let late = replica.join(door.sale, "late").await;
    assert_eq!(late.position, 9);
    assert_eq!(replica.stored(door.sale).await.draw.drawn, Some(8));
}

/// Clocks 500 ms apart: the fast replica closes the draw while the slow one still takes tickets.
#[tokio::test]
async fn half_a_second_between_clocks_costs_nobody_a_place() {
    let (door, slow) = Door::with_draw().await;
    let (fast, fast_clock) = door.replica_ahead(500, Guards::ON).await;
    let mut people = early_birds(&door, &slow, 20).await;
    door.clock().set(OPENS_AT.plus_ms(-400));
    fast_clock.set(OPENS_AT.plus_ms(100));
    fast.watch(door.sale).await;
    fast.refreshed(door.sale).await;
    // By the slow clock the pre-queue is still on.
    for i in 0..5 {
        let name = format!("eleventh-hour{i}");
        let place = slow.join(door.sale, &name).await;
        people.push((name, place));
    }
    slow.refreshed(door.sale).await;
    let (a, b) = (
        told(&door, &slow, &people).await,
        told(&door, &fast, &people).await,
    );
    assert_eq!(a, b);
    let distinct: BTreeSet<u64> = a.iter().map(|(_, place)| *place).collect();
    assert_eq!(distinct, (1..=25).collect(), "unique and without gaps");
    assert!(a[20..].iter().all(|(ticket, place)| ticket == place));
    let room = slow.stored(door.sale).await;
    let draw = Draw::new(&room.draw.seed.unwrap(), room.draw.drawn.unwrap());
    assert_eq!(draw.drawn(), 20);
}

/// The control of the test before: each replica draws for itself, over what it knows.
#[tokio::test]
async fn without_the_store_as_judge_two_replicas_draw_two_lines() {
    let (door, first) = Door::with_draw().await;
    let off = Guards {
        one_draw: false,
        ..Guards::ON
    };
    let slow = door.replica_without(off).await;
    let (fast, fast_clock) = door.replica_ahead(500, off).await;
    let people = early_birds(&door, &first, 20).await;
    door.clock().set(OPENS_AT.plus_ms(-400));
    fast_clock.set(OPENS_AT.plus_ms(100));
    fast.watch(door.sale).await;
    fast.refreshed(door.sale).await;
    for i in 0..5 {
        slow.join(door.sale, &format!("eleventh-hour{i}")).await;
    }
    door.clock().set(OPENS_AT.plus_ms(100));
    slow.refreshed(door.sale).await;
    assert_ne!(
        told(&door, &slow, &people).await,
        told(&door, &fast, &people).await,
        "the race cannot fail, so it proves nothing"
    );
}

#[tokio::test]
async fn before_the_draw_nobody_is_called_for_the_same_instant() {
    let (door, replica) = Door::with_draw().await;
    let early = early_birds(&door, &replica, 50).await;
    replica
        .control(door.sale, |room| urr_core::room::Room {
            poll_budget_per_s: 10,
            ..room.clone()
        })
        .await;
    replica.refreshed(door.sale).await;
    door.clock().set(OPENS_AT.plus_s(-20));
    let mut by_second = [0; 8];
    for (name, place) in &early {
        let (_, body) = replica.check(door.sale, place, name).await;
        let after_ms = body["nextPollMs"].as_u64().unwrap() - 20_000;
        by_second[usize::try_from(after_ms / 1000).unwrap()] += 1;
    }
    // 50 people at 10 polls a second: within five seconds of the opening, and no rush.
    assert_eq!(by_second[5..], [0, 0, 0]);
    assert!(by_second.iter().all(|polls| *polls <= 25), "{by_second:?}");
}

/// A room that is switched off before its draw lets everybody on, each with a place of his own.
#[tokio::test]
async fn without_a_draw_to_come_everybody_goes_on_as_he_came() {
    let (door, replica) = Door::with_draw().await;
    let early = early_birds(&door, &replica, 5).await;
    replica
        .control(door.sale, |room| room.deactivated(OPENS_AT))
        .await;
    replica.refreshed(door.sale).await;
    for (name, place) in &early {
        let (_, body) = replica.check(door.sale, place, name).await;
        assert_eq!(
            (&body["admitted"], &body["position"]),
            (&true.into(), &number(place).into())
        );
    }
}

/// The address of a draw is the sale's: a line that follows has another, and no cache may go on
/// telling the old one for a day.
#[tokio::test]
async fn a_closed_draw_is_cached_for_a_minute_and_says_which_line_it_is_of() {
    use tower::ServiceExt as _;
    let (door, replica) = Door::with_draw().await;
    early_birds(&door, &replica, 3).await;
    door.clock().set(OPENS_AT);
    replica.refreshed(door.sale).await;
    let body = published(&door, &replica).await;
    assert_eq!((&body["drawn"], &body["epoch"]), (&3.into(), &1.into()));
    let request = ::http::Request::get(format!("/vwr-api/vwr/draw/{}", door.sale));
    let request = request.body(axum::body::Body::empty()).unwrap();
    let answer = replica.router.clone().oneshot(request).await.unwrap();
    assert_eq!(
        answer.headers()["cache-control"],
        "public, max-age=60, s-maxage=60"
    );
}
