//! A sale that must be rehearsed.

use super::{begin, delete, end, hand_in, told, world};
use crate::world::{self, holds, reason};
use serde_json::json;
use urr_core::room::Mode;

#[tokio::test]
async fn a_sale_that_must_be_rehearsed_is_held_until_its_dress_rehearsal_has_passed_and_then_never() {
    // `club-night` is the dress rehearsal, the real sale opens before it is over.
    let world = world("run-required", 180).await;
    begin(&world, "rehearsal", &[]).await;
    let required = json!({"policy": "Required", "saleRef": {"name": "club-night"}, "maxAgeSeconds": 3600});
    let fields = [("/spec/rehearsal", required), ("/spec/targets", json!([]))];
    let event = world.announce_with("real", [-5, 8, 600], &fields).await;
    let told_why = |sale: &urr_api::TicketSale| reason(sale, "Ready") == "NotRehearsed";
    let sale = world.await_sale("real", "not rehearsed", told_why).await;
    let status = sale.status.unwrap();
    let ready = status
        .conditions
        .iter()
        .find(|found| found.type_ == "Ready")
        .unwrap();
    assert!(ready.message.contains("the opening is held"), "{ready:?}");
    let orders = told(&world, "rehearsal").await;
    world
        .await_sale("real", "held at its opening", |sale| {
            world::phase(sale) == "Paused"
        })
        .await;
    let room = world.rooms.get(event).await.unwrap().unwrap();
    assert_eq!(room.mode, Mode::Paused, "nobody is let in");
    for nth in [1, 2] {
        hand_in(&world, &orders, nth).await.unwrap();
        end(&world, &orders, nth, 0).await;
    }
    world
        .await_sale("real", "open", |sale| {
            world::phase(sale) == "Open" && holds(sale, "Ready")
        })
        .await;
    world
        .await_room(event, "the line moves", |room| room.mode == Mode::Active)
        .await;
    // It has opened: what becomes of the LoadRun changes nothing any more.
    delete(&world, "rehearsal", &orders).await;
    world.look_again("real").await;
    let sale: urr_api::TicketSale = world.scope.api().get("real").await.unwrap();
    assert_eq!(world::phase(&sale), "Open", "{:?}", sale.status);
    assert_eq!(world.rooms.get(event).await.unwrap().unwrap().mode, Mode::Active);
}
