//! What the public entry lets through, and as whom (laws `no-back-door`; R-GW-01 to -05, -11).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use axum::{
    Json, Router,
    body::Body,
    http::{HeaderMap, Method, Request, Response, StatusCode, Uri},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use urr_core::token::entry;
use urr_gateway::{Backend, Backends, Config, Room};
use urr_kit::{
    clock::Clock,
    identity::{AccessTokens, Identity, Role},
    testing::TestBed,
};
use uuid::Uuid;

/// A backend that says what reached it.
fn echo() -> Router {
    async fn handler(method: Method, uri: Uri, headers: HeaderMap) -> Json<Value> {
        let header = |name: &str| {
            headers
                .get(name)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Json(json!({
            "method": method.as_str(),
            "uri": uri.path_and_query().map(ToString::to_string),
            "user": header("x-user-id"),
            "role": header("x-user-role"),
        }))
    }
    Router::new().fallback(handler)
}

struct Edge {
    bed: TestBed,
    router: Router,
    tokens: AccessTokens,
}

impl Edge {
    async fn new(config: Config) -> Self {
        let bed = TestBed::new().await;
        let ctx = bed.ctx();
        let remote = bed.serve(echo()).await;
        let mut backends: Backends = Room::ALL
            .into_iter()
            .map(|room| (room, Backend::Mounted(echo())))
            .collect();
        backends.insert(Room::Stats, Backend::Remote(remote));
        backends.insert(Room::Community, Backend::Remote("http://127.0.0.1:1".to_owned()));
        let service = urr_gateway::start(&ctx, &config, backends).await.unwrap();
        let tokens = AccessTokens::new(&ctx.secrets);
        Self {
            bed,
            router: service.router,
            tokens,
        }
    }

    async fn call(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.raw(request).await;
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn raw(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    fn someone(&self, role: Role) -> (Identity, String) {
        let identity = Identity {
            user_id: Uuid::new_v4(),
            email: "a@b.c".to_owned(),
            role,
        };
        let token = self.tokens.issue_access(&identity, self.bed.clock().now());
        (identity, token)
    }

    fn entry_token(&self, user: Uuid) -> String {
        let now_s = self.bed.clock().now().0 / 1000;
        let claims = entry::Claims {
            sub: Uuid::new_v4(),
            uid: user,
            iat: now_s,
            exp: now_s + 600,
        };
        entry::issue(&self.bed.ctx().secrets.entry_keys, &claims)
    }
}

fn get(path: &str) -> axum::http::request::Builder {
    Request::builder().uri(path)
}

fn empty(builder: axum::http::request::Builder) -> Request<Body> {
    builder.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn identity_comes_from_the_token_and_from_nowhere_else() {
    let edge = Edge::new(Config::default()).await;
    let (identity, token) = edge.someone(Role::User);

    let forged = empty(
        get("/api/v1/payments/user/me?limit=2")
            .header("x-user-id", Uuid::new_v4().to_string())
            .header("x-user-role", "admin"),
    );
    let (_, seen) = edge.call(forged).await;
    assert_eq!(seen["user"], Value::Null);
    assert_eq!(seen["role"], Value::Null);
    assert_eq!(seen["uri"], "/api/payments/user/me?limit=2");

    let honest = empty(
        get("/api/payments/user/me")
            .header("authorization", format!("Bearer {token}"))
            .header("x-user-id", "someone else"),
    );
    let (_, seen) = edge.call(honest).await;
    assert_eq!(seen["user"], identity.user_id.to_string());
    assert_eq!(seen["role"], "user");

    let by_cookie =
        empty(get("/api/payments/user/me").header("cookie", format!("x=1; access_token={token}")));
    let (_, seen) = edge.call(by_cookie).await;
    assert_eq!(seen["user"], identity.user_id.to_string());

    let bad_header_wins = empty(
        get("/api/payments/user/me")
            .header("authorization", "Bearer no")
            .header("cookie", format!("access_token={token}")),
    );
    let (_, seen) = edge.call(bad_header_wins).await;
    assert_eq!(seen["user"], Value::Null);
}

#[tokio::test]
async fn a_refresh_token_is_no_access_token() {
    let edge = Edge::new(Config::default()).await;
    let refresh = edge
        .tokens
        .issue_refresh(Uuid::new_v4(), Uuid::new_v4(), edge.bed.clock().now());
    let (_, seen) = edge
        .call(empty(
            get("/api/payments/user/me").header("authorization", format!("Bearer {}", refresh.token)),
        ))
        .await;
    assert_eq!(seen["user"], Value::Null);
}

#[tokio::test]
async fn an_access_token_ends_with_its_time() {
    let edge = Edge::new(Config::default()).await;
    let (_, token) = edge.someone(Role::User);
    edge.bed.clock().advance_ms(31 * 60 * 1000);
    let (_, seen) = edge
        .call(empty(
            get("/api/payments/user/me").header("authorization", format!("Bearer {token}")),
        ))
        .await;
    assert_eq!(seen["user"], Value::Null);
}

#[tokio::test]
async fn seats_need_an_entry_token_of_the_same_user() {
    let edge = Edge::new(Config::default()).await;
    let (identity, token) = edge.someone(Role::User);
    let call = |entry: Option<String>| {
        let mut builder = get("/api/v1/seats/reserve")
            .method("POST")
            .header("authorization", format!("Bearer {token}"));
        if let Some(entry) = entry {
            builder = builder.header("x-queue-entry-token", entry);
        }
        empty(builder)
    };
    let (status, body) = edge.call(call(None)).await;
    assert_eq!(
        (status, &body["redirectTo"]),
        (StatusCode::FORBIDDEN, &json!("/queue"))
    );
    assert_eq!(body["error"], "Queue entry token required");
    assert_eq!(body["message"], body["error"]);
    assert_eq!(
        edge.call(call(Some("x.y.z".to_owned()))).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        edge.call(call(Some(edge.entry_token(Uuid::new_v4())))).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        edge.call(call(Some(edge.entry_token(identity.user_id)))).await.0,
        StatusCode::OK
    );
    let own = edge.entry_token(identity.user_id);
    edge.bed.clock().advance_ms(11 * 60 * 1000);
    assert_eq!(edge.call(call(Some(own))).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn internal_paths_are_never_routed() {
    let edge = Edge::new(Config::default()).await;
    for path in [
        "/internal/reservations/x/confirm",
        "/api/v1/internal/users",
        "/api/../internal/users",
        "/nowhere",
    ] {
        assert_eq!(
            edge.call(empty(get(path))).await.0,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn admin_paths_are_for_admins() {
    let edge = Edge::new(Config::default()).await;
    let (_, user) = edge.someone(Role::User);
    let (_, admin) = edge.someone(Role::Admin);
    let call = |token: Option<&str>| {
        let builder = get("/api/v1/admin/dashboard");
        empty(match token {
            Some(token) => builder.header("authorization", format!("Bearer {token}")),
            None => builder,
        })
    };
    assert_eq!(edge.call(call(None)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(edge.call(call(Some(&user))).await.0, StatusCode::FORBIDDEN);
    assert_eq!(edge.call(call(Some(&admin))).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_refusal_still_carries_cross_origin_headers() {
    // Quirk 17: without them a browser reports a network error instead of the 403.
    let edge = Edge::new(Config::default()).await;
    let refused = edge
        .raw(empty(
            get("/api/seats/events/x").header("origin", "http://localhost:3000"),
        ))
        .await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        refused.headers()["access-control-allow-origin"],
        "http://localhost:3000"
    );
    assert_eq!(refused.headers()["x-content-type-options"], "nosniff");
    let preflight = edge
        .raw(empty(
            get("/api/seats/reserve")
                .method("OPTIONS")
                .header("origin", "http://localhost:3000")
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "x-queue-entry-token"),
        ))
        .await;
    assert_eq!(preflight.status(), StatusCode::OK);
    let stranger = edge
        .raw(empty(get("/api/events").header("origin", "https://evil.example")))
        .await;
    assert!(!stranger.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn callers_have_a_limit_of_their_own() {
    let edge = Edge::new(Config {
        queue_rpm: 3,
        ..Config::default()
    })
    .await;
    let (_, first) = edge.someone(Role::User);
    let (_, second) = edge.someone(Role::User);
    let call =
        |token: &str| empty(get("/api/queue/status/x").header("authorization", format!("Bearer {token}")));
    for _ in 0..3 {
        assert_eq!(edge.call(call(&first)).await.0, StatusCode::OK);
    }
    let (status, body) = edge.call(call(&first)).await;
    assert_eq!(
        (status, &body["retryAfter"]),
        (StatusCode::TOO_MANY_REQUESTS, &json!(60))
    );
    assert_eq!(edge.call(call(&second)).await.0, StatusCode::OK);
    // The window slides.
    edge.bed.clock().advance_ms(61_000);
    assert_eq!(edge.call(call(&first)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_waiting_room_has_no_limit_but_its_pacing() {
    let edge = Edge::new(Config {
        general_rpm: 1,
        ..Config::default()
    })
    .await;
    for _ in 0..5 {
        assert_eq!(
            edge.call(empty(get("/vwr-api/vwr/check/a/b"))).await.0,
            StatusCode::OK
        );
    }
}

/// Each join can take a place; polls stay free.
#[tokio::test]
async fn joins_are_counted_by_address_wherever_the_waiting_room_is() {
    for is_remote in [false, true] {
        let bed = TestBed::new().await;
        let vwr = if is_remote {
            Backend::Remote(bed.serve(echo()).await)
        } else {
            Backend::Mounted(echo())
        };
        let config = Config {
            burst_joins_per_s: 3,
            ..Config::default()
        };
        let service = urr_gateway::start(&bed.ctx(), &config, Backends::from([(Room::Vwr, vwr)]))
            .await
            .unwrap();
        let status = async |method: Method, path: &str, from: [u8; 4]| {
            let mut request = Request::builder()
                .method(method)
                .uri(path)
                .header("origin", "http://localhost:3000");
            let peer = std::net::SocketAddr::from((from, 4711));
            request = request.extension(axum::extract::ConnectInfo(peer));
            let answer = service.router.clone().oneshot(empty(request)).await.unwrap();
            assert!(answer.headers().contains_key("access-control-allow-origin"));
            answer.status()
        };
        let street = [203, 0, 113, 9];
        for _ in 0..3 {
            assert_eq!(
                status(Method::POST, "/vwr-api/vwr/assign/a", street).await,
                StatusCode::OK
            );
        }
        assert_eq!(
            status(Method::POST, "/vwr-api/vwr/assign/a", street).await,
            StatusCode::TOO_MANY_REQUESTS
        );
        for _ in 0..20 {
            assert_eq!(
                status(Method::GET, "/vwr-api/vwr/check/a/b", street).await,
                StatusCode::OK
            );
        }
        let elsewhere = [203, 0, 113, 10];
        assert_eq!(
            status(Method::POST, "/vwr-api/vwr/assign/a", elsewhere).await,
            StatusCode::OK
        );
        bed.clock().advance_ms(400);
        assert_eq!(
            status(Method::POST, "/vwr-api/vwr/assign/a", street).await,
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn the_waiting_room_is_reached_with_its_own_path_parameters_only() {
    async fn one(urr_kit::extract::Path(id): urr_kit::extract::Path<Uuid>) -> String {
        id.to_string()
    }
    let bed = TestBed::new().await;
    let room = Router::new()
        .route("/vwr-api/vwr/status/{event}", axum::routing::get(one))
        .route("/api/admin/vwr/status/{event}", axum::routing::get(one));
    let backends = Backends::from([(Room::Vwr, Backend::Mounted(room))]);
    let router = urr_gateway::start(&bed.ctx(), &Config::default(), backends)
        .await
        .unwrap()
        .router;
    let id = Uuid::new_v4();
    let call = |path: String| router.clone().oneshot(empty(get(&path)));
    let response = call(format!("/vwr-api/vwr/status/{id}")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        id.to_string()
    );
    // Its admin paths are behind the pipeline, however they are spelled.
    for path in ["/api/v1/admin/vwr/status", "/api/admin/vwr/status"] {
        assert_eq!(
            call(format!("{path}/{id}")).await.unwrap().status(),
            StatusCode::UNAUTHORIZED
        );
    }
}

#[tokio::test]
async fn a_remote_service_answers_through_the_hop_and_a_dead_one_says_503() {
    let edge = Edge::new(Config::default()).await;
    let (status, seen) = edge.call(empty(get("/api/v1/stats/overview?days=3"))).await;
    assert_eq!(
        (status, &seen["uri"]),
        (StatusCode::OK, &json!("/api/stats/overview?days=3"))
    );
    let (status, body) = edge.call(empty(get("/api/v1/news"))).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        !body["error"].as_str().unwrap().contains("127.0.0.1"),
        "internal address leaked"
    );
}
