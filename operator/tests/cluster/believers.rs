//! Operators that believe they lead and do not, or not any more.

use crate::common::SOON;
use crate::story::{Story, act, announce, end, play_with, set_up};
use crate::world::{WhenEnded, World, holds, phase};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use urr_testkit::eventually;
use urr_testkit::pods::Behaviour;
use urr_testkit::proxy::{Fault, Write};

const END: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_both_believe_they_lead_the_earlier_is_not_heard_and_ends() {
    let (clean, _) = Box::pin(play_with(Story::IsAborted, None)).await;
    let mut world = World::with_every_write_counted("believers").await;
    world.kill_operator().await;
    world.when_ended = WhenEnded::StaysDown;
    set_up(&world.scope).await;
    world.start_operator();
    let event = announce(&world, Story::IsAborted).await;
    let booked = |write: &Write| write.call.path.contains("/deployments/");
    crate::story::await_writes(&world, "the first has scaled", |all| all.iter().any(booked)).await;

    // The lease says nothing against it: both lead, and each writes what it likes to the cluster.
    let second = world.rival_operator().await;
    eventually(SOON, "the end of the first", async || {
        world.has_ended().then_some(()).ok_or_else(String::new)
    })
    .await
    .unwrap();
    let last = world.faults.write_count();
    assert!(act(world.scope.clone(), Story::IsAborted, END).await);
    let found = end(&world, event).await;
    // What is said to the control plane comes through one proxy, whoever says it; to the cluster the first
    // has said nothing more.
    let after = &world.faults.writes()[last..];
    assert!(
        after.iter().all(|write| write.call.path.contains("/control/")),
        "{after:?}"
    );
    // Both had begun: the same words twice, in the second one's record. What they did is in the stores.
    assert_eq!(found.without_deeds(), clean.without_deeds());
    assert!(second.faults.write_count() > 0);
}

/// An operator is stuck in its first write to a workload while its claim runs out; another follows, and
/// then the write goes through. Returns what the first one still wrote to workloads afterwards.
async fn writes_after_the_claim_has_ended(sabotage: &'static str) -> Vec<Write> {
    let mut world = World::new("stuck").await;
    world.kill_operator().await;
    (world.lease_seconds, world.process, world.when_ended) = (2, Some(sabotage), WhenEnded::StaysDown);
    for name in ["booking", "payment"] {
        let pods = Behaviour::default();
        world.scope.deployment(name, 1, &pods).await.unwrap();
    }
    let is_stuck = Arc::new(AtomicBool::new(false));
    let stuck = Arc::clone(&is_stuck);
    world.faults.for_calls(move |call| {
        let is_count = call.writes() && call.path.ends_with("/deployments/booking");
        if is_count && !stuck.swap(true, Ordering::Relaxed) {
            // Longer than the lease lasts, and than another needs to see it.
            return Some(Fault::Delay(Duration::from_secs(6)));
        }
        (call.is_lease() && stuck.load(Ordering::Relaxed)).then_some(Fault::Cut)
    });
    world.start_operator();
    world
        .announce("club-night", [-10, 0, 600], &["booking", "payment"])
        .await;
    eventually(SOON, "stuck in a write", async || {
        is_stuck
            .load(Ordering::Relaxed)
            .then_some(())
            .ok_or_else(String::new)
    })
    .await
    .unwrap();
    let config = world.config();
    let _second = world.another_operator(config).await;
    world
        .await_sale("club-night", "ready", |sale| {
            phase(sale) == "Open" && holds(sale, "Ready")
        })
        .await;
    // What the first one has planned is old news by now.
    let more = json!({"capacity": {"replicas": 6}});
    world.patch("club-night", more).await;
    world.await_replicas("payment", 6).await;
    let over = eventually(SOON, "the first has ended, or has written more", async || {
        let payment = |write: &Write| write.call.path.ends_with("/deployments/payment");
        let wrote = world.faults.writes().iter().any(payment);
        (world.has_ended() || wrote).then_some(()).ok_or_else(String::new)
    });
    over.await.unwrap();
    let writes = world.faults.writes().into_iter();
    let payment = |write: &Write| write.call.path.ends_with("/deployments/payment");
    writes.filter(payment).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_ends_between_two_writes_of_one_look_ends_the_look() {
    let after = writes_after_the_claim_has_ended("").await;
    assert!(after.is_empty(), "{after:?}");
}

#[cfg_attr(not(feature = "sabotage"), ignore = "needs --features sabotage")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_claim_the_look_goes_on_with_what_it_had_planned() {
    let after = writes_after_the_claim_has_ended("claim").await;
    assert!(!after.is_empty());
}
