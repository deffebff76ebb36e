//! One test's world: stores, stand-ins for the services, and as many control planes as it likes.

use axum::extract::{Path, State};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use urr_controlplane::Config;
use urr_controlplane::observe::Observer;
use urr_controlplane::pulses::Pulses;
use urr_controlplane::reconcile::Reconciler;
use urr_controlplane::store::SalesStore;
use urr_core::pulse::Pulse;
use urr_core::room::Room;
use urr_core::sale::{AdmissionSettings, CapacitySettings, Sale, SaleId};
use urr_core::snapshot::{QueueView, SeatsView};
use urr_core::testing::sale_that_opens;
use urr_core::time::Millis;
use urr_kit::Ctx;
use urr_kit::state::limits::{Limits, LimitsStore};
use urr_kit::state::rooms::Rooms;
use urr_kit::testing::TestBed;

/// Long enough for a loaded machine, short enough to notice.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// What the stand-ins for booking and queue say and heard.
#[derive(Clone, Default)]
pub(crate) struct Services {
    pub(crate) told: Arc<Mutex<HashMap<SaleId, Sale>>>,
    pub(crate) seats: Arc<Mutex<Option<SeatsView>>>,
    pub(crate) queue: Arc<Mutex<Option<QueueView>>>,
    pub(crate) unwell: Arc<AtomicBool>,
    pub(crate) pulse: Arc<Mutex<Option<Pulse>>>,
}

impl Services {
    fn router(self) -> Router {
        fn said<T: Clone>(what: &Mutex<Option<T>>) -> Result<Json<T>, axum::http::StatusCode> {
            what.lock()
                .unwrap()
                .clone()
                .map(Json)
                .ok_or(axum::http::StatusCode::SERVICE_UNAVAILABLE)
        }
        let told = |State(services): State<Self>, Path(id): Path<SaleId>, Json(sale): Json<Sale>| async move {
            services.told.lock().unwrap().insert(id, sale);
            Json(json!({}))
        };
        let health = |State(services): State<Self>| async move {
            if services.unwell.load(Ordering::SeqCst) {
                axum::http::StatusCode::SERVICE_UNAVAILABLE
            } else {
                axum::http::StatusCode::OK
            }
        };
        Router::new()
            .route("/internal/sales/{id}", put(told))
            .route(
                "/internal/seats/summary/{id}",
                get(|State(s): State<Self>| async move { said(&s.seats) }),
            )
            .route(
                "/internal/queue/summary/{id}",
                get(|State(s): State<Self>| async move { said(&s.queue) }),
            )
            .route(
                "/actuator/pulse",
                get(|State(s): State<Self>| async move { said(&s.pulse) }),
            )
            .route("/health", get(health))
            .with_state(self)
    }

    pub(crate) fn set_seats(&self, free: u64, held: u64, sold: u64) {
        let seats = SeatsView {
            capacity: free + held + sold,
            free,
            held,
            sold,
            sections: Vec::new(),
        };
        *self.seats.lock().unwrap() = Some(seats);
    }
}

pub(crate) struct World {
    pub(crate) bed: TestBed,
    pub(crate) services: Services,
    pub(crate) sales: SalesStore,
    pub(crate) rooms: Rooms,
    pub(crate) limits: LimitsStore,
    pub(crate) observer: Observer,
    pub(crate) pulses: Pulses,
    ctx: Ctx,
}

/// A running control plane.
pub(crate) struct Control {
    base: String,
    token: String,
    http: reqwest::Client,
    tasks: Vec<JoinHandle<()>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let bed = TestBed::new().await;
        let services = Services::default();
        services.set_seats(100, 0, 0);
        let base = bed.serve(services.clone().router()).await;
        let ctx = bed.ctx().with_settings(|settings| {
            settings.urls.booking.clone_from(&base);
            settings.urls.queue.clone_from(&base);
        });
        let dynamo = ctx.dynamo().await;
        let (sales, rooms) = (SalesStore::new(&dynamo), Rooms::new(&dynamo));
        sales.ensure_tables().await.unwrap();
        rooms.ensure_tables().await.unwrap();
        let limits = LimitsStore::new(ctx.redis().await.unwrap());
        let observer = Observer::new(
            ctx.internal(),
            ctx.http(),
            &base,
            &base,
            &[format!("{base}/health")],
        );
        let pulses = Pulses::new(ctx.http(), &[format!("{base}/actuator/pulse")]);
        Self {
            bed,
            services,
            sales,
            rooms,
            limits,
            observer,
            pulses,
            ctx,
        }
    }

    /// Steps by hand, without loops: for tests that choose every instant.
    pub(crate) fn reconciler(&self) -> Reconciler {
        Reconciler::new(
            self.sales.clone(),
            self.rooms.clone(),
            self.limits.clone(),
            self.observer.clone(),
            self.pulses.clone(),
            self.bed.clock(),
        )
    }

    /// A control plane with its loops, on this world's stores.
    pub(crate) async fn control(&self) -> Control {
        let mut ctx = self.ctx.clone();
        ctx.shutdown = CancellationToken::new();
        let service = urr_controlplane::start(&ctx, Config::default()).await.unwrap();
        let base = self.bed.serve(service.internal).await;
        let tasks = service.tasks.into_iter();
        let tasks = tasks
            .map(|task| tokio::spawn(async move { task.future.await.unwrap() }))
            .collect();
        let token = ctx.secrets.control_api_token.clone();
        Control {
            base,
            token,
            http: ctx.http(),
            tasks,
        }
    }

    /// A sale that opens in ten minutes by this world's clock.
    pub(crate) fn sale(&self) -> Sale {
        use urr_kit::Clock as _;
        let usual = sale_that_opens(self.bed.clock().now().plus_s(600));
        Sale {
            id: uuid::Uuid::new_v4(),
            admission: AdmissionSettings {
                rate_per_s: 20,
                ..usual.admission
            },
            capacity: CapacitySettings {
                rate_per_replica: 10,
                ..usual.capacity
            },
            ..usual
        }
    }

    pub(crate) fn at(&self, now: Millis) {
        self.bed.clock().set(now);
    }

    pub(crate) async fn room(&self, sale: SaleId) -> Room {
        self.rooms.get(sale).await.unwrap().expect("the sale has a room")
    }

    pub(crate) async fn limits(&self, sale: SaleId) -> Limits {
        self.limits
            .read(sale)
            .await
            .unwrap()
            .expect("the sale has limits")
    }
}

impl Control {
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}/control/v1/sales{path}", self.base))
            .bearer_auth(&self.token)
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) async fn put(&self, sale: &Sale) -> (u16, Value) {
        answer(
            self.request(reqwest::Method::PUT, &format!("/{}", sale.id))
                .json(sale),
        )
        .await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(reqwest::Method::GET, path)).await
    }

    pub(crate) async fn override_sale(&self, sale: SaleId, body: Value) -> (u16, Value) {
        answer(
            self.request(reqwest::Method::POST, &format!("/{sale}/overrides"))
                .json(&body),
        )
        .await
    }

    /// As `kill -9` does it: nothing is finished, nothing is said.
    pub(crate) fn kill(self) {}
}

impl Drop for Control {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body = response.text().await.unwrap();
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}
