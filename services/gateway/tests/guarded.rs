//! Limits, log-outs and sick services at the public entry (R-GW-02, -06, -08).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use axum::{
    Json, Router,
    body::Body,
    extract::{ConnectInfo, State},
    http::{HeaderMap, Request, StatusCode},
    routing::any,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::{io::AsyncReadExt as _, net::TcpListener};
use tower::ServiceExt;
use urr_gateway::{Backend, Backends, Config, Room};
use urr_kit::{
    clock::Clock,
    identity::{AccessTokens, Identity, Role, denied_token_key},
    testing::TestBed,
};
use uuid::Uuid;

/// A service that counts its calls and can be made to fail.
#[derive(Clone, Default)]
struct Service {
    calls: Arc<AtomicUsize>,
    fails: Arc<AtomicBool>,
}

impl Service {
    fn router(&self) -> Router {
        async fn answer(State(service): State<Service>, headers: HeaderMap) -> (StatusCode, Json<Value>) {
            service.calls.fetch_add(1, Ordering::SeqCst);
            if service.fails.load(Ordering::SeqCst) {
                return (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({})));
            }
            let user = headers.get("x-user-id").map(|id| id.to_str().unwrap().to_owned());
            (StatusCode::OK, Json(json!({ "user": user })))
        }
        Router::new().fallback(any(answer)).with_state(self.clone())
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

struct Entry {
    bed: TestBed,
    router: Router,
    service: Service,
}

impl Entry {
    /// Everything is one service: booking in another process, the rest in this one.
    async fn new() -> Self {
        let bed = TestBed::new().await;
        let service = Service::default();
        let remote = bed.serve(service.router()).await;
        let mut backends: Backends = Room::ALL
            .into_iter()
            .map(|room| (room, Backend::Mounted(service.router())))
            .collect();
        backends.insert(Room::Booking, Backend::Remote(remote));
        let config = Config {
            general_rpm: 1_000_000,
            ..Config::default()
        };
        let gateway = urr_gateway::start(&bed.ctx(), &config, backends).await.unwrap();
        Self {
            bed,
            router: gateway.router,
            service,
        }
    }

    async fn call(&self, method: &str, path: &str, token: Option<&str>) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut request = request.body(Body::empty()).unwrap();
        let street: SocketAddr = "203.0.113.9:4711".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(street));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    fn token(&self) -> (Uuid, String) {
        let identity = Identity {
            user_id: Uuid::new_v4(),
            email: "a@b.c".to_owned(),
            role: Role::User,
        };
        let tokens = AccessTokens::new(&self.bed.ctx().secrets);
        (
            identity.user_id,
            tokens.issue_access(&identity, self.bed.clock().now()),
        )
    }
}

#[tokio::test]
async fn a_token_that_was_logged_out_is_nobodys_at_once() {
    let entry = Entry::new().await;
    let (user, token) = entry.token();
    let (_, other) = entry.token();
    let (_, seen) = entry.call("GET", "/api/payments/user/me", Some(&token)).await;
    assert_eq!(seen["user"], user.to_string());
    let redis = entry.bed.ctx().redis().await.unwrap();
    redis::cmd("SET")
        .arg(redis.key(&denied_token_key(&token)))
        .arg(1)
        .query_async::<()>(&mut redis.conn())
        .await
        .unwrap();
    let (_, seen) = entry.call("GET", "/api/payments/user/me", Some(&token)).await;
    assert_eq!(seen["user"], Value::Null);
    let (_, seen) = entry.call("GET", "/api/payments/user/me", Some(&other)).await;
    assert_ne!(seen["user"], Value::Null, "somebody else's still counts");
    // Admin paths need somebody.
    assert_eq!(
        entry.call("GET", "/api/admin/dashboard", Some(&token)).await.0,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_burst_of_logins_from_one_address_is_stopped_within_the_second() {
    let entry = Entry::new().await;
    for _ in 0..10 {
        assert_eq!(
            entry.call("POST", "/api/auth/login", None).await.0,
            StatusCode::OK
        );
    }
    let (status, body) = entry.call("POST", "/api/auth/login", None).await;
    assert_eq!(
        (status, &body["retryAfter"]),
        (StatusCode::TOO_MANY_REQUESTS, &json!(1))
    );
    assert_eq!(entry.service.calls(), 10);
    assert_eq!(
        entry.call("GET", "/api/events", None).await.0,
        StatusCode::OK,
        "another bucket"
    );
    entry.bed.clock().advance_ms(100);
    assert_eq!(
        entry.call("POST", "/api/auth/login", None).await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_sick_service_is_left_alone_and_found_again() {
    let entry = Entry::new().await;
    let (_, token) = entry.token();
    let call = || entry.call("GET", "/api/reservations/my", Some(&token));
    entry.service.fails.store(true, Ordering::SeqCst);
    for _ in 0..100 {
        assert_eq!(call().await.0, StatusCode::INTERNAL_SERVER_ERROR);
        entry.bed.clock().advance_ms(10);
    }
    let called = entry.service.calls();
    let (status, body) = call().await;
    assert_eq!(
        (status, &body["retryAfter"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!(2))
    );
    assert_eq!(entry.service.calls(), called, "it was not called");
    // The others are not its fault.
    assert_ne!(
        entry.call("GET", "/api/payments/user/me", Some(&token)).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    entry.service.fails.store(false, Ordering::SeqCst);
    assert_eq!(
        call().await.0,
        StatusCode::SERVICE_UNAVAILABLE,
        "not before its rest is over"
    );
    entry.bed.clock().advance_ms(2000);
    for _ in 0..20 {
        assert_eq!(call().await.0, StatusCode::OK);
    }
}

/// A backend that hangs up on its first callers.
async fn hangs_up(times: usize, service: Service) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for _ in 0..times {
            let (mut connection, _) = listener.accept().await.unwrap();
            // It has read the request: whether it acted nobody knows.
            let _ = connection.read(&mut [0; 1024]).await;
        }
        axum::serve(listener, service.router()).await.unwrap();
    });
    base
}

#[tokio::test]
async fn a_read_is_tried_thrice_and_a_write_once() {
    let bed = TestBed::new().await;
    let service = Service::default();
    for (method, path, hang_ups, answer) in [
        ("GET", "/api/time", 2, StatusCode::OK),
        ("GET", "/api/time", 3, StatusCode::SERVICE_UNAVAILABLE),
        ("DELETE", "/api/transfers/x", 2, StatusCode::OK),
        ("POST", "/api/transfers", 1, StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let base = hangs_up(hang_ups, service.clone()).await;
        let backends = Backends::from([(Room::Booking, Backend::Remote(base))]);
        let gateway = urr_gateway::start(&bed.ctx(), &Config::default(), backends)
            .await
            .unwrap();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        let response = gateway.router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), answer, "{method} after {hang_ups} hang-ups");
    }
}
