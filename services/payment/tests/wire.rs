//! The payment API as clients see it (C§10).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code
)]

mod world;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;
use urr_kit::identity::write_headers;
use urr_payment::Config;
use uuid::Uuid;
use world::{PRICE, World, caller};

struct Api {
    app: Router,
    internal_token: String,
}

impl Api {
    async fn new(world: &World) -> Self {
        let service = world.service().await;
        Self {
            app: service.app(&world.ctx),
            internal_token: world.ctx.secrets.internal_api_token.clone(),
        }
    }

    async fn call(&self, user: Option<Uuid>, method: &str, path: &str, body: Value) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(path);
        let headers = request.headers_mut().unwrap();
        match user {
            Some(user) => write_headers(headers, &caller(user)),
            None => {
                let bearer = format!("Bearer {}", self.internal_token);
                headers.insert("authorization", bearer.parse().unwrap());
            }
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        let answer = self
            .app
            .clone()
            .oneshot(request.body(body).unwrap())
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn prepare(&self, user: Uuid, reservation: Uuid, amount: i64) -> (u16, Value) {
        let body = json!({ "amount": amount, "reservationId": reservation });
        self.call(Some(user), "POST", "/api/payments/prepare", body).await
    }

    async fn confirm(&self, user: Uuid, order: &Value, key: &str, amount: i64) -> (u16, Value) {
        let body = json!({ "paymentKey": key, "orderId": order, "amount": amount });
        self.call(Some(user), "POST", "/api/payments/confirm", body).await
    }
}

fn refusal((status, body): (u16, Value)) -> (u16, String) {
    assert_eq!(body["error"], body["message"]);
    (status, body["error"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn prepare_confirm_read_and_cancel() {
    let world = World::new().await;
    let api = Api::new(&world).await;
    let (user, reservation) = world.hold().await;
    let (status, prepared) = api.prepare(user, reservation, PRICE).await;
    assert_eq!((status, &prepared["clientKey"]), (200, &json!("test_ck_dummy")));
    let order = &prepared["orderId"];
    let parts: Vec<&str> = order.as_str().unwrap().split('_').collect();
    assert!(
        parts[0] == "ORD" && parts[1].parse::<u64>().is_ok() && parts[2].len() == 8,
        "{order}"
    );
    assert_eq!(
        &api.prepare(user, reservation, PRICE).await.1["orderId"],
        order,
        "not reused"
    );

    let (status, paid) = api.confirm(user, order, "key/1", PRICE).await;
    assert_eq!(
        (status, &paid["success"], &paid["status"]),
        (200, &json!(true), &json!("confirmed")),
        "{paid}"
    );
    assert_eq!(
        (&paid["payment"]["method"], &paid["payment"]["amount"]),
        (&json!("toss"), &json!(PRICE))
    );
    assert!(paid["payment"]["approvedAt"].is_string());
    // R-PAY-05: the first result again; another key is a second charge.
    assert_eq!(
        api.confirm(user, order, "key/1", PRICE).await,
        (200, paid.clone())
    );
    let (status, text) = refusal(api.confirm(user, order, "key-2", PRICE).await);
    assert_eq!((status, text.as_str()), (400, "Payment already confirmed"));

    let path = format!("/api/payments/order/{}", order.as_str().unwrap());
    let (_, row) = api.call(Some(user), "GET", &path, Value::Null).await;
    assert_eq!(
        (&row["payment"]["status"], &row["payment"]["toss_status"]),
        (&json!("confirmed"), &json!("DONE"))
    );
    assert!(row["payment"]["created_at"].as_str().unwrap().ends_with("+00:00"));
    let (status, _) = api.call(Some(Uuid::new_v4()), "GET", &path, Value::Null).await;
    assert_eq!(status, 403);
    let (_, mine) = api
        .call(Some(user), "GET", "/api/payments/user/me?limit=500", Value::Null)
        .await;
    assert_eq!(
        mine["pagination"],
        json!({ "total": 1, "limit": 100, "offset": 0 })
    );
    assert!(mine["payments"][0].get("toss_status").is_none());

    let path = format!("/internal/payments/by-reservation/{reservation}");
    let (_, found) = api.call(None, "GET", &path, Value::Null).await;
    assert_eq!(
        (&found["found"], &found["status"]),
        (&json!(true), &json!("confirmed"))
    );
    assert_eq!(api.call(Some(user), "GET", &path, Value::Null).await.0, 401);

    let cancelled = api
        .call(Some(user), "POST", "/api/payments/key%2F1/cancel", Value::Null)
        .await;
    assert_eq!(
        cancelled,
        (
            200,
            json!({ "success": true, "message": "Payment cancelled successfully", "refundAmount": PRICE })
        )
    );
    assert_eq!(
        api.call(None, "GET", &path, Value::Null).await.1["status"],
        "refunded"
    );
}

#[tokio::test]
async fn refusals_are_clear_and_leak_nothing() {
    // C§15.23: booking's 4xx are not our 502.
    let world = World::new().await;
    let api = Api::new(&world).await;
    let (user, reservation) = world.hold().await;
    let stranger = Uuid::new_v4();
    let cases = [
        (
            api.prepare(user, reservation, PRICE - 1).await,
            400,
            "Amount mismatch",
        ),
        (
            api.prepare(user, Uuid::new_v4(), PRICE).await,
            404,
            "Reservation not found",
        ),
        (
            api.prepare(stranger, reservation, PRICE).await,
            403,
            "This reservation belongs to another user",
        ),
        (
            api.call(
                Some(user),
                "POST",
                "/api/payments/prepare",
                json!({ "amount": 1 }),
            )
            .await,
            400,
            "reservationId required",
        ),
        (
            api.call(
                Some(user),
                "POST",
                "/api/payments/prepare",
                json!({ "amount": 1, "paymentType": "transfer" }),
            )
            .await,
            400,
            "referenceId required for transfer",
        ),
        (
            api.confirm(user, &json!("ORD_1_00000000"), "k", PRICE).await,
            404,
            "Payment not found",
        ),
        (
            api.call(
                Some(user),
                "POST",
                "/api/payments/process",
                json!({ "paymentMethod": "kakao_pay", "reservationId": reservation }),
            )
            .await,
            400,
            "This payment method is not available",
        ),
    ];
    for (answer, status, text) in cases {
        assert_eq!(refusal(answer), (status, text.to_owned()));
    }
    let order = api.prepare(user, reservation, PRICE).await.1["orderId"].clone();
    assert_eq!(refusal(api.confirm(stranger, &order, "k", PRICE).await).0, 403);
    assert_eq!(
        refusal(api.confirm(user, &order, "k", PRICE + 1).await),
        (400, "Amount mismatch".to_owned())
    );
    assert_eq!(refusal(api.confirm(user, &order, " ", PRICE).await).0, 400);
    // The hold's time is up: nothing is charged.
    world.bed.clock().advance_ms(301_000);
    let (status, text) = refusal(api.confirm(user, &order, "k", PRICE).await);
    assert_eq!((status, text.contains("expired")), (400, true), "{text}");
    assert_eq!(world.count("SELECT count(*) FROM payment_logs").await, 0);
}

#[tokio::test]
async fn a_nul_in_a_path_or_a_body_is_the_callers_fault_and_nobody_elses_outage() {
    // C§15.22: the gateway counts 5xx, and its breaker closes a service to everybody.
    let world = World::new().await;
    let api = Api::new(&world).await;
    let (user, reservation) = world.hold().await;
    let order = api.prepare(user, reservation, PRICE).await.1["orderId"].clone();
    let nul = "k\0";
    let path = "/api/payments/order/%00";
    assert_eq!(
        refusal(api.call(Some(user), "GET", path, Value::Null).await).0,
        400
    );
    assert_eq!(refusal(api.confirm(user, &json!(nul), "k", PRICE).await).0, 400);
    assert_eq!(refusal(api.confirm(user, &order, nul, PRICE).await).0, 400);
    let path = "/api/payments/%00/cancel";
    assert_eq!(
        refusal(api.call(Some(user), "POST", path, Value::Null).await).0,
        400
    );
    // Nothing was begun, and in a reason it is left out.
    assert_eq!(api.confirm(user, &order, "k", PRICE).await.0, 200);
    let reason = json!({ "cancelReason": "so\0so" });
    assert_eq!(
        api.call(Some(user), "POST", "/api/payments/k/cancel", reason)
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn instant_methods_pay_at_once_and_once_where_they_are_offered() {
    // R-PAY-11.
    let mut world = World::new().await;
    world.config = Config {
        payment_instant_methods: true,
        ..Config::default()
    };
    let api = Api::new(&world).await;
    let (user, reservation) = world.hold().await;
    let body = json!({ "paymentMethod": "kakao_pay", "reservationId": reservation });
    let (status, paid) = api
        .call(Some(user), "POST", "/api/payments/process", body.clone())
        .await;
    assert_eq!(
        (status, &paid["message"]),
        (200, &json!("Payment completed")),
        "{paid}"
    );
    assert_eq!(
        (&paid["payment"]["method"], &paid["payment"]["amount"]),
        (&json!("kakao_pay"), &json!(PRICE))
    );
    let (_, again) = api.call(Some(user), "POST", "/api/payments/process", body).await;
    assert_eq!(
        (&again["message"], &again["payment"]),
        (&json!("Payment already completed"), &paid["payment"])
    );
}
