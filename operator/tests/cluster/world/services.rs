//! The services behind the door, as far as the control plane asks them.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// What they say, which can be changed.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) seats: Arc<Mutex<Value>>,
    /// Tier 2's figures and how the services feel; they do not say while there is nothing.
    pub(crate) queue: Arc<Mutex<Option<Value>>>,
    pub(crate) pulse: Arc<Mutex<Option<Value>>>,
}

impl Default for Services {
    fn default() -> Self {
        let seats = json!({"capacity": 100, "free": 100, "held": 0, "sold": 0, "sections": []});
        Self {
            seats: Arc::new(Mutex::new(seats)),
            queue: Arc::default(),
            pulse: Arc::default(),
        }
    }
}

impl Services {
    pub(super) fn router(self) -> Router {
        fn said(what: &Mutex<Option<Value>>) -> Result<Json<Value>, StatusCode> {
            what.lock()
                .unwrap()
                .clone()
                .map(Json)
                .ok_or(StatusCode::NOT_FOUND)
        }
        let seats = |State(s): State<Self>| async move { Json(s.seats.lock().unwrap().clone()) };
        let told = |State(_): State<Self>, Path(_): Path<Uuid>| async { Json(json!({})) };
        Router::new()
            .route("/internal/sales/{id}", put(told))
            .route("/internal/seats/summary/{id}", get(seats))
            .route(
                "/internal/queue/summary/{id}",
                get(|State(s): State<Self>| async move { said(&s.queue) }),
            )
            .route(
                "/actuator/pulse",
                get(|State(s): State<Self>| async move { said(&s.pulse) }),
            )
            .route("/health", get(|| async {}))
            .with_state(self)
    }
}
