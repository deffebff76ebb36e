//! What operators and the control plane ask.

use super::{App, unavailable};
use crate::store::{Act, Proof, View};
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use urr_core::{sale::SaleId, snapshot::QueueView};
use urr_kit::{
    ApiError, ApiResult,
    extract::{Json, Path, Query},
    identity::Admin,
};
use uuid::Uuid;

pub(super) async fn sizes(
    State(app): State<Arc<App>>,
    _: Admin,
    Path(event_id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let view = app.look(event_id).await?;
    Ok(Json(json!({
        "eventId": event_id,
        "queueSize": view.waiting,
        "currentUsers": view.active,
        "threshold": view.cap,
        "available": u64::from(view.cap).saturating_sub(view.active),
        "saleState": view.gate.name(),
    })))
}

pub(super) async fn clear(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    Path(event_id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let view = app
        .act(event_id, Act::Clear, Proof::default(), app.clock.now())
        .await?;
    tracing::warn!(sale = %event_id, admin = %admin.user_id, "a line was cleared by hand");
    if view.more {
        return Err(ApiError::unavailable(
            "The queue is long and not all of it is cleared yet. Please repeat.",
        ));
    }
    Ok(Json(json!({"message": "Queue cleared"})))
}

#[derive(Deserialize)]
pub(super) struct ThresholdQuery {
    threshold: u32,
}

/// The cap of an event without a sale. For a sale the control plane's cap holds and this can only
/// take away from it, so `effective` may differ.
pub(super) async fn threshold(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    Path(event_id): Path<Uuid>,
    Query(query): Query<ThresholdQuery>,
) -> ApiResult<Json<Value>> {
    app.store
        .set_threshold(event_id, query.threshold)
        .await
        .map_err(unavailable)?;
    let view = app.look(event_id).await?;
    tracing::warn!(sale = %event_id, admin = %admin.user_id, threshold = query.threshold,
        "a threshold was set by hand");
    Ok(Json(
        json!({"eventId": event_id, "threshold": query.threshold, "effective": view.cap}),
    ))
}

pub(super) async fn summary(
    State(app): State<Arc<App>>,
    Path(event_id): Path<Uuid>,
) -> ApiResult<Json<QueueView>> {
    let view = app.look(event_id).await?;
    Ok(Json(QueueView {
        waiting: view.waiting,
        active: view.active,
        cap: view.cap,
        rate_per_s: view.rate_per_s,
        admitted_total: view.admitted_total,
        paused: view.paused,
    }))
}

impl App {
    async fn look(&self, sale: SaleId) -> ApiResult<View> {
        self.act(sale, Act::Look, Proof::default(), self.clock.now())
            .await
    }
}
