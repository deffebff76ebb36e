//! The provider over a real socket, as the payment service meets it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use urr_kit::clock::ManualClock;
use urr_kit::testing::eventually;
use urr_testpay::Config;

/// How long anything may take on a busy machine.
const SOON: Duration = Duration::from_secs(30);

struct Merchant {
    url: String,
    http: reqwest::Client,
}

impl Merchant {
    async fn new(config: Config) -> Self {
        let clock = ManualClock::default();
        let router = urr_testpay::router("sk_test", Arc::new(clock), &config);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            http: reqwest::Client::new(),
        }
    }

    async fn post(&self, path: &str, key: &str, body: Value) -> (u16, Value) {
        let answer = self
            .http
            .post(format!("{}{path}", self.url))
            .basic_auth("sk_test", Some(""))
            .header("Idempotency-Key", key)
            .json(&body)
            .timeout(SOON)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.url));
        let answer = request.basic_auth("sk_test", Some("")).send().await;
        answer.unwrap().json().await.unwrap()
    }
}

async fn behave(toss: &Merchant, behaviour: Value) {
    let set = toss.http.put(format!("{}/admin/behaviour", toss.url));
    assert!(set.json(&behaviour).send().await.unwrap().status().is_success());
}

fn charge(key: &str, order: &str) -> Value {
    json!({ "paymentKey": key, "orderId": order, "amount": 50_000 })
}

#[tokio::test]
async fn a_charge_is_made_queried_and_given_back() {
    let toss = Merchant::new(Config::default()).await;
    let (status, paid) = toss.post("/v1/payments/confirm", "a", charge("k1", "o1")).await;
    assert_eq!(
        (status, &paid["status"], &paid["totalAmount"]),
        (200, &json!("DONE"), &json!(50_000))
    );
    assert_eq!(toss.get("/v1/payments/k1").await["orderId"], "o1");
    assert_eq!(toss.get("/v1/payments/orders/o1").await["paymentKey"], "k1");

    let back = toss
        .post("/v1/payments/k1/cancel", "b", json!({"cancelReason": "why"}))
        .await;
    assert_eq!((back.0, &back.1["status"]), (200, &json!("CANCELED")));
    let ledger = toss.get("/ledger").await;
    assert_eq!(ledger[0]["cancels"][0]["cancelAmount"], 50_000);
}

#[tokio::test]
async fn a_repeat_with_the_same_idempotency_key_gets_the_first_answer_and_another_is_named() {
    let toss = Merchant::new(Config::default()).await;
    let first = toss.post("/v1/payments/confirm", "a", charge("k1", "o1")).await;
    assert_eq!(
        toss.post("/v1/payments/confirm", "a", charge("k1", "o1")).await,
        first
    );
    let other = toss.post("/v1/payments/confirm", "b", charge("k1", "o1")).await;
    assert_eq!(
        (other.0, &other.1["code"]),
        (400, &json!("ALREADY_PROCESSED_PAYMENT"))
    );
    assert_eq!(toss.get("/ledger").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_silent_charge_is_in_the_ledger_and_a_lost_one_is_not() {
    let toss = Merchant::new(Config::default()).await;
    let faults = json!({ "chargeThenHangNext": 1, "hangNext": 1 });
    let set = toss
        .http
        .put(format!("{}/admin/behaviour", toss.url))
        .json(&faults);
    assert!(set.send().await.unwrap().status().is_success());
    // The first to arrive is lost.
    let call = |order: &str| {
        let request = toss.http.post(format!("{}/v1/payments/confirm", toss.url));
        tokio::spawn(
            request
                .basic_auth("sk_test", Some(""))
                .json(&charge(order, order))
                .send(),
        )
    };
    let lost = call("lost");
    eventually(SOON, "the loss", async || {
        toss.get("/admin/behaviour").await["hangNext"] == 0
    })
    .await;
    let silent = call("silent");
    eventually(SOON, "the charge", async || {
        toss.get("/ledger").await[0].is_object()
    })
    .await;
    assert!(!lost.is_finished() && !silent.is_finished(), "one was answered");
    lost.abort();
    silent.abort();
    let ledger = toss.get("/ledger").await;
    assert_eq!(ledger.as_array().unwrap().len(), 1);
    assert_eq!(ledger[0]["orderId"], "silent");
}

#[tokio::test]
async fn a_wrong_secret_key_charges_nothing() {
    let toss = Merchant::new(Config::default()).await;
    let call = toss.http.post(format!("{}/v1/payments/confirm", toss.url));
    let answer = call
        .basic_auth("sk_other", Some(""))
        .json(&charge("k", "o"))
        .send()
        .await;
    assert_eq!(answer.unwrap().status(), 401);
    assert_eq!(toss.get("/ledger").await, json!([]));
}

#[tokio::test]
async fn a_forbidden_refund_is_forbidden_to_every_repeat_and_made_when_asked_anew() {
    let toss = Merchant::new(Config::default()).await;
    toss.post("/v1/payments/confirm", "a", charge("k1", "o1")).await;
    behave(&toss, json!({ "forbidCancelNext": 1 })).await;
    let why = json!({"cancelReason": "why"});
    for _ in 0..2 {
        let (status, body) = toss.post("/v1/payments/k1/cancel", "b", why.clone()).await;
        assert_eq!((status, &body["code"]), (403, &json!("NOT_CANCELABLE_PAYMENT")));
    }
    assert_eq!(toss.get("/ledger").await[0]["status"], "DONE");
    assert_eq!(toss.post("/v1/payments/k1/cancel", "c", why).await.0, 200);
}

#[tokio::test]
async fn a_lost_charge_is_known_as_the_widget_left_it_if_told_so() {
    let toss = Merchant::new(Config::default()).await;
    behave(&toss, json!({ "hangNext": 1, "lostWaitsAs": "IN_PROGRESS" })).await;
    let call = toss
        .http
        .post(format!("{}/v1/payments/confirm", toss.url))
        .basic_auth("sk_test", Some(""))
        .json(&charge("k1", "o1"))
        .send();
    let unanswered = tokio::spawn(call);
    let known = eventually(SOON, "the charge to be lost", async || {
        let known = toss.get("/v1/payments/k1").await;
        known["status"].is_string().then_some(known)
    })
    .await;
    unanswered.abort();
    assert_eq!(
        (&known["status"], &known["orderId"]),
        (&json!("IN_PROGRESS"), &json!("o1"))
    );
    assert_eq!(toss.get("/ledger").await, json!([]));
    assert_eq!(
        toss.post("/v1/payments/confirm", "a", charge("k1", "o1")).await.0,
        200
    );
    assert_eq!(toss.get("/v1/payments/k1").await["status"], "DONE");
}
