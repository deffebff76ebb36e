//! The control plane dies and comes back; the sale does not notice.

use crate::world::{SOON, World};
use serde_json::json;
use urr_core::room::Mode;
use urr_kit::testing::eventually;

#[tokio::test]
async fn a_killed_control_plane_continues_from_the_stores() {
    let world = World::new().await;
    let first = world.control().await;
    let sale = world.sale();
    first.put(&sale).await;
    let body = json!({"action": "rate", "value": 15, "actor": "mina", "reason": "careful"});
    first.override_sale(sale.id, body).await;
    let (room, limits) = (world.room(sale.id).await, world.limits(sale.id).await);
    let line = room.epoch;
    first.kill();

    // Nobody is there at the opening; what visitors see is in the records already.
    world.at(sale.schedule.opens_at.plus_s(2));
    assert_eq!(
        (world.room(sale.id).await, world.limits(sale.id).await),
        (room, limits)
    );

    let second = world.control().await;
    eventually(SOON, "the opening is logged", async || {
        let (_, log) = second.get(&format!("/{}/audit", sale.id)).await;
        log["entries"]
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["new"] == "open")
    })
    .await;
    let (_, state) = second.get(&format!("/{}", sale.id)).await;
    assert_eq!(
        (&state["phase"], &state["hand"]["ratePerS"]),
        (&json!("open"), &json!(15))
    );
    let room = world.room(sale.id).await;
    assert_eq!(
        (room.epoch, room.clock.since),
        (line, sale.schedule.opens_at),
        "the line is the same"
    );

    world.at(sale.schedule.closes_at);
    second.put(&sale).await; // any call wakes the loop, as the timer would
    eventually(SOON, "the room is closed", async || {
        world.room(sale.id).await.mode == Mode::Inactive
    })
    .await;
}

#[tokio::test]
async fn what_a_crash_left_half_done_is_finished() {
    // The record was written, nothing else: as if the process died right after the write.
    let world = World::new().await;
    let sale = world.sale();
    let record = urr_controlplane::store::SaleRecord::new(sale.clone(), sale.schedule.opens_at);
    world
        .sales
        .write(&record, None, sale.schedule.opens_at)
        .await
        .unwrap();
    let _control = world.control().await;
    eventually(SOON, "booking is told, the last part of a step", async || {
        world.services.told.lock().unwrap().contains_key(&sale.id)
    })
    .await;
    assert_eq!(world.room(sale.id).await.clock.rate_per_s, 20);
    assert_eq!(world.limits(sale.id).await.rate_per_s, 20);
}
