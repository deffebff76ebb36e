//! Tier 2 on the wire (api-contract.md section 6), without the prefix's version.

mod admin;
mod caller;
mod shapes;
mod visitor;

pub(crate) use caller::cookies;

use crate::{
    booking::Booking,
    store::{Store, StoreError},
    titles::Titles,
};
use axum::{
    Router,
    routing::{get, post},
};
use std::sync::Arc;
use urr_core::token::Keyring;
use urr_kit::{ApiError, Secrets, SharedClock, identity::require_internal};

const UNAVAILABLE: &str = "Queue service temporarily unavailable. Please retry.";

/// What the handlers work with.
pub(crate) struct App {
    pub(crate) store: Arc<Store>,
    pub(crate) titles: Arc<Titles>,
    pub(crate) booking: Arc<Booking>,
    pub(crate) clock: SharedClock,
    pub(crate) entry_keys: Keyring,
    pub(crate) vwr_keys: Keyring,
    /// Polls and joins answered without a call to Redis (law `free-poll`).
    pub(crate) free: metrics::Counter,
}

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/api/queue/check/{event_id}", post(visitor::check))
        .route("/api/queue/status/{event_id}", get(visitor::status))
        .route("/api/queue/heartbeat/{event_id}", post(visitor::heartbeat))
        .route("/api/queue/leave/{event_id}", post(visitor::leave))
        .route("/api/queue/admin/{event_id}", get(admin::sizes))
        .route("/api/queue/admin/clear/{event_id}", post(admin::clear))
        .route("/api/queue/admin/threshold/{event_id}", post(admin::threshold))
        .with_state(app)
}

pub(crate) fn internal(app: Arc<App>, secrets: &Secrets) -> Router {
    Router::new()
        .route("/internal/queue/summary/{event_id}", get(admin::summary))
        .layer(require_internal(secrets))
        .with_state(app)
}

/// After a loss of Redis nobody new is let in for 5 s (`HOLD_MS` of the script), so that everybody has come
/// back before somebody is overtaken.
const RETRY_AFTER_S: u32 = 2;

fn away() -> ApiError {
    ApiError::unavailable(UNAVAILABLE).with_field("retryAfter", RETRY_AFTER_S)
}

fn unavailable(error: StoreError) -> ApiError {
    match error {
        StoreError::Away => away().already_logged(),
        StoreError::Redis(_) | StoreError::Limits(_) | StoreError::Lost => away().with_source(error),
        StoreError::Answer(_) => ApiError::internal(error),
    }
}
