//! What operators do by hand.

use crate::world::World;
use serde_json::{Value, json};
use urr_core::room::Mode;

fn entries(log: &Value, action: &str) -> Vec<Value> {
    let entries = log["entries"].as_array().unwrap();
    entries
        .iter()
        .filter(|entry| entry["action"] == action)
        .cloned()
        .collect()
}

#[tokio::test]
async fn an_override_is_in_force_with_the_answer_and_in_the_log_with_its_reason() {
    let world = World::new().await;
    let control = world.control().await;
    let sale = world.sale();
    control.put(&sale).await;

    let body = json!({"action": "rate", "value": 15, "actor": "mina", "reason": "p99 too high"});
    let (status, state) = control.override_sale(sale.id, body).await;
    assert_eq!(status, 200, "{state}");
    assert_eq!(state["hand"]["ratePerS"], 15);
    assert_eq!(world.room(sale.id).await.clock.rate_per_s, 15);
    assert_eq!(world.limits(sale.id).await.rate_per_s, 15);

    let body = json!({"action": "cap", "value": 7, "actor": "mina", "reason": "pool is full"});
    control.override_sale(sale.id, body).await;
    assert_eq!(world.limits(sale.id).await.cap, 7);

    let body = json!({"action": "pause", "actor": "jun", "reason": "payment provider is down"});
    control.override_sale(sale.id, body).await;
    assert_eq!(world.room(sale.id).await.mode, Mode::Paused);
    assert!(world.limits(sale.id).await.paused);
    let body = json!({"action": "resume", "actor": "jun", "reason": "it is back"});
    control.override_sale(sale.id, body).await;
    assert_eq!(world.room(sale.id).await.mode, Mode::Active);
    let limits = world.limits(sale.id).await;
    assert!(
        !limits.paused && limits.cap == 7,
        "resuming takes nothing else back"
    );

    let (_, log) = control.get(&format!("/{}/audit", sale.id)).await;
    let rate = &entries(&log, "rate")[0];
    assert_eq!(
        (&rate["actor"], &rate["reason"]),
        (&json!("mina"), &json!("p99 too high"))
    );
    assert_eq!(
        (&rate["old"], &rate["new"]),
        (&json!("20/s, cap 50"), &json!("15/s, cap 50"))
    );
    assert_eq!(entries(&log, "pause")[0]["new"], "held, 15/s, cap 7");
    let seqs: Vec<_> = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["seq"].as_u64().unwrap())
        .collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");

    let body = json!({"action": "reset", "actor": "jun", "reason": "all well"});
    control.override_sale(sale.id, body).await;
    assert_eq!(
        (
            world.limits(sale.id).await.rate_per_s,
            world.limits(sale.id).await.cap
        ),
        (20, 50)
    );
}

#[tokio::test]
async fn a_rate_above_capacity_is_refused_with_the_figure_and_the_remedy() {
    // Law capacity-first: 4 replicas of 10/s bear 40/s.
    let world = World::new().await;
    let control = world.control().await;
    let sale = world.sale();
    control.put(&sale).await;
    let body = json!({"action": "rate", "value": 41, "actor": "mina", "reason": "hurry"});
    let (status, answer) = control.override_sale(sale.id, body).await;
    assert_eq!(status, 409);
    let text = answer["error"].as_str().unwrap();
    assert!(
        text.contains("40/s") && text.contains("capacity.replicas"),
        "{text}"
    );
    assert_eq!(world.limits(sale.id).await.rate_per_s, 20);
    let (_, log) = control.get(&format!("/{}/audit", sale.id)).await;
    assert_eq!(entries(&log, "rate"), [] as [Value; 0]);
}

#[tokio::test]
async fn an_override_without_actor_reason_or_figure_is_refused() {
    let world = World::new().await;
    let control = world.control().await;
    let sale = world.sale();
    control.put(&sale).await;
    for (body, names) in [
        (json!({"action": "pause", "reason": "r"}), "actor"),
        (json!({"action": "pause", "actor": "  ", "reason": "r"}), "actor"),
        (json!({"action": "pause", "actor": "a", "reason": ""}), "reason"),
        (json!({"action": "rate", "actor": "a", "reason": "r"}), "value"),
        (
            json!({"action": "pause", "value": 3, "actor": "a", "reason": "r"}),
            "value",
        ),
        (json!({"action": "stop", "actor": "a", "reason": "r"}), "stop"),
    ] {
        let (status, answer) = control.override_sale(sale.id, body.clone()).await;
        assert_eq!(status, 400, "{body}");
        assert!(answer["error"].as_str().unwrap().contains(names), "{answer}");
    }
    let unknown = uuid::Uuid::new_v4();
    let body = json!({"action": "pause", "actor": "a", "reason": "r"});
    assert_eq!(control.override_sale(unknown, body).await.0, 404);
}

#[tokio::test]
async fn fewer_ready_replicas_lower_the_rate_and_their_return_raises_it() {
    // Law capacity-first.
    let world = World::new().await;
    let control = world.control().await;
    let sale = world.sale();
    control.put(&sale).await;
    for (ready, rate) in [(1, 10), (0, 0), (4, 20)] {
        let request = control.request(reqwest::Method::PUT, &format!("/{}/capacity", sale.id));
        let (status, body) = crate::world::answer(request.json(&json!({"readyReplicas": ready}))).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(world.room(sale.id).await.clock.rate_per_s, rate);
        assert_eq!(world.limits(sale.id).await.rate_per_s, rate);
    }
}
