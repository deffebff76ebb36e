//! Tier 1 on the DynamoDB emulator: several replicas are several `App`s on the same tables.

mod defects;
mod draw;
mod faults;
mod joins;
mod operators;
mod outage;
mod polls;
mod recovery;
mod wire;

use crate::{Config, assemble, http, line::Guards, store::faults::Faults};
use ::http::{Request, StatusCode};
use axum::{Router, body::Body};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tower::ServiceExt as _;
use urr_core::{
    room::Room,
    sale::{Ordering, SaleId},
    testing::room_that_opens,
    time::Millis,
};
use urr_kit::{Ctx, clock::ManualClock, state::rooms::ledger::Conditions, testing::TestBed};
use uuid::Uuid;

/// When every test's sale opens.
const OPENS_AT: Millis = Millis(1_800_000_000_000);

/// Long enough for a retry or two, short enough for a test.
const PATIENCE: Duration = Duration::from_millis(400);

/// A world with one sale whose pre-queue is on and whose opening is a minute ahead.
struct Door {
    bed: TestBed,
    sale: SaleId,
}

/// One replica.
#[derive(Clone)]
struct Replica {
    app: Arc<http::App>,
    router: Router,
}

/// A person with a place.
#[derive(Debug, Clone)]
struct Placed {
    request_id: String,
    position: u64,
}

impl Door {
    async fn new() -> (Self, Replica) {
        let door = Self {
            bed: TestBed::at(OPENS_AT.plus_s(-60)).await,
            sale: Uuid::new_v4(),
        };
        let replica = door.replica().await;
        replica.app.shared.store.create_room(&door.room()).await.unwrap();
        (door, replica)
    }

    /// As [`Door::new`], with a draw at the opening.
    async fn with_draw() -> (Self, Replica) {
        let (door, replica) = Self::new().await;
        let drawn = Self {
            sale: Uuid::new_v4(),
            ..door
        };
        let room = Room {
            ordering: Ordering::Shuffle,
            ..drawn.room()
        };
        replica.app.shared.store.create_room(&room).await.unwrap();
        (drawn, replica)
    }

    async fn replica(&self) -> Replica {
        self.replica_with(&Config::default()).await
    }

    async fn replica_with(&self, config: &Config) -> Replica {
        replica_of(&self.bed.ctx(), config, Conditions::Kept, Guards::ON).await
    }

    /// A replica that lacks one of its guards.
    async fn replica_without(&self, guards: Guards) -> Replica {
        let config = Config::default();
        replica_of(&self.bed.ctx(), &config, Conditions::Kept, guards).await
    }

    /// A replica whose clock is `ms` ahead of everybody's, and that clock.
    async fn replica_ahead(&self, ms: i64, guards: Guards) -> (Replica, Arc<ManualClock>) {
        use urr_kit::clock::Clock as _;
        let ctx = self.bed.ctx();
        let clock = Arc::new(ManualClock::at(self.clock().now().plus_ms(ms)));
        let ctx = Ctx::new(
            (*ctx.settings).clone(),
            (*ctx.secrets).clone(),
            Arc::clone(&clock) as urr_kit::SharedClock,
        )
        .unwrap();
        let config = Config::default();
        let replica = replica_of(&ctx, &config, Conditions::Kept, guards).await;
        (replica, clock)
    }

    fn clock(&self) -> Arc<ManualClock> {
        self.bed.clock()
    }

    /// 10 a second, no burst.
    fn room(&self) -> Room {
        Room {
            sale: self.sale,
            pre_queue_at: OPENS_AT.plus_s(-600),
            ..room_that_opens(OPENS_AT)
        }
    }
}

async fn replica_of(ctx: &Ctx, config: &Config, conditions: Conditions, guards: Guards) -> Replica {
    let app = assemble(ctx, config, conditions, guards, PATIENCE).await.unwrap();
    Replica {
        router: http::router(Arc::clone(&app)),
        app,
    }
}

impl Replica {
    /// What its store is about to suffer, and what was counted.
    fn faults(&self) -> &Faults {
        &self.app.shared.store.faults
    }

    /// The record as the store has it.
    async fn stored(&self, sale: SaleId) -> Room {
        self.app.shared.store.room(sale).await.unwrap().unwrap()
    }

    /// Writes what `change` makes of the record.
    async fn control(&self, sale: SaleId, change: impl FnOnce(&Room) -> Room) -> Room {
        let seen = self.stored(sale).await;
        let store = &self.app.shared.store;
        store.replace_room(seen.revision, &change(&seen)).await.unwrap()
    }

    async fn call(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn get(&self, path: String) -> (StatusCode, Value) {
        self.call(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: String, body: impl Into<Body>) -> (StatusCode, Value) {
        self.call(Request::post(path).body(body.into()).unwrap()).await
    }

    /// As an administrator, as the gateway would say so.
    async fn admin(&self, method: &str, path: String, body: &'static str) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-user-id", Uuid::new_v4().to_string())
            .header("x-user-email", "admin@urr.com")
            .header("x-user-role", "admin")
            .body(Body::from(body))
            .unwrap();
        self.call(request).await
    }

    async fn try_join(&self, sale: SaleId, visitor: &str) -> (StatusCode, Value) {
        let body = format!(r#"{{"userId":"{visitor}"}}"#);
        self.post(format!("/vwr-api/vwr/assign/{sale}"), body).await
    }

    async fn join(&self, sale: SaleId, visitor: &str) -> Placed {
        let (status, body) = self.try_join(sale, visitor).await;
        assert_eq!(status, StatusCode::OK, "{visitor}: {body}");
        Placed {
            request_id: body["requestId"].as_str().unwrap().to_owned(),
            position: body["position"].as_u64().unwrap(),
        }
    }

    async fn check(&self, sale: SaleId, place: &Placed, visitor: &str) -> (StatusCode, Value) {
        let id = &place.request_id;
        self.get(format!("/vwr-api/vwr/check/{sale}/{id}?userId={visitor}"))
            .await
    }

    /// Has the sale's room in memory afterwards.
    async fn watch(&self, sale: SaleId) {
        self.get(format!("/vwr-api/vwr/status/{sale}")).await;
    }

    /// What the store has, told to this replica as its refresh task would.
    async fn refreshed(&self, sale: SaleId) -> Room {
        self.app.cache.refresh().await;
        self.stored(sale).await
    }
}
