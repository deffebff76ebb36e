//! Tier 2 on the wire (api-contract.md section 6), without the prefix's version.

use crate::{
    place,
    store::{Act, Standing, Store, StoreError, View},
    titles::Titles,
};
use axum::{
    Router,
    extract::State,
    http::HeaderMap,
    routing::{get, post},
};
use metrics::counter;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use urr_core::{
    pacing,
    sale::SaleId,
    snapshot::QueueView,
    time::Millis,
    token::{Keyring, entry},
};
use urr_kit::{
    ApiError, ApiResult, Secrets, SharedClock,
    extract::{Json, Path, Query},
    identity::{Admin, Identity, require_internal},
};
use uuid::Uuid;

const UNAVAILABLE: &str = "Queue service temporarily unavailable. Please retry.";

/// Poll spacing of who does not wait, seconds.
const NEXT_POLL_S: u32 = 3;

/// Under this much measurement the forecast goes by the rate that is set.
const MEASURED_MS_MIN: u64 = 5_000;
/// Shortest forecast without a measurement, seconds (api-contract.md section 6).
const WAIT_MIN_S: u64 = 5;

/// What the handlers work with.
pub(crate) struct App {
    pub(crate) store: Arc<Store>,
    pub(crate) titles: Arc<Titles>,
    pub(crate) clock: SharedClock,
    pub(crate) entry_keys: Keyring,
    pub(crate) vwr_keys: Keyring,
}

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/api/queue/check/{event_id}", post(check))
        .route("/api/queue/status/{event_id}", get(status))
        .route("/api/queue/heartbeat/{event_id}", post(heartbeat))
        .route("/api/queue/leave/{event_id}", post(leave))
        .route("/api/queue/admin/{event_id}", get(admin_sizes))
        .route("/api/queue/admin/clear/{event_id}", post(admin_clear))
        .route("/api/queue/admin/threshold/{event_id}", post(admin_threshold))
        .with_state(app)
}

pub(crate) fn internal(app: Arc<App>, secrets: &Secrets) -> Router {
    Router::new()
        .route("/internal/queue/summary/{event_id}", get(summary))
        .layer(require_internal(secrets))
        .with_state(app)
}

// === visitors ===

async fn check(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(event_id): Path<Uuid>,
    headers: HeaderMap,
) -> ApiResult<Json<Value>> {
    let now = app.clock.now();
    let place = place::of_request(&headers, &app.vwr_keys, event_id, now);
    app.store.announce(event_id, now).await.map_err(unavailable)?;
    let view = app.act(event_id, Act::Join(identity.user_id, place)).await?;
    counter!("urr_queue_admitted_total").increment(view.moved);
    let standing = refuse(view.standing, event_id)?;
    let mut body = match standing {
        Stands::Queued { ahead } => queued(&view, ahead),
        Stands::Active { ends_at } => {
            let mut body = active(&view);
            body["entryToken"] = app.entry_token(event_id, &identity, ends_at, &view).into();
            body
        }
        // Joining never leaves one outside; a slot that ended in the same instant may.
        Stands::Outside => outside(&view),
    };
    body["threshold"] = view.cap.into();
    body["eventInfo"] = serde_json::to_value(app.titles.of(event_id).await).map_err(ApiError::internal)?;
    Ok(Json(body))
}

async fn status(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(event_id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let view = app.act(event_id, Act::Touch(identity.user_id)).await?;
    Ok(Json(match refuse(view.standing, event_id)? {
        Stands::Queued { ahead } => {
            let mut body = queued(&view, ahead);
            body["queueSize"] = view.waiting.into();
            body
        }
        Stands::Active { ends_at } => {
            let mut body = active(&view);
            body["message"] = "Entry allowed".into();
            body["entryToken"] = app.entry_token(event_id, &identity, ends_at, &view).into();
            body
        }
        Stands::Outside => {
            let mut body = outside(&view);
            body["message"] = "Not in queue".into();
            body
        }
    }))
}

async fn heartbeat(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(event_id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let view = app.act(event_id, Act::Touch(identity.user_id)).await?;
    let (status, queued) = match refuse(view.standing, event_id)? {
        Stands::Queued { .. } => ("queued", true),
        Stands::Active { .. } => ("active", false),
        Stands::Outside => ("not_in_queue", false),
    };
    Ok(Json(json!({"status": status, "queued": queued})))
}

async fn leave(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(event_id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    app.act(event_id, Act::Leave(identity.user_id)).await?;
    Ok(Json(json!({"message": "Left queue"})))
}

// === operators ===

async fn admin_sizes(
    State(app): State<Arc<App>>,
    _: Admin,
    Path(event_id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let view = app.act(event_id, Act::Look).await?;
    Ok(Json(json!({
        "eventId": event_id,
        "queueSize": view.waiting,
        "currentUsers": view.active,
        "threshold": view.cap,
        "available": u64::from(view.cap).saturating_sub(view.active),
        "saleState": view.gate.name(),
    })))
}

async fn admin_clear(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    Path(event_id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let view = app.act(event_id, Act::Clear).await?;
    tracing::warn!(sale = %event_id, admin = %admin.user_id, "a line was cleared by hand");
    if view.more {
        return Err(ApiError::unavailable(
            "The queue is long and not all of it is cleared yet. Please repeat.",
        ));
    }
    Ok(Json(json!({"message": "Queue cleared"})))
}

#[derive(Deserialize)]
struct ThresholdQuery {
    threshold: u32,
}

/// The cap of an event without a sale. For a sale the control plane's cap holds and this can only
/// take away from it, so `effective` may differ.
async fn admin_threshold(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    Path(event_id): Path<Uuid>,
    Query(query): Query<ThresholdQuery>,
) -> ApiResult<Json<Value>> {
    app.store
        .set_threshold(event_id, query.threshold)
        .await
        .map_err(unavailable)?;
    let view = app.act(event_id, Act::Look).await?;
    tracing::warn!(sale = %event_id, admin = %admin.user_id, threshold = query.threshold,
        "a threshold was set by hand");
    Ok(Json(
        json!({"eventId": event_id, "threshold": query.threshold, "effective": view.cap}),
    ))
}

// === the control plane ===

async fn summary(State(app): State<Arc<App>>, Path(event_id): Path<Uuid>) -> ApiResult<Json<QueueView>> {
    let view = app.act(event_id, Act::Look).await?;
    Ok(Json(QueueView {
        waiting: view.waiting,
        active: view.active,
        cap: view.cap,
        rate_per_s: view.rate_per_s,
        admitted_total: view.admitted_total,
        paused: view.paused,
    }))
}

// === shapes ===

/// A standing that is an answer.
enum Stands {
    Outside,
    Queued { ahead: u64 },
    Active { ends_at: Millis },
}

/// Sorts out the standings that are refusals.
fn refuse(standing: Standing, sale: SaleId) -> ApiResult<Stands> {
    let to_tier_1 =
        |message: &'static str| ApiError::forbidden(message).with_field("redirectTo", format!("/vwr/{sale}"));
    match standing {
        Standing::None => Ok(Stands::Outside),
        Standing::Queued { ahead } => Ok(Stands::Queued { ahead }),
        Standing::Active { ends_at } => Ok(Stands::Active { ends_at }),
        Standing::NoPlace => Err(to_tier_1("Waiting room token required")),
        Standing::Taken => Err(to_tier_1("This waiting room place is in use by another account")),
        // Nothing was taken from the visitor: the tier-1 place is as good at the next try.
        Standing::Full => Err(ApiError::unavailable(
            "The queue for this event is full. You keep your place; please retry.",
        )
        .with_field("retryAfter", 10)),
    }
}

fn queued(view: &View, ahead: u64) -> Value {
    let position = ahead + 1;
    let wait_s = estimated_wait_s(view, position);
    json!({
        "queued": true,
        "status": "queued",
        "position": position,
        "peopleAhead": ahead,
        "peopleBehind": view.waiting.saturating_sub(position),
        "estimatedWait": wait_s,
        "nextPoll": next_poll_s(view, position),
        "currentUsers": view.active,
        "saleState": view.gate.name(),
    })
}

fn active(view: &View) -> Value {
    json!({
        "queued": false,
        "status": "active",
        "currentUsers": view.active,
        "nextPoll": NEXT_POLL_S,
        "saleState": view.gate.name(),
    })
}

fn outside(view: &View) -> Value {
    json!({
        "queued": false,
        "status": "not_in_queue",
        "currentUsers": view.active,
        "nextPoll": NEXT_POLL_S,
        "saleState": view.gate.name(),
    })
}

/// From measured throughput where there is any (R-QUE-08), else from the rate that is set.
fn estimated_wait_s(view: &View, position: u64) -> u64 {
    if view.window_ms >= MEASURED_MS_MIN && view.window_admitted > 0 {
        return (position.saturating_mul(view.window_ms)).div_ceil(view.window_admitted * 1000);
    }
    pacing::estimated_wait_s(position, view.rate_per_s).max(WAIT_MIN_S)
}

/// The contract's spacing, but never so long that a visitor sleeps through the turn: who is let in
/// unawares loses the slot to silence.
fn next_poll_s(view: &View, position: u64) -> u32 {
    let turn_s = position / u64::from(view.rate_per_s.max(1));
    let half_way_s = u32::try_from(turn_s / 2).unwrap_or(u32::MAX).max(1);
    pacing::tier2_next_poll_s(position).min(half_way_s)
}

impl App {
    async fn act(&self, sale: SaleId, act: Act) -> ApiResult<View> {
        self.store
            .act(sale, act, self.clock.now())
            .await
            .map_err(unavailable)
    }

    /// The token of a user who is inside. It never outlives the slot, however often it is given.
    fn entry_token(&self, sale: SaleId, who: &Identity, ends_at: Millis, view: &View) -> String {
        let now = self.clock.now();
        let left_s = u32::try_from(ends_at.since(now).max(0) / 1000).unwrap_or(u32::MAX);
        let ttl_s = view.token_ttl_s.min(left_s);
        entry::issue(
            &self.entry_keys,
            &entry::Claims::new(sale, who.user_id, now, ttl_s),
        )
    }
}

fn unavailable(error: StoreError) -> ApiError {
    match error {
        StoreError::Redis(_) | StoreError::Limits(_) | StoreError::Lost => {
            ApiError::unavailable(UNAVAILABLE).with_source(error)
        }
        StoreError::Answer(_) => ApiError::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Gate;

    fn view() -> View {
        View {
            standing: Standing::None,
            waiting: 0,
            active: 0,
            cap: 1000,
            rate_per_s: 10,
            burst: 10,
            gate: Gate::Open,
            paused: false,
            opens_at: Millis(0),
            token_ttl_s: 600,
            moved: 0,
            more: false,
            admitted_total: 0,
            window_ms: 0,
            window_admitted: 0,
            configured: true,
        }
    }

    #[test]
    fn the_forecast_goes_by_what_was_measured() {
        let measured = View {
            window_ms: 10_000,
            window_admitted: 50,
            ..view()
        };
        assert_eq!(estimated_wait_s(&measured, 100), 20);
        assert_eq!(estimated_wait_s(&view(), 100), 10);
        assert_eq!(estimated_wait_s(&view(), 1), 5);
        let young = View {
            window_ms: 4_999,
            window_admitted: 50,
            ..view()
        };
        assert_eq!(estimated_wait_s(&young, 100), 10);
    }

    #[test]
    fn nobody_is_told_to_sleep_through_the_turn() {
        assert_eq!(next_poll_s(&view(), 1), 1);
        assert_eq!(next_poll_s(&view(), 3000), 5);
        assert_eq!(next_poll_s(&view(), 20_000), 30);
        let fast = View {
            rate_per_s: 5000,
            ..view()
        };
        assert_eq!(next_poll_s(&fast, 20_000), 2);
    }
}
