//! The auth service as its callers meet it, on a real Postgres and Redis.
#![allow(unreachable_pub, dead_code)]

use axum::body::Body;
use axum::http::{HeaderMap, Request, header};
use serde_json::{Value, json};
use tower::ServiceExt;
use urr_auth::Config;
use urr_kit::identity::{AccessTokens, write_headers};
use urr_kit::testing::TestBed;

pub struct Auth {
    pub bed: TestBed,
    app: axum::Router,
    pub tokens: AccessTokens,
}

pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub headers: HeaderMap,
}

impl Auth {
    pub async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        Self::on(TestBed::new().await, config).await
    }

    /// On a bed that serves what `config` names. The service's tasks run.
    pub async fn on(bed: TestBed, config: Config) -> Self {
        let config = Config {
            auth_bcrypt_cost: 4,
            auth_allow_weak_hashes: true,
            ..config
        };
        let service = urr_auth::start(&bed.ctx(), config).await.unwrap();
        let app = service.app(&bed.ctx());
        bed.run(service.tasks);
        let tokens = AccessTokens::new(&bed.ctx().secrets);
        Self { bed, app, tokens }
    }

    pub async fn call(&self, method: &str, path: &str, headers: HeaderMap, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        *request.headers_mut().unwrap() = headers;
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
        let (parts, body) = answer.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status.as_u16(),
            body: serde_json::from_slice(&bytes).unwrap(),
            headers: parts.headers,
        }
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, HeaderMap::new(), body).await
    }

    pub async fn register(&self, email: &str) -> Answer {
        let body = json!({ "email": email, "password": "password1", "name": "Kim", "phone": "" });
        self.post("/api/auth/register", body).await
    }

    pub async fn login(&self, email: &str, password: &str) -> Answer {
        self.post("/api/auth/login", json!({ "email": email, "password": password }))
            .await
    }

    pub async fn refresh(&self, token: &Value) -> Answer {
        self.post("/api/auth/refresh", json!({ "refreshToken": token }))
            .await
    }

    /// What the gateway passes on for this access token.
    pub fn as_caller(&self, token: &str) -> HeaderMap {
        let caller = self
            .tokens
            .verify_access(token, urr_kit::Clock::now(&*self.bed.clock()))
            .unwrap();
        let mut headers = HeaderMap::new();
        write_headers(&mut headers, &caller);
        headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        headers
    }
}
