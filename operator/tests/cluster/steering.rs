//! Sales that are steered: held, ended, opened by a gate, scaled in an order, by an autoscaler, and by
//! two operators of which one leads.

use crate::common::{SOON, autoscaler};
use crate::world::{World, holds, phase, reason};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt as _;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use std::time::Duration;
use urr_core::room::Mode;
use urr_testkit::eventually;
use urr_testkit::pods::Behaviour;

const OPEN_NOW: [i64; 3] = [-10, 0, 600];

async fn deploy(world: &World, name: &str, replicas: u32) {
    let pods = Behaviour::default();
    world.scope.deployment(name, replicas, &pods).await.unwrap();
}

fn targets(targets: &Value) -> (&'static str, Value) {
    ("/spec/targets", targets.clone())
}

#[tokio::test]
async fn a_hold_stops_the_line_and_letting_go_moves_it_again() {
    let world = World::new("hold").await;
    deploy(&world, "booking", 1).await;
    let event = world.announce("club-night", OPEN_NOW, &["booking"]).await;
    world
        .await_sale("club-night", "ready", |sale| holds(sale, "Ready"))
        .await;
    world.patch("club-night", json!({"hold": true})).await;
    world
        .await_room(event, "paused", |room| room.mode == Mode::Paused)
        .await;
    let held = world
        .await_sale("club-night", "Paused", |sale| phase(sale) == "Paused")
        .await;
    assert_eq!(reason(&held, "Ready"), "Held", "{:?}", held.status);
    // Capacity stays: the sale goes on any moment.
    world.await_replicas("booking", 4).await;
    world.patch("club-night", json!({"hold": false})).await;
    world
        .await_room(event, "moving again", |room| {
            room.mode == Mode::Active && room.clock.rate_per_s == 40
        })
        .await;
    world
        .await_sale("club-night", "ready again", |sale| {
            phase(sale) == "Open" && holds(sale, "Ready")
        })
        .await;
}

#[tokio::test]
async fn an_abort_closes_the_room_for_good_and_gives_capacity_back() {
    let world = World::new("abort").await;
    deploy(&world, "booking", 2).await;
    let event = world.announce("club-night", OPEN_NOW, &["booking"]).await;
    world
        .await_sale("club-night", "ready", |sale| holds(sale, "Ready"))
        .await;
    world.await_replicas("booking", 4).await;
    world.patch("club-night", json!({"abort": true})).await;
    let ended = world
        .await_sale("club-night", "Aborted", |sale| phase(sale) == "Aborted")
        .await;
    assert_eq!(reason(&ended, "Ready"), "Aborted");
    let room = world.rooms.get(event).await.unwrap().unwrap();
    assert_eq!((room.mode, room.clock.rate_per_s), (Mode::Inactive, 0));
    world.await_replicas("booking", 2).await;
    let seen =
        |sale: &urr_api::TicketSale| sale.status.as_ref().and_then(|status| status.ready_replicas) == Some(2);
    world.await_sale("club-night", "given back", seen).await;
    // It is over: a look does nothing more, whoever looks.
    world.await_idle("club-night").await;
}

#[tokio::test]
async fn with_too_little_ready_the_gate_holds_the_opening_until_there_is_enough() {
    let world = World::new("gate").await;
    let slow = Behaviour::default().ready_after(Duration::from_secs(12));
    world.scope.deployment("booking", 0, &slow).await.unwrap();
    let hold = [
        ("/spec/capacity/whenShort", json!("Hold")),
        targets(&json!([{"name": "booking"}])),
    ];
    let event = world.announce_with("club-night", [-1, 7, 600], &hold).await;
    let held = world
        .await_sale("club-night", "Paused at T0", |sale| phase(sale) == "Paused")
        .await;
    assert_eq!(reason(&held, "Ready"), "Held", "{:?}", held.status);
    let room = world.rooms.get(event).await.unwrap().unwrap();
    assert_eq!(room.mode, Mode::Paused);
    world
        .await_sale("club-night", "open with all of it", |sale| {
            phase(sale) == "Open" && holds(sale, "Ready")
        })
        .await;
    let room = world
        .await_room(event, "moving", |room| room.mode == Mode::Active)
        .await;
    assert_eq!(room.clock.rate_per_s, 40);
    // Once open it slows down, it does not stop.
    world.scope.crash("booking", 1).await.unwrap();
    world
        .await_room(event, "slower", |room| room.clock.rate_per_s == 30)
        .await;
    assert_eq!(world.rooms.get(event).await.unwrap().unwrap().mode, Mode::Active);
}

#[tokio::test]
async fn targets_come_up_in_their_order_and_size_and_leave_their_base_behind() {
    let world = World::new("stages").await;
    let slow = Behaviour::default().ready_after(Duration::from_secs(2));
    for name in ["queue", "booking", "payment"] {
        world.scope.deployment(name, 1, &slow).await.unwrap();
    }
    let fields = [
        ("/spec/capacity/leadSeconds", json!(60)),
        targets(&json!([
            {"name": "payment", "stage": 1, "ratePerReplica": 7},
            {"name": "booking", "stage": 0, "peak": 2, "base": 2},
            {"name": "queue", "stage": 1}
        ])),
    ];
    world.announce_with("club-night", [20, 22, 24], &fields).await;
    // The second stage is not asked for before the first is ready.
    eventually(SOON, "booking asked for", async || {
        let booking: Deployment = world.scope.api().get("booking").await.unwrap();
        let payment: Deployment = world.scope.api().get("payment").await.unwrap();
        let replicas = |found: &Deployment| found.spec.as_ref().unwrap().replicas.unwrap();
        let ready = booking.status.as_ref().and_then(|status| status.ready_replicas);
        if replicas(&payment) > 1 {
            assert_eq!(ready, Some(2), "payment came before booking was ready");
            return Ok(());
        }
        Err(format!("booking {} of which {ready:?}", replicas(&booking)))
    })
    .await
    .unwrap();
    world.await_replicas("payment", 6).await;
    world.await_replicas("queue", 4).await;
    let sale = world
        .await_sale("club-night", "all measured", |sale| {
            let targets = sale.status.iter().flat_map(|status| &status.targets);
            holds(sale, "Ready") && targets.clone().all(|target| target.ready_seconds.is_some())
        })
        .await;
    let status = sale.status.unwrap();
    for target in &status.targets {
        let learned = target.learned_seconds.as_slice();
        assert!(matches!(learned, [seconds] if *seconds >= 2), "{target:?}");
    }
    assert!(
        status.slack_seconds.is_some_and(|slack| (1..20).contains(&slack)),
        "{status:?}"
    );
    world
        .await_sale("club-night", "Closed", |sale| phase(sale) == "Closed")
        .await;
    world.await_replicas("booking", 2).await;
    world.await_replicas("payment", 1).await;
    world.await_replicas("queue", 1).await;
    // What was learned is what the next sale starts with.
    let later = [
        ("/spec/capacity/leadSeconds", json!(0)),
        targets(&json!([{"name": "payment"}])),
    ];
    world.announce_with("next", [9000, 9100, 9200], &later).await;
    let next = world
        .await_sale("next", "a lead", |sale| {
            sale.status
                .as_ref()
                .is_some_and(|status| status.lead_seconds.is_some_and(|lead| lead >= 12))
        })
        .await;
    assert_eq!(phase(&next), "Scheduled");
}

#[tokio::test]
async fn where_an_autoscaler_scales_its_floor_is_moved_and_replicas_are_not() {
    let mut world = World::new("hpa").await;
    deploy(&world, "booking", 2).await;
    let hpas = autoscaler(&world.scope, "booking-hpa", "booking", [2, 9]).await;
    let floored = [targets(
        &json!([{"name": "booking", "autoscaler": {"name": "booking-hpa"}}]),
    )];
    world.announce_with("club-night", [-1, 1, 25], &floored).await;
    world
        .await_sale("club-night", "ready", |sale| {
            phase(sale) == "Open" && holds(sale, "Ready")
        })
        .await;
    let floor = async |wanted: i32| {
        eventually(SOON, &format!("a floor of {wanted}"), async || {
            let hpa = hpas.get("booking-hpa").await.unwrap();
            match hpa.spec.as_ref().and_then(|spec| spec.min_replicas) {
                Some(floor) if floor == wanted => Ok(hpa),
                other => Err(format!("{other:?}")),
            }
        })
        .await
        .unwrap()
    };
    floor(4).await;
    // Whoever lowers it in the window finds it back, and a restart forgets nothing.
    let lower = Patch::Merge(json!({"spec": {"minReplicas": 1}}));
    hpas.patch("booking-hpa", &PatchParams::default(), &lower)
        .await
        .unwrap();
    floor(4).await;
    world.stop_operator().await;
    world.start_operator();
    world
        .await_sale("club-night", "Closed", |sale| phase(sale) == "Closed")
        .await;
    let given_back = floor(2).await;
    assert!(
        given_back
            .annotations()
            .keys()
            .all(|key| !key.starts_with("urr.guru")),
        "{:?}",
        given_back.annotations()
    );
    let booking: Deployment = world.scope.api().get("booking").await.unwrap();
    let managers = booking.metadata.managed_fields.unwrap_or_default();
    assert!(
        managers
            .iter()
            .all(|entry| entry.manager.as_deref() != Some("urr-operator")),
        "{managers:?}"
    );
}

#[tokio::test]
async fn what_somebody_changes_in_the_window_is_set_right_and_told_once() {
    let world = World::new("drift").await;
    deploy(&world, "booking", 1).await;
    world.announce("club-night", OPEN_NOW, &["booking"]).await;
    world
        .await_sale("club-night", "ready", |sale| holds(sale, "Ready"))
        .await;
    let scale = ["scale", "deployment/booking", "--replicas=2"];
    world.scope.kubectl(&scale).await.unwrap().ok().unwrap();
    world.await_replicas("booking", 4).await;
    world
        .await_sale("club-night", "ready again", |sale| holds(sale, "Ready"))
        .await;
    let events = world.scope.api::<Event>();
    let told = async || {
        let all = events.list(&ListParams::default()).await.unwrap();
        all.items
            .into_iter()
            .filter(|event| event.reporting_controller.as_deref() == Some("urr-operator"))
            .map(|event| {
                let count = event.series.map_or(1, |series| series.count);
                (event.reason.unwrap_or_default(), count)
            })
            .collect::<Vec<_>>()
    };
    eventually(SOON, "the drift is told", async || {
        let told = told().await;
        let has = |reason: &str| told.iter().any(|(word, _)| word == reason);
        if has("DriftHealed") && has("Scaled") && has("Open") {
            Ok(())
        } else {
            Err(format!("{told:?}"))
        }
    })
    .await
    .unwrap();
    // Nothing happens, nothing is told.
    world.look_again("club-night").await;
    let before = told().await;
    assert!(before.contains(&("DriftHealed".to_owned(), 1)), "{before:?}");
    world.look_again("club-night").await;
    assert_eq!(told().await, before);
}

#[tokio::test]
async fn the_second_sale_of_one_event_gives_way_and_its_end_leaves_the_first_alone() {
    let world = World::new("event").await;
    deploy(&world, "booking", 1).await;
    let event = world.announce("first", OPEN_NOW, &["booking"]).await;
    world
        .await_sale("first", "ready", |sale| holds(sale, "Ready"))
        .await;
    world.await_another_second("first").await;
    let same = [("/spec/eventId", json!(event)), targets(&json!([]))];
    world.announce_with("second", OPEN_NOW, &same).await;
    let told = world
        .await_sale("second", "refused", |sale| reason(sale, "Ready") == "Refused")
        .await;
    let message = format!("{:?}", told.status);
    assert!(
        message.contains("eventId") && message.contains("first"),
        "{message}"
    );
    let delete = ["delete", "ts", "second", "--timeout=20s"];
    world.scope.kubectl(&delete).await.unwrap().ok().unwrap();
    let room = world.rooms.get(event).await.unwrap().unwrap();
    assert_eq!(room.mode, Mode::Active);
}
