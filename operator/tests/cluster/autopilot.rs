//! What a sale does by itself: its rate follows the services, its line waits for
//! seats that come back, it says where it stands and what should be different next time, and it does not
//! fight over a count.

use crate::common::{SOON, autoscaler, sale, set};
use crate::world::{World, holds, in_seconds, phase, reason};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use serde_json::{Value, json};
use urr_api::TicketSale;
use urr_core::pulse::{EDGES_MS, Pulse};
use urr_core::room::Mode;
use urr_testkit::eventually;
use urr_testkit::pods::Behaviour;

pub(crate) async fn deploy(world: &World, name: &str, replicas: u32) {
    let pods = Behaviour::default();
    world.scope.deployment(name, replicas, &pods).await.unwrap();
}

/// A hundred reservations that took so long.
pub(crate) fn pulse(ms: u32) -> Value {
    let mut reservations = vec![0; EDGES_MS.len() + 1];
    reservations[Pulse::class_of(u128::from(ms))] = 100;
    json!({"requests": 100, "reservations": reservations})
}

fn set_seats(world: &World, free: u64, sold: u64) {
    let seats = json!({"capacity": free + sold, "free": free, "held": 0, "sold": sold, "sections": []});
    *world.services.seats.lock().unwrap() = seats;
}

pub(crate) async fn await_event(world: &World, wanted: &str) -> Event {
    let events = world.scope.api::<Event>();
    eventually(SOON, wanted, async || {
        let all = events.list(&ListParams::default()).await.unwrap();
        let told: Vec<_> = all.iter().filter_map(|event| event.reason.clone()).collect();
        all.items
            .into_iter()
            .find(|event| event.reason.as_deref() == Some(wanted))
            .ok_or_else(|| format!("{told:?}"))
    })
    .await
    .unwrap()
}

fn message(sale: &TicketSale, condition: &str) -> String {
    let conditions = sale.status.iter().flat_map(|status| &status.conditions);
    let mut found = conditions.filter(|found| found.type_ == condition);
    found
        .next()
        .map(|found| found.message.clone())
        .unwrap_or_default()
}

#[tokio::test]
async fn the_rate_falls_with_the_services_and_the_sale_says_why() {
    let world = World::new("adaptive").await;
    deploy(&world, "booking", 4).await;
    *world.services.pulse.lock().unwrap() = Some(pulse(2500));
    let fields = [
        ("/spec/targets", json!([{"name": "booking"}])),
        (
            "/spec/admission/adaptive",
            json!({"minRatePerSecond": 5, "maxRatePerSecond": 40}),
        ),
    ];
    let event = world.announce_with("club-night", [-10, 0, 600], &fields).await;
    let slower = |sale: &TicketSale| {
        let rate = sale.status.as_ref().and_then(|status| status.rate_per_second);
        rate.is_some_and(|rate| rate < 40) && message(sale, "AdmissionApplied").contains("reservations take")
    };
    let sale = world
        .await_sale("club-night", "a lower rate, with its reason", slower)
        .await;
    assert!(
        holds(&sale, "CapacityReady"),
        "capacity is not what is short: {:?}",
        sale.status
    );
    let bounded = |rate: u32| (5..40).contains(&rate);
    let room = world
        .await_room(event, "a slower line", |room| bounded(room.clock.rate_per_s))
        .await;
    assert_eq!(room.mode, Mode::Active);
}

/// Looks at a sale far away come every five minutes; one that is written to is looked at.
async fn looked_at_until(world: &World, name: &str, look: impl Fn(&TicketSale) -> bool) -> TicketSale {
    let mut looks = 0;
    eventually(SOON, name, async || {
        let sale: TicketSale = world.scope.api().get(name).await.unwrap();
        if look(&sale) {
            return Ok(sale);
        }
        looks += 1;
        let note = format!("test/looks={looks}");
        let annotate = ["annotate", "--overwrite", "ts", name, &note];
        world.scope.kubectl(&annotate).await.unwrap().ok().unwrap();
        Err(format!("{:?}", sale.status))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn auto_begins_with_what_the_last_sale_of_the_same_targets_bore() {
    let world = World::new("adopted").await;
    deploy(&world, "booking", 1).await;
    world.announce("earlier", [9000, 9100, 9200], &["booking"]).await;
    world
        .await_sale("earlier", "looked at", |sale| phase(sale) == "Scheduled")
        .await;
    let measured = json!({"status": {"measured": {"bornePerSecond": 22}}}).to_string();
    let patch = [
        "patch",
        "ts",
        "earlier",
        "--subresource=status",
        "--type=merge",
        "--patch",
        &measured,
    ];
    world.scope.kubectl(&patch).await.unwrap().ok().unwrap();
    let fields = |least: u32| {
        [
            ("/spec/targets", json!([{"name": "booking"}])),
            ("/spec/tuning", json!("Auto")),
            (
                "/spec/admission/adaptive",
                json!({"minRatePerSecond": least, "maxRatePerSecond": 40}),
            ),
        ]
    };
    let adopts = |rate: i32| {
        move |sale: &TicketSale| {
            let status = sale.status.clone().unwrap_or_default();
            status.adopted_rate_per_second == Some(rate)
        }
    };
    world.announce_with("later", [8000, 8100, 8200], &fields(5)).await;
    looked_at_until(&world, "later", adopts(22)).await;
    world
        .announce_with("bounded", [8300, 8400, 8500], &fields(30))
        .await;
    let bounded = looked_at_until(&world, "bounded", adopts(30)).await;
    assert!(
        holds(&bounded, "RoomActive"),
        "the control plane has it: {:?}",
        bounded.status
    );
}

#[tokio::test]
async fn a_line_that_keeps_waiting_keeps_its_capacity_and_moves_on_with_the_next_seat() {
    let world = World::new("waiting").await;
    deploy(&world, "booking", 1).await;
    let fields = [
        ("/spec/targets", json!([{"name": "booking"}])),
        ("/spec/completion/whenSoldOut", json!("KeepWaiting")),
    ];
    let event = world.announce_with("club-night", [-10, 0, 600], &fields).await;
    world
        .await_sale("club-night", "open", |sale| {
            phase(sale) == "Open" && holds(sale, "Ready")
        })
        .await;
    set_seats(&world, 0, 100);
    world
        .await_room(event, "a line that stands", |room| room.mode == Mode::Paused)
        .await;
    let sold_out = world
        .await_sale("club-night", "sold out, with its seats", |sale| {
            let line = sale.status.as_ref().and_then(|status| status.line.clone());
            phase(sale) == "SoldOut" && line.is_some_and(|line| line.sold == 100)
        })
        .await;
    let status = sold_out.status.clone().unwrap();
    let summary = status.summary.unwrap_or_default();
    assert!(summary.starts_with("every seat is sold, "), "{summary}");
    assert!(
        status
            .measured
            .is_some_and(|measured| measured.sold_out_seconds.is_some())
    );
    world.await_replicas("booking", 4).await;
    set_seats(&world, 1, 99);
    world
        .await_room(event, "a line that moves", |room| room.mode == Mode::Active)
        .await;
    world
        .await_sale("club-night", "open again", |sale| phase(sale) == "Open")
        .await;
}

#[tokio::test]
async fn a_sale_that_is_over_says_what_should_be_different_next_time() {
    let world = World::new("advice").await;
    deploy(&world, "booking", 1).await;
    *world.services.queue.lock().unwrap() = Some(json!({
        "waiting": 7, "active": 1000, "cap": 1000, "ratePerS": 40, "admittedTotal": 12, "paused": false
    }));
    let fields = [
        ("/spec/targets", json!([{"name": "booking"}])),
        ("/spec/capacity/leadSeconds", json!(3000)),
    ];
    world.announce_with("club-night", [12, 13, 600], &fields).await;
    let open = world
        .await_sale("club-night", "figures of the line", |sale| {
            let line = sale.status.as_ref().and_then(|status| status.line.clone());
            phase(sale) == "Open" && line.is_some_and(|line| line.active == 1000)
        })
        .await;
    let status = open.status.unwrap();
    assert!(
        status
            .summary
            .as_deref()
            .is_some_and(|summary| summary.contains("1000 are inside")),
        "{:?}",
        status.summary
    );
    assert_eq!(status.advice, [], "not before it is over");
    let soon = json!({"schedule": {"closesAt": in_seconds(10)}});
    world.patch("club-night", soon).await;
    let over = world
        .await_sale("club-night", "advice", |sale| {
            let advised = sale.status.iter().any(|status| !status.advice.is_empty());
            phase(sale) == "Closed" && advised
        })
        .await;
    let status = over.status.unwrap();
    let advised = |field: &str| {
        let mut found = status.advice.iter().filter(|advice| advice.field == field);
        found
            .next()
            .map(|advice| (advice.value.clone(), advice.because.clone()))
    };
    let (seconds, because) = advised("spec.capacity.leadSeconds").unwrap();
    assert!(seconds.parse::<u32>().unwrap() < 300, "{seconds}: {because}");
    let (cap, because) = advised("spec.admission.cap").unwrap();
    assert_eq!(cap, "1250", "{because}");
}

#[tokio::test]
async fn what_an_unnamed_autoscaler_scales_is_left_alone_and_said_until_it_is_named() {
    let world = World::new("rivals").await;
    deploy(&world, "booking", 2).await;
    let hpas = autoscaler(&world.scope, "booking-hpa", "booking", [2, 9]).await;
    world.announce("club-night", [-1, 1, 600], &["booking"]).await;
    let told = world
        .await_sale("club-night", "a warning", |sale| {
            reason(sale, "CapacityReady") == "AutoscalerNotNamed" && phase(sale) == "Open"
        })
        .await;
    let why = message(&told, "CapacityReady");
    assert!(why.contains("booking-hpa") && why.contains("name it"), "{why}");
    await_event(&world, "AutoscalerNotNamed").await;
    let booking: Deployment = world.scope.api().get("booking").await.unwrap();
    let managers = booking.metadata.managed_fields.unwrap_or_default();
    assert!(
        managers
            .iter()
            .all(|entry| entry.manager.as_deref() != Some("urr-operator")),
        "two hands at one count: {managers:?}"
    );
    let named = json!({"targets": [{"name": "booking", "autoscaler": {"name": "booking-hpa"}}]});
    world.patch("club-night", named).await;
    eventually(SOON, "its floor moved", async || {
        let hpa = hpas.get("booking-hpa").await.unwrap();
        match hpa.spec.and_then(|spec| spec.min_replicas) {
            Some(4) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
    world
        .await_sale("club-night", "no warning", |sale| {
            reason(sale, "CapacityReady") != "AutoscalerNotNamed"
        })
        .await;
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_told_of_in_its_events() {
    let world = World::new("unread").await;
    let mut document = sale("odd");
    // The API server reads more digits of a second than our type does.
    let instant = json!("2036-12-01T10:55:00.1234567891Z");
    set(&mut document, "/spec/schedule/preQueueAt", &instant);
    let apply = ["apply", "--server-side", "-f", "-"];
    let applied = world.scope.kubectl_with(&apply, &document.to_string()).await;
    applied.unwrap().ok().unwrap();
    let event = await_event(&world, "Unreadable").await;
    let about = event.regarding.unwrap_or_default();
    assert_eq!(
        (about.kind.as_deref(), about.name.as_deref()),
        (Some("TicketSale"), Some("odd"))
    );
    assert!(event.note.unwrap_or_default().contains("leaves it alone"));
}
