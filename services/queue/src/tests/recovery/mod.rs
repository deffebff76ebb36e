//! Redis dies in mid-sale and comes back empty. Oracle, exact: everybody gets in exactly once and
//! in the order of positions; who was inside keeps the slot; never more are inside than the cap,
//! by what the visitors themselves were told; and the limits hold again.

mod world;

use super::OPENS_AT;
use crate::store::{Act, Guards};
use axum::http::StatusCode;
use rand::{SeedableRng as _, rngs::StdRng};
use std::{collections::HashSet, time::Duration};
use urr_core::{admission::LogKind, audit::Verdict, law::Law, room::Room};
use urr_kit::{
    state::{limits::LimitsStore, rooms::Rooms},
    testing::eventually,
};
use world::{CAP, KILLED_AT, STEP_MS, State, Visitor, World};

/// A whole sale with a loss in the middle; `fresh`: one of the two replicas dies with Redis.
async fn a_sale_that_loses_redis(guards: Guards, fresh: bool, seed: u64) -> (World, usize) {
    let mut world = World::new(guards, seed).await;
    let mut dice = StdRng::seed_from_u64(seed);
    world.sale.bed.clock().set(OPENS_AT.plus_ms(-STEP_MS));
    while world.sale.now() < KILLED_AT {
        world.step(&mut dice).await;
    }
    let inside = world.inside().count();
    world.lose_redis().await;
    if fresh {
        world.replicas[1] = world.replica(guards).await;
    }
    let end = KILLED_AT.plus_s(60);
    while world.sale.now() < end && world.visitors.iter().any(|visitor| visitor.state != State::Gone) {
        world.step(&mut dice).await;
    }
    world.keep_log().await;
    (world, inside)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_overtaken_or_lost_when_redis_is_killed_and_emptied() {
    let (world, inside) = a_sale_that_loses_redis(Guards::default(), false, 7).await;
    assert!(inside > 10, "{inside} were inside");
    assert_eq!(world.wrongs(&HashSet::new()), Vec::<String>::new());
    let after = world.sale.entries().await;
    let resumed = after.iter().filter(|entry| entry.kind == LogKind::Resume).count();
    assert!(resumed > 0 && resumed <= inside, "{resumed} of {inside}");
    for law in [Law::HardCap, Law::CapacityFirst, Law::OnTime] {
        let finding = world.sale.judge(&world.limits(), after.clone(), law);
        assert_eq!(finding.verdict, Verdict::Held, "{finding:?}");
    }
    let limits = LimitsStore::new(world.sale.redis.clone())
        .read(world.sale.id)
        .await;
    assert_eq!(limits.unwrap().unwrap().cap, CAP);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_died_with_redis_takes_no_sale_for_an_event_without_limits() {
    let world = World::new(Guards::default(), 8).await;
    let ctx = world.sale.bed.ctx();
    let rooms = Rooms::new(&ctx.dynamo().await);
    let mut sale = urr_core::sale::Sale {
        id: world.sale.id,
        ..serde_json::from_value(serde_json::json!({
            "id": world.sale.id, "name": "lost", "seats": 10, "expectedVisitors": 10,
            "schedule": {"preQueueAt": 0, "opensAt": OPENS_AT, "closesAt": OPENS_AT.plus_s(3600)},
            "admission": {
                "ratePerS": 1, "cap": 1, "burst": 1, "pollBudgetPerS": 1,
                "silenceS": 30, "activeTtlS": 600, "tokenTtlS": 600, "holdTtlS": 300,
            },
            "capacity": {"ratePerReplica": 1, "replicas": 1},
        }))
        .unwrap()
    };
    sale.schedule.pre_queue_at = OPENS_AT.plus_s(-60);
    rooms.create(&Room::new(&sale, 1)).await.unwrap();

    let mut world = world;
    world.engine.restart().await.unwrap();
    world.reconnect().await;
    let fresh = world.replica(Guards::default()).await;
    world.replicas.push(fresh);
    let visitor = &world.visitors[0];
    // It knows nothing but that there is a sale.
    let (status, body) = world.call(2, "POST", "check", visitor).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    // Whoever knows more tells Redis; then it serves.
    eventually(
        Duration::from_secs(30),
        "an older replica gives the line back",
        async || {
            world.replicas[0].1.round().await;
            world.call(2, "POST", "check", &world.visitors[0]).await.0 == StatusCode::OK
        },
    )
    .await;
    let view = world.sale.act(Act::Look).await;
    assert_eq!((view.cap, view.configured), (CAP, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_replicas_may_die_with_redis() {
    let (world, _) = a_sale_that_loses_redis(Guards::default(), true, 9).await;
    // Whoever was let in in the last instant and asks the new replica first is let in anew, at the
    // head of the line: only the old one could know that it was his turn already.
    assert!(world.untold.len() < 5, "{:?}", world.untold);
    assert_eq!(world.wrongs(&world.untold), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_recovery_people_are_lost_overtaken_or_too_many() {
    let guards = Guards {
        recovery_off: true,
        ..Guards::default()
    };
    let (world, _) = a_sale_that_loses_redis(guards, false, 7).await;
    let wrongs = world.wrongs(&HashSet::new());
    println!("{wrongs:?}");
    assert!(
        !wrongs.is_empty(),
        "the loss does no harm, so the test proves nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stands_still_for_a_moment_loses_and_doubles_nothing() {
    let mut world = World::new(Guards::default(), 11).await;
    let mut dice = StdRng::seed_from_u64(11);
    world.sale.bed.clock().set(OPENS_AT.plus_ms(-STEP_MS));
    while world.sale.now() < KILLED_AT {
        world.step(&mut dice).await;
    }
    // Calls that fail by timeout may have been done all the same, once Redis goes on.
    world.engine.freeze();
    let joining: Vec<_> = world.inside().map(|visitor| visitor.user).collect();
    let act = world
        .sale
        .app
        .store
        .act(world.sale.id, Act::Leave(joining[0]), world.sale.now());
    assert!(act.await.is_err(), "nobody is told that it was done");
    world.engine.thaw();
    let end = KILLED_AT.plus_s(60);
    while world.sale.now() < end && world.visitors.iter().any(|visitor| visitor.state != State::Gone) {
        let gone_by_the_frozen_call = |visitor: &Visitor| visitor.user == joining[0];
        for visitor in world
            .visitors
            .iter_mut()
            .filter(|visitor| gone_by_the_frozen_call(visitor))
        {
            visitor.state = State::Gone;
        }
        world.step(&mut dice).await;
    }
    world.keep_log().await;
    assert_eq!(world.wrongs(&HashSet::new()), Vec::<String>::new());
    for law in [Law::HardCap, Law::CapacityFirst, Law::OnTime] {
        let finding = world.sale.judge(&world.limits(), world.log.clone(), law);
        assert_eq!(finding.verdict, Verdict::Held, "{finding:?}");
    }
}
