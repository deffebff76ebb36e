//! Putting, reading and deleting sales.

use crate::world::{SOON, World, answer};
use reqwest::Method;
use serde_json::json;
use urr_core::room::Mode;
use urr_kit::testing::eventually;

#[tokio::test]
async fn a_sale_that_was_put_is_in_every_record_the_services_read() {
    let world = World::new().await;
    let control = world.control().await;
    let sale = world.sale();
    let (status, body) = control.put(&sale).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["phase"], "scheduled");
    assert_eq!(body["problems"], json!([]), "{body}");

    let room = world.room(sale.id).await;
    assert_eq!((room.mode, room.issued), (Mode::Active, 0));
    assert_eq!(
        (room.opens_at, room.clock.since),
        (sale.schedule.opens_at, sale.schedule.opens_at)
    );
    assert_eq!(
        room.clock.rate_per_s, 20,
        "the opening needs nobody: the rate is already there"
    );
    let limits = world.limits(sale.id).await;
    assert_eq!(
        (limits.rate_per_s, limits.cap, limits.epoch),
        (20, 50, room.epoch)
    );
    assert_eq!(
        (limits.opens_at, limits.closes_at),
        (sale.schedule.opens_at, sale.schedule.closes_at)
    );
    assert!(limits.require_place && !limits.paused && !limits.sold_out);
    assert_eq!(world.services.told.lock().unwrap().get(&sale.id), Some(&sale));
}

#[tokio::test]
async fn putting_the_same_sale_again_changes_nothing() {
    let world = World::new().await;
    let control = world.control().await;
    let sale = world.sale();
    control.put(&sale).await;
    let before = (
        world.sales.get(sale.id).await.unwrap(),
        world.room(sale.id).await,
        world.limits(sale.id).await,
    );
    let (status, _) = control.put(&sale).await;
    assert_eq!(status, 200);
    let after = (
        world.sales.get(sale.id).await.unwrap(),
        world.room(sale.id).await,
        world.limits(sale.id).await,
    );
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_malformed_sale_is_refused_naming_the_field_and_nothing_is_stored() {
    let world = World::new().await;
    let control = world.control().await;
    let sale = world.sale();

    let mut wrong = sale.clone();
    wrong.admission.cap = 0;
    wrong.schedule.closes_at = wrong.schedule.opens_at;
    let (status, body) = control.put(&wrong).await;
    assert_eq!(status, 400);
    assert_eq!(body["problems"][0]["field"], "schedule.closesAt", "{body}");
    assert_eq!(body["problems"][1]["field"], "admission.cap", "{body}");
    assert!(body["error"].as_str().unwrap().contains("admission.cap"));
    assert_eq!(body["error"], body["message"]);

    let mut unknown = serde_json::to_value(&sale).unwrap();
    unknown["seets"] = json!(5);
    let (status, body) = answer(
        control
            .request(Method::PUT, &format!("/{}", sale.id))
            .json(&unknown),
    )
    .await;
    assert_eq!(status, 400);
    assert!(body["error"].as_str().unwrap().contains("seets"), "{body}");

    let elsewhere = uuid::Uuid::new_v4();
    let (status, body) = answer(control.request(Method::PUT, &format!("/{elsewhere}")).json(&sale)).await;
    assert_eq!((status, &body["problems"][0]["field"]), (400, &json!("id")));

    let (status, _) = answer(
        control
            .request(Method::PUT, &format!("/{}", sale.id))
            .body("no json"),
    )
    .await;
    assert_eq!(status, 400);
    assert_eq!(control.get(&format!("/{}", sale.id)).await.0, 404);
    assert_eq!(control.get("").await.1["sales"], json!([]));
}

#[tokio::test]
async fn without_the_token_nothing_is_told_or_done() {
    let world = World::new().await;
    let control = world.control().await;
    let url = format!("{}/control/v1/sales", control.base());
    let http = reqwest::Client::new();
    assert_eq!(http.get(&url).send().await.unwrap().status().as_u16(), 401);
    assert_eq!(
        http.get(&url)
            .bearer_auth("guess")
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        403
    );
}

#[tokio::test]
async fn a_moved_opening_reaches_every_record_and_a_past_one_cannot_be_moved() {
    let world = World::new().await;
    let control = world.control().await;
    let mut sale = world.sale();
    control.put(&sale).await;
    sale.schedule.opens_at = sale.schedule.opens_at.plus_s(60);
    let (status, body) = control.put(&sale).await;
    assert_eq!(status, 200, "{body}");
    let room = world.room(sale.id).await;
    assert_eq!(
        (room.opens_at, room.clock.since),
        (sale.schedule.opens_at, sale.schedule.opens_at)
    );
    assert_eq!(world.limits(sale.id).await.opens_at, sale.schedule.opens_at);
    assert_eq!(world.services.told.lock().unwrap()[&sale.id], sale);

    world.at(sale.schedule.opens_at.plus_s(1));
    let mut late = sale.clone();
    late.schedule.opens_at = late.schedule.opens_at.plus_s(60);
    let (status, body) = control.put(&late).await;
    assert_eq!(status, 409);
    assert_eq!(body["problems"][0]["field"], "schedule.opensAt", "{body}");
    assert_eq!(world.room(sale.id).await.opens_at, sale.schedule.opens_at);
}

#[tokio::test]
async fn a_deleted_sale_lets_nobody_in_and_keeps_its_log() {
    let world = World::new().await;
    let control = world.control().await;
    let sale = world.sale();
    control.put(&sale).await;
    let path = format!("/{}?actor=mina&reason=cancelled", sale.id);
    let (status, _) = answer(control.request(Method::DELETE, &path)).await;
    assert_eq!(status, 204);
    eventually(SOON, "the sale is forgotten", async || {
        control.get(&format!("/{}", sale.id)).await.0 == 404
    })
    .await;
    assert_eq!(world.room(sale.id).await.mode, Mode::Inactive);
    let limits = world.limits(sale.id).await;
    assert!(limits.paused && limits.rate_per_s == 0);
    let (_, log) = control.get(&format!("/{}/audit", sale.id)).await;
    let actions: Vec<_> = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].clone())
        .collect();
    assert!(
        actions.contains(&json!("delete")) && actions.contains(&json!("deleted")),
        "{actions:?}"
    );

    // It comes back as a new line, and its log goes on.
    let ended = world.room(sale.id).await;
    let (status, body) = control.put(&sale).await;
    assert_eq!(status, 200, "{body}");
    let room = world.room(sale.id).await;
    assert!(room.epoch > ended.epoch);
    assert_eq!((room.voids, room.mode), (ended.epoch, Mode::Active));
    let (_, again) = control.get(&format!("/{}/audit", sale.id)).await;
    assert!(again["entries"].as_array().unwrap().len() > actions.len());
}
