//! The provider over a real socket, as the payment service meets it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use urr_kit::clock::ManualClock;
use urr_testpay::Config;

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
            .timeout(Duration::from_millis(500))
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
    for order in ["lost", "silent"] {
        let call = toss
            .http
            .post(format!("{}/v1/payments/confirm", toss.url))
            .basic_auth("sk_test", Some(""))
            .json(&charge(order, order))
            .timeout(Duration::from_millis(100))
            .send();
        assert!(call.await.unwrap_err().is_timeout(), "{order} was answered");
    }
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
