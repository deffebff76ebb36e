//! What the cluster's operator says beside what people do by hand, and which operator is heard.

use crate::world::{Control, World, answer};
use reqwest::Method;
use serde_json::{Value, json};
use urr_core::room::Mode;
use urr_core::sale::Sale;

async fn report(control: &Control, sale: &Sale, body: Value) -> (u16, Value) {
    let request = control.request(Method::PUT, &format!("/{}/capacity", sale.id));
    answer(request.json(&body)).await
}

#[tokio::test]
async fn a_hold_of_the_operator_and_a_pause_by_hand_do_not_undo_each_other() {
    let world = World::new().await;
    let control = world.control().await;
    let sale = world.sale();
    control.put(&sale).await;
    let hand = |action: &str| json!({"action": action, "actor": "mina", "reason": "a test"});
    let held = json!({"readyReplicas": 4, "held": "spec.hold is set", "term": 1});
    let free = json!({"readyReplicas": 4, "term": 1});

    let (status, state) = report(&control, &sale, held).await;
    assert_eq!((status, &state["held"]), (200, &json!("spec.hold is set")));
    assert_eq!(world.room(sale.id).await.mode, Mode::Paused);
    assert!(world.limits(sale.id).await.paused);
    let reasons = state["plan"]["reasons"].to_string();
    assert!(reasons.contains("spec.hold is set"), "{reasons}");
    control.override_sale(sale.id, hand("resume")).await;
    assert_eq!(
        world.room(sale.id).await.mode,
        Mode::Paused,
        "the spec still holds it"
    );
    control.override_sale(sale.id, hand("pause")).await;
    report(&control, &sale, free).await;
    assert_eq!(world.room(sale.id).await.mode, Mode::Paused, "mina still does");
    control.override_sale(sale.id, hand("resume")).await;
    assert_eq!(world.room(sale.id).await.mode, Mode::Active);
    let (_, log) = control.get(&format!("/{}/audit", sale.id)).await;
    let log = log.to_string();
    assert!(log.contains("\"hold\"") && log.contains("\"release\""), "{log}");
}

#[tokio::test]
async fn a_sale_that_is_open_when_it_is_announced_begins_with_what_is_ready() {
    // Law capacity-first: 4 replicas are planned, one is ready.
    let world = World::new().await;
    let control = world.control().await;
    let sale = world.sale();
    world.at(sale.schedule.opens_at.plus_s(1));
    let request = control.request(Method::PUT, &format!("/{}", sale.id));
    let said = [
        ("actor", "operator"),
        ("reason", "new"),
        ("readyReplicas", "1"),
        ("term", "5"),
    ];
    let (status, state) = answer(request.query(&said).json(&sale)).await;
    assert_eq!((status, &state["readyReplicas"]), (200, &json!(1)), "{state}");
    assert_eq!(world.limits(sale.id).await.rate_per_s, 10);
}

#[tokio::test]
async fn an_operator_whose_term_is_over_is_not_heard_by_any_route() {
    // Law fenced.
    let world = World::new().await;
    let control = world.control().await;
    let sale = world.sale();
    control.put(&sale).await;
    let ready = |ready: u32, term: u64| json!({"readyReplicas": ready, "term": term});
    assert_eq!(report(&control, &sale, ready(1, 7)).await.0, 200);
    assert_eq!(report(&control, &sale, ready(4, 6)).await.0, 409);
    let said = [("actor", "operator"), ("reason", "late"), ("term", "6")];
    let request = control.request(Method::PUT, &format!("/{}", sale.id));
    assert_eq!(answer(request.query(&said).json(&sale)).await.0, 409);
    let request = control.request(Method::DELETE, &format!("/{}", sale.id));
    assert_eq!(answer(request.query(&said)).await.0, 409);
    assert_eq!(world.limits(sale.id).await.rate_per_s, 10, "one replica bears it");
    // With the fence off (no term said) the late report is taken: it is what keeps it out.
    assert_eq!(report(&control, &sale, ready(4, 0)).await.0, 200);
    assert_eq!(world.limits(sale.id).await.rate_per_s, 20);
}
