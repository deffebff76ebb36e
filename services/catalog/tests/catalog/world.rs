//! Catalog with the real booking beside it.

use axum::{
    Router,
    body::Body,
    http::{Method, Request, Response, StatusCode},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use urr_catalog::Config;
use urr_kit::{
    clock::Clock,
    identity::{Identity, Role, write_headers},
    testing::TestBed,
    wire,
};
use uuid::Uuid;

pub(crate) struct World {
    pub(crate) bed: TestBed,
    catalog: Router,
    pub(crate) internal: Router,
    pub(crate) booking: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(TestBed::new().await, Config::default()).await
    }

    /// As [`World::new`], on a bed that serves what `config` names.
    pub(crate) async fn on(bed: TestBed, config: Config) -> Self {
        let booking = urr_booking::start(&bed.ctx(), urr_booking::Config::default())
            .await
            .unwrap();
        let base = bed.serve(booking.app(&bed.ctx())).await;
        Self::beside(bed, config, base).await
    }

    /// As [`World::new`], and nobody is where booking should be.
    pub(crate) async fn without_booking() -> Self {
        // Bound and let go: nothing listens there.
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", gone.local_addr().unwrap());
        drop(gone);
        Self::beside(TestBed::new().await, Config::default(), base).await
    }

    async fn beside(bed: TestBed, config: Config, base: String) -> Self {
        let ctx = bed
            .ctx()
            .with_settings(|settings| settings.urls.booking = base.clone());
        let service = urr_catalog::start(&ctx, config).await.unwrap();
        bed.run(service.tasks);
        Self {
            bed,
            catalog: service.router,
            internal: service.internal,
            booking: base,
        }
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        role: Option<Role>,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(role) = role {
            write_headers(request.headers_mut().unwrap(), &someone(role));
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        answer(&self.catalog, request.body(body).unwrap()).await
    }

    pub(crate) async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        self.call(method, path, Some(Role::Admin), body).await
    }

    /// A request of an admin's that is no JSON.
    pub(crate) async fn raw(&self, mut request: Request<Body>, role: Role) -> (StatusCode, Value) {
        write_headers(request.headers_mut(), &someone(role));
        answer(&self.catalog, request).await
    }

    /// The answer as it came.
    pub(crate) async fn fetch(&self, path: &str) -> Response<Body> {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        self.catalog.clone().oneshot(request).await.unwrap()
    }

    /// An event of this artist's; the artist's id.
    pub(crate) async fn artist(&self, name: &str) -> Uuid {
        let mut draft = self.draft("Tour", 60);
        draft["artistName"] = json!(name);
        let (_, made) = self.admin(Method::POST, "/api/admin/events", Some(draft)).await;
        made["event"]["artist_id"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) async fn audited(&self, action: &str) -> Vec<Value> {
        let pool = self
            .bed
            .ctx()
            .postgres("catalog", &urr_catalog::MIGRATOR)
            .await
            .unwrap();
        sqlx::query_scalar("SELECT detail FROM admin_audit_logs WHERE action = $1 ORDER BY created_at")
            .bind(action)
            .fetch_all(&pool)
            .await
            .unwrap()
    }

    /// What others were told events are, in order.
    pub(crate) async fn told(&self) -> Vec<String> {
        let pool = self
            .bed
            .ctx()
            .postgres("catalog", &urr_catalog::MIGRATOR)
            .await
            .unwrap();
        sqlx::query_scalar(
            "SELECT payload -> 'payload' ->> 'status' FROM outbox_events WHERE event_type = 'EVENT_CHANGED'
             ORDER BY seq",
        )
        .fetch_all(&pool)
        .await
        .unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.call(Method::GET, path, None, None).await
    }

    pub(crate) async fn layout(&self) -> Uuid {
        let config = json!({"sections": [
            {"name": "A", "rows": 2, "seatsPerRow": 5, "price": 99_000, "startRow": 1},
            {"name": "B", "rows": 1, "seatsPerRow": 4, "price": 55_000, "startRow": 3},
        ]});
        let made: Value = self
            .bed
            .ctx()
            .internal()
            .post_json(
                &format!("{}/internal/seat-layouts", self.booking),
                &json!({"name": format!("hall-{}", Uuid::new_v4()), "layout_config": config}),
            )
            .await
            .unwrap();
        let id = made["layout"]["id"]
            .as_str()
            .or_else(|| made["id"].as_str())
            .unwrap_or_else(|| panic!("{made}"));
        id.parse().unwrap()
    }

    /// An event on sale from `opens_in_s` on for an hour.
    pub(crate) fn draft(&self, title: &str, opens_in_s: i64) -> Value {
        let now = self.bed.clock().now();
        json!({
            "title": title,
            "venue": "Olympic Hall",
            "eventDate": wire::text(wire::at(now.plus_s(30 * 86_400))),
            "saleStartDate": wire::text(wire::at(now.plus_s(opens_in_s))),
            "saleEndDate": wire::text(wire::at(now.plus_s(opens_in_s + 3600))),
            "artistName": "The Waves",
        })
    }
}

fn someone(role: Role) -> Identity {
    Identity {
        user_id: Uuid::new_v4(),
        email: "admin@urr.com".to_owned(),
        role,
    }
}

pub(crate) async fn answer(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}
