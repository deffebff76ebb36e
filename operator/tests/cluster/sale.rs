//! `operator run` on a real control plane: real Deployments with fake Pods, the real URR control plane on
//! real stores, the RBAC of the manifests. Sales open seconds ahead by the real clock.

use crate::common::SOON;
use crate::world::{World, holds, phase};
use kube::ResourceExt as _;
use std::time::Duration;
use urr_api::TicketSale;
use urr_testkit::eventually;
use urr_testkit::pods::Behaviour;
use urr_testkit::proxy::Write;

#[tokio::test]
async fn a_sale_is_scaled_up_opened_and_given_back() {
    let world = World::new("whole").await;
    let slow = Behaviour::default().ready_after(Duration::from_millis(1500));
    world.scope.deployment("booking", 1, &slow).await.unwrap();
    world.scope.deployment("payment", 2, &slow).await.unwrap();
    let event = world
        .announce("club-night", [5, 8, 14], &["booking", "payment"])
        .await;

    // Capacity is ready before the pre-queue.
    let sale = world
        .await_sale("club-night", "CapacityReady", |sale| holds(sale, "CapacityReady"))
        .await;
    assert_eq!(phase(&sale), "PreScaling", "{:?}", sale.status);
    assert_eq!(sale.status.as_ref().unwrap().ready_replicas, Some(4));
    world.await_replicas("booking", 4).await;
    world.await_replicas("payment", 4).await;
    let wait = ["wait", "ts/club-night", "--for=condition=Ready", "--timeout=20s"];
    world.scope.kubectl(&wait).await.unwrap().ok().unwrap();
    assert_eq!(
        world.rooms.get(event).await.unwrap().unwrap().clock.rate_per_s,
        40
    );

    world
        .await_sale("club-night", "PreQueue", |sale| phase(sale) == "PreQueue")
        .await;
    world
        .await_sale("club-night", "Open", |sale| phase(sale) == "Open")
        .await;
    let table = world.scope.kubectl(&["get", "ts"]).await.unwrap().ok().unwrap();
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(
        (row[1], row[3], row[4], row[5], row[6]),
        ("Open", "True", "4", "4", "40"),
        "{table}"
    );

    // Afterwards everything is what it was, and nothing of ours is left on it.
    world
        .await_sale("club-night", "Closed", |sale| phase(sale) == "Closed")
        .await;
    world.await_replicas("booking", 1).await;
    let payment = world.await_replicas("payment", 2).await;
    assert!(
        payment
            .annotations()
            .keys()
            .all(|key| !key.starts_with("urr.guru")),
        "{:?}",
        payment.annotations()
    );

    // Nothing was carried out twice, and an idle operator writes nothing.
    let settled =
        |sale: &TicketSale| holds(sale, "Ready") && sale.status.as_ref().unwrap().ready_replicas == Some(1);
    world.await_sale("club-night", "settled", settled).await;
    world.await_idle("club-night").await;
    let all = world.faults.writes();
    // What was refused changed nothing: a finalizer set on a copy that was just out of date.
    let done = |write: &&Write| write.status.is_some_and(|status| status.is_success());
    let said = |write: &Write| (write.call.path.clone(), write.call.body.clone());
    let done: Vec<_> = all.iter().filter(done).map(said).collect();
    for pair in done.windows(2) {
        assert!(pair[0] != pair[1], "the same write twice: {:?}", pair[0]);
    }
}

#[tokio::test]
async fn pods_that_die_in_mid_sale_take_the_rate_with_them_and_bring_it_back() {
    let world = World::new("crash").await;
    world
        .scope
        .deployment("booking", 1, &Behaviour::default())
        .await
        .unwrap();
    let event = world.announce("club-night", [-10, 1, 600], &["booking"]).await;
    world
        .await_sale("club-night", "open and ready", |sale| {
            phase(sale) == "Open" && holds(sale, "Ready")
        })
        .await;
    let rate = async |wanted: u32| {
        eventually(SOON, &format!("rate {wanted}"), async || {
            let room = world.rooms.get(event).await.map_err(|error| error.to_string())?;
            let rate = room.map(|room| room.clock.rate_per_s);
            if rate == Some(wanted) {
                Ok(())
            } else {
                Err(format!("{rate:?}"))
            }
        })
        .await
        .unwrap();
    };
    rate(40).await;
    world.scope.crash("booking", 2).await.unwrap();
    rate(20).await;
    // One Pod may be reported before the other.
    let told = |sale: &TicketSale| {
        let rate = sale.status.as_ref().and_then(|status| status.rate_per_second);
        !holds(sale, "CapacityReady") && rate == Some(20)
    };
    world
        .await_sale("club-night", "not ready, and slower", told)
        .await;
    world.scope.recover("booking").await.unwrap();
    rate(40).await;
    world
        .await_sale("club-night", "ready again", |sale| holds(sale, "Ready"))
        .await;
}

#[tokio::test]
async fn a_sale_that_is_deleted_while_open_closes_its_room_and_gives_capacity_back() {
    let mut world = World::new("deleted").await;
    world
        .scope
        .deployment("booking", 2, &Behaviour::default())
        .await
        .unwrap();
    let event = world.announce("club-night", [-10, 0, 600], &["booking"]).await;
    world
        .await_sale("club-night", "ready", |sale| holds(sale, "Ready"))
        .await;
    world.await_replicas("booking", 4).await;
    // What there was before is known after a restart too: it is written on the workload.
    world.stop_operator().await;
    world
        .scope
        .kubectl(&["delete", "ts", "club-night", "--wait=false"])
        .await
        .unwrap()
        .ok()
        .unwrap();
    world.start_operator();
    let gone = ["wait", "ts/club-night", "--for=delete", "--timeout=30s"];
    world.scope.kubectl(&gone).await.unwrap().ok().unwrap();
    world.await_replicas("booking", 2).await;
    let room = world.rooms.get(event).await.unwrap();
    assert!(
        room.as_ref()
            .is_none_or(|room| room.mode == urr_core::room::Mode::Inactive),
        "{room:?}"
    );
}

#[tokio::test]
async fn the_second_sale_of_a_target_is_told_of_the_conflict_and_takes_nothing() {
    let world = World::new("conflict").await;
    world
        .scope
        .deployment("booking", 1, &Behaviour::default())
        .await
        .unwrap();
    world.announce("first", [-10, 0, 600], &["booking"]).await;
    world
        .await_sale("first", "ready", |sale| holds(sale, "Ready"))
        .await;
    world.announce("second", [-10, 0, 600], &["booking"]).await;
    let told = |sale: &TicketSale| {
        let status = sale.status.clone().unwrap_or_default();
        status
            .conditions
            .iter()
            .any(|condition| condition.reason == "TargetConflict")
    };
    world.await_sale("second", "TargetConflict", told).await;
    let first = world
        .await_sale("first", "still ready", |sale| holds(sale, "Ready"))
        .await;
    assert!(!told(&first));
    world.await_replicas("booking", 4).await;
}

#[tokio::test]
async fn a_sale_far_away_touches_nothing() {
    let world = World::new("far").await;
    world
        .scope
        .deployment("booking", 1, &Behaviour::default())
        .await
        .unwrap();
    world
        .announce("club-night", [90_000, 90_100, 99_999], &["booking"])
        .await;
    world
        .await_sale("club-night", "looked at", |sale| phase(sale) == "Scheduled")
        .await;
    let booking = world.await_replicas("booking", 1).await;
    let managers = booking.metadata.managed_fields.unwrap_or_default();
    assert!(
        managers
            .iter()
            .all(|entry| entry.manager.as_deref() != Some("urr-operator")),
        "{managers:?}"
    );
}
