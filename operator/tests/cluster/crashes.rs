//! The operator is killed at its k-th write, for every k of a whole sale, once before the write arrives
//! and once after it was carried out: what is there in the end, and what was written to workloads and
//! finalizers, is as in a run in which nothing happens.

use crate::common::SOON;
use crate::world::{World, holds, phase};
use futures::{StreamExt as _, stream};
use http::Method;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt as _;
use std::collections::BTreeMap;
use urr_api::TicketSale;
use urr_core::room::Mode;
use urr_testkit::eventually;
use urr_testkit::pods::Behaviour;
use urr_testkit::proxy::{Fault, Write};

/// Runs at once: each waits most of its time.
const AT_ONCE: usize = 6;

/// What is compared. Reports of readiness and status follow what Pods do at their own times; who was
/// dead for a second reports a phase less. What is *done* must be the same.
#[derive(Debug, PartialEq, Eq)]
struct End {
    replicas: Option<i32>,
    annotations: Vec<String>,
    phase: String,
    conditions: BTreeMap<String, String>,
    room: (Mode, u32),
    /// Carried-out writes by what they are.
    done: BTreeMap<&'static str, usize>,
}

fn kind(write: &Write) -> Option<&'static str> {
    let path = &write.call.path;
    if path.contains("/deployments/") {
        Some("workload")
    } else if path.contains("/ticketsales/") && !path.ends_with("/status") {
        Some("finalizer")
    } else if path.contains("/control/") && write.call.method == Method::DELETE {
        Some("delete")
    } else {
        None
    }
}

fn is_over(sale: &TicketSale) -> bool {
    let status = sale.status.clone().unwrap_or_default();
    phase(sale) == "Closed" && holds(sale, "Ready") && status.ready_replicas == Some(1)
}

async fn live(crash: Option<(u64, Fault)>) -> (End, usize) {
    let mut world = World::with_every_write_counted("sweep").await;
    (world.lease_seconds, world.restarts) = (2, true);
    world.stop_operator().await;
    let pods = Behaviour::default();
    world.scope.deployment("booking", 1, &pods).await.unwrap();
    if let Some((number, fault)) = crash {
        world.faults.at_write(number, fault);
    }
    world.start_operator();
    let event = world.announce("club-night", [4, 6, 10], &["booking"]).await;
    let crashed = tokio::select! {
        _ = world.faults.crashed() => true,
        // Another run may have taken a report less.
        _ = world.await_sale("club-night", "the end", is_over) => false,
    };
    if crashed {
        world.kill_operator().await;
        world.faults.revive();
        world.start_operator();
        world.await_sale("club-night", "the end", is_over).await;
    }
    let booking: Deployment = eventually(SOON, "one replica", async || {
        let found: Deployment = world.scope.api().get("booking").await.unwrap();
        let status = found.status.as_ref().and_then(|status| status.replicas);
        if status == Some(1) {
            Ok(found)
        } else {
            Err(format!("{status:?}"))
        }
    })
    .await
    .unwrap();
    let sale: TicketSale = world.scope.api().get("club-night").await.unwrap();
    let room = world.rooms.get(event).await.unwrap().unwrap();
    let writes = world.faults.writes();
    let mut done = BTreeMap::new();
    for write in &writes {
        // A crash after the write: it was carried out, and its answer is on record.
        if let Some(kind) = kind(write).filter(|_| write.status.is_some_and(|status| status.is_success())) {
            *done.entry(kind).or_default() += 1;
        }
    }
    let conditions = sale.status.iter().flat_map(|status| &status.conditions);
    let end = End {
        replicas: booking.spec.as_ref().and_then(|spec| spec.replicas),
        annotations: booking
            .annotations()
            .keys()
            .filter(|key| key.starts_with("urr.guru"))
            .cloned()
            .collect(),
        phase: phase(&sale).to_owned(),
        conditions: conditions
            // How late one is who was dead is another matter.
            .filter(|condition| condition.type_ != "ScheduleHonoured")
            .map(|condition| (condition.type_.clone(), condition.status.clone()))
            .collect(),
        room: (room.mode, room.clock.rate_per_s),
        done,
    };
    (end, writes.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_killed_at_any_of_its_writes_leaves_what_the_clean_run_leaves() {
    let (clean, writes) = Box::pin(live(None)).await;
    assert_eq!(
        clean.done.get("workload"),
        Some(&2),
        "up once, down once: {clean:?}"
    );
    assert!(writes >= 8, "{writes} writes");
    let points = (1..=writes as u64)
        .flat_map(|number| [Fault::CrashBefore, Fault::CrashAfter].map(|fault| (number, fault)));
    let ends: Vec<_> = stream::iter(points)
        .map(|point| async move { (point, Box::pin(live(Some(point))).await.0) })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let other: Vec<_> = ends.iter().filter(|(_, end)| *end != clean).collect();
    assert!(other.is_empty(), "clean: {clean:#?}\nothers: {other:#?}");
}
