//! What becomes of capacity when a sale closes, and what an autoscaler's bound does to one.

use crate::common::{SOON, autoscaler};
use crate::world::{World, holds, in_seconds, phase, reason};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt as _;
use serde_json::json;
use std::time::SystemTime;
use urr_api::TicketSale;
use urr_testkit::eventually;
use urr_testkit::pods::Behaviour;
use urr_testkit::proxy::Write;

const IS_OPEN: [i64; 3] = [-10, 0, 600];
/// Of `keepCapacitySeconds`.
const KEPT_S: u64 = 4;

async fn open(world: &World, completion: serde_json::Value) {
    let pods = Behaviour::default();
    world.scope.deployment("booking", 1, &pods).await.unwrap();
    let fields = [
        ("/spec/targets", json!([{"name": "booking"}])),
        ("/spec/completion", completion),
    ];
    world.announce_with("club-night", IS_OPEN, &fields).await;
    world.await_replicas("booking", 4).await;
    world
        .await_sale("club-night", "open and ready", |sale| {
            phase(sale) == "Open" && holds(sale, "Ready")
        })
        .await;
}

/// Closes it as soon as the control plane takes it: with five seconds' notice.
async fn close(world: &World) -> TicketSale {
    let closes_at = json!({"schedule": {"closesAt": in_seconds(15)}});
    world.patch("club-night", closes_at).await;
    world
        .await_sale("club-night", "Closed", |sale| phase(sale) == "Closed")
        .await
}

fn count(write: &Write) -> bool {
    write.call.path.ends_with("/deployments/booking")
}

#[tokio::test]
async fn with_when_closed_keep_capacity_stays_and_is_let_go() {
    let world = World::new("keep").await;
    open(&world, json!({"whenClosed": "Keep"})).await;
    close(&world).await;
    let booking = eventually(SOON, "booking is let go", async || {
        let booking: Deployment = world.scope.api().get("booking").await.unwrap();
        let ours = booking
            .annotations()
            .keys()
            .any(|key| key.starts_with("urr.guru"));
        (!ours)
            .then_some(booking)
            .ok_or_else(|| "it is still claimed".to_owned())
    })
    .await
    .unwrap();
    assert_eq!(booking.spec.unwrap().replicas, Some(4));
    world
        .await_sale("club-night", "Closed and in order", |sale| holds(sale, "Ready"))
        .await;
    // Nobody changed the count on the way.
    let counts = world.faults.writes();
    assert_eq!(
        counts.iter().filter(|write| count(write)).count(),
        2,
        "{counts:?}"
    );
    // Whoever decides now is not disturbed.
    let scale = ["scale", "deployment/booking", "--replicas=3"];
    world.scope.kubectl(&scale).await.unwrap().ok().unwrap();
    world.await_replicas("booking", 3).await;
    world
        .await_sale("club-night", "three seen", |sale| {
            sale.status.as_ref().and_then(|status| status.ready_replicas) == Some(3)
        })
        .await;
    assert_eq!(
        world.faults.writes().iter().filter(|write| count(write)).count(),
        2
    );
}

#[tokio::test]
async fn capacity_stays_as_long_after_the_closing_as_the_spec_says() {
    let world = World::with_every_write_counted("kept").await;
    open(&world, json!({"keepCapacitySeconds": KEPT_S})).await;
    let closed = close(&world).await;
    world.await_replicas("booking", 1).await;
    let writes = world.faults.writes();
    let given_back = writes.iter().rfind(|write| count(write)).unwrap();
    let closes_at = closed.spec.schedule.closes_at.0.as_millisecond();
    let at = given_back.answered_at.unwrap();
    let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let after = i64::try_from(at).unwrap() - closes_at;
    assert!(
        after >= i64::try_from(KEPT_S * 1000).unwrap(),
        "{after} ms after the closing"
    );
    // What waits for nothing writes nothing, to the cluster or to the control API.
    world
        .await_sale("club-night", "settled", |sale| {
            let status = sale.status.clone().unwrap_or_default();
            holds(sale, "Ready") && status.ready_replicas == Some(1) && status.next_transition_at.is_none()
        })
        .await;
    world.await_idle("club-night").await;
}

#[tokio::test]
async fn an_autoscaler_that_may_not_go_as_far_as_is_wanted_is_named_with_its_bound() {
    let world = World::new("capped").await;
    let pods = Behaviour::default();
    world.scope.deployment("booking", 1, &pods).await.unwrap();
    autoscaler(&world.scope, "booking-hpa", "booking", [1, 3]).await;
    let targets = json!([{"name": "booking", "autoscaler": {"name": "booking-hpa"}}]);
    let event = world
        .announce_with("club-night", IS_OPEN, &[("/spec/targets", targets)])
        .await;
    let is_capped = |sale: &TicketSale| {
        let status = sale.status.clone().unwrap_or_default();
        let told = status.conditions.iter().any(|condition| {
            condition.type_ == "CapacityReady"
                && condition.message.contains("goes up to 3: raise its maxReplicas")
        });
        told && status.ready_replicas == Some(3) && status.rate_per_second == Some(30)
    };
    let sale = world
        .await_sale("club-night", "told of the bound", is_capped)
        .await;
    assert_eq!(reason(&sale, "CapacityReady"), "NotEnoughReady");
    // It opens at the rate of what can be had.
    let room = world
        .await_room(event, "a rate of 30", |room| room.clock.rate_per_s == 30)
        .await;
    assert_eq!(room.clock.rate_per_s, 30);
    // And once the bound is raised, all of it comes.
    let raise = r#"--patch={"spec": {"maxReplicas": 9}}"#;
    let args = ["patch", "hpa", "booking-hpa", "--type=merge", raise];
    world.scope.kubectl(&args).await.unwrap().ok().unwrap();
    world
        .await_sale("club-night", "ready", |sale| holds(sale, "Ready"))
        .await;
    world.await_replicas("booking", 4).await;
}
