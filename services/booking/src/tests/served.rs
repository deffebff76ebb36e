//! The whole service behind its routes, as the gateway and the others reach it.

use super::hall;
use crate::Config;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tower::ServiceExt as _;
use urr_core::sale::{AdmissionSettings, CapacitySettings, Sale, Schedule};
use urr_core::token::entry;
use urr_kit::clock::{Clock as _, ManualClock};
use urr_kit::events::{Envelope, EventBus as _, RedisStreams, bus::Message};
use urr_kit::identity::{Identity, Role, write_headers};
use urr_kit::testing::TestBed;
use uuid::Uuid;

/// How long anything may take to be heard.
pub(super) const SOON: Duration = Duration::from_secs(30);

pub(super) struct Api {
    bed: TestBed,
    pub(super) clock: Arc<ManualClock>,
    app: axum::Router,
    pub(super) event: Uuid,
    /// One that catalog knows, with a membership at 45,000 KRW.
    pub(super) artist: Uuid,
    catalog_away: Arc<AtomicBool>,
}

/// Catalog's word on artists: every id but nil is one, while it is there.
fn catalog(away: Arc<AtomicBool>) -> axum::Router {
    use axum::extract::Path;
    use axum::response::IntoResponse as _;
    let artist = |Path(id): Path<Uuid>| async move {
        if away.load(Ordering::SeqCst) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        if id.is_nil() {
            return StatusCode::NOT_FOUND.into_response();
        }
        let told = json!({"name": "The Waves", "image_url": null, "membership_price": 45_000});
        axum::Json(told).into_response()
    };
    axum::Router::new().route("/internal/artists/{id}", axum::routing::get(artist))
}

/// A caller: user, and the entry token he shows.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) user: Uuid,
    pub(super) token: Option<String>,
}

impl Api {
    pub(super) async fn new(seats: u32) -> Self {
        let bed = TestBed::new().await;
        let catalog_away = Arc::new(AtomicBool::new(false));
        let catalog = bed.serve(catalog(Arc::clone(&catalog_away))).await;
        let ctx = bed
            .ctx()
            .with_settings(|settings| settings.urls.catalog = catalog);
        let config = Config {
            cleanup_interval_ms: 20,
            ..Config::default()
        };
        let service = crate::start(&ctx, config).await.unwrap();
        let app = service.router.clone().merge(service.internal.clone());
        bed.run(service.tasks);
        let api = Self {
            clock: bed.clock(),
            bed,
            app,
            event: Uuid::new_v4(),
            artist: Uuid::new_v4(),
            catalog_away,
        };
        api.put_sale().await;
        let layout = json!({"name": "Hall", "layout_config": hall(seats)});
        let (status, made) = api
            .internal(Method::POST, "/internal/seat-layouts", &layout)
            .await;
        assert_eq!(status, 201, "{made}");
        let path = format!(
            "/internal/seats/generate/{}/{}",
            api.event,
            made["id"].as_str().unwrap()
        );
        let (status, made) = api.internal(Method::POST, &path, &Value::Null).await;
        assert_eq!(
            (status, &made["seatsCreated"]),
            (StatusCode::OK, &json!(seats)),
            "{made}"
        );
        let (status, again) = api.internal(Method::POST, &path, &Value::Null).await;
        assert_eq!(status, 400, "{again}");
        api
    }

    pub(super) fn catalog_is_away(&self) {
        self.catalog_away.store(true, Ordering::SeqCst);
    }

    async fn put_sale(&self) {
        let now = self.clock.now();
        let sale = Sale {
            id: self.event,
            name: "Opening night".into(),
            schedule: Schedule {
                pre_queue_at: now,
                opens_at: now,
                closes_at: now.plus_s(24 * 3600),
            },
            ordering: urr_core::sale::Ordering::default(),
            seats: 4,
            expected_visitors: 10,
            admission: AdmissionSettings {
                hold_ttl_s: 300,
                ..AdmissionSettings::default()
            },
            capacity: CapacitySettings {
                rate_per_replica: 10,
                replicas: 1,
            },
        };
        let path = format!("/internal/sales/{}", self.event);
        let (status, body) = self
            .internal(Method::PUT, &path, &serde_json::to_value(&sale).unwrap())
            .await;
        assert_eq!(status, 200, "{body}");
    }

    pub(super) fn token(&self, event: Uuid, user: Uuid) -> String {
        let claims = entry::Claims::new(event, user, self.clock.now(), 600);
        entry::issue(&self.bed.ctx().secrets.entry_keys, &claims)
    }

    pub(super) fn visitor(&self) -> Caller {
        let user = Uuid::new_v4();
        Caller {
            user,
            token: Some(self.token(self.event, user)),
        }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        use axum::body::to_bytes;
        let response = self.app.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    pub(super) async fn internal(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let token = format!("Bearer {}", self.bed.ctx().secrets.internal_api_token);
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", token);
        self.send(request.body(body).unwrap()).await
    }

    pub(super) async fn call(
        &self,
        who: Option<&Caller>,
        method: Method,
        path: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        let mut request = Request::builder().method(method).uri(path).body(body).unwrap();
        if let Some(caller) = who {
            let identity = Identity {
                user_id: caller.user,
                email: "a@b.kr".into(),
                role: Role::User,
            };
            write_headers(request.headers_mut(), &identity);
            if let Some(token) = &caller.token {
                request
                    .headers_mut()
                    .insert("x-queue-entry-token", token.parse().unwrap());
            }
        }
        self.send(request).await
    }

    pub(super) async fn map(&self, who: &Caller, query: &str) -> Value {
        let path = format!("/api/seats/events/{}{query}", self.event);
        let (status, body) = self.call(Some(who), Method::GET, &path, &Value::Null).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    pub(super) async fn reserve(&self, who: &Caller, seat: &Value) -> (StatusCode, Value) {
        let body = json!({"eventId": self.event, "seatIds": [seat]});
        self.call(Some(who), Method::POST, "/api/seats/reserve", &body)
            .await
    }

    pub(super) async fn publish(&self, topic: &str, event: &Envelope) {
        let bus = RedisStreams::new(self.bed.ctx().redis().await.unwrap());
        let message = Message::new(topic, event).unwrap();
        // Twice: a bus delivers at least once.
        bus.publish(&[message.clone(), message]).await.unwrap();
    }

    pub(super) async fn pool(&self) -> sqlx::PgPool {
        self.bed
            .ctx()
            .postgres("booking", &crate::store::MIGRATOR)
            .await
            .unwrap()
    }

    pub(super) async fn status_of(&self, who: &Caller, reservation: &Value) -> Value {
        let path = format!("/api/reservations/{}", reservation.as_str().unwrap());
        let (status, body) = self.call(Some(who), Method::GET, &path, &Value::Null).await;
        assert_eq!(status, 200, "{body}");
        body["reservation"]["status"].clone()
    }
}
