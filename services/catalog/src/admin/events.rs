//! Changing, cancelling and deleting events.

use super::{act::Act, draft::Body};
use crate::{App, public::not_found, store::Store};
use axum::extract::State;
use serde_json::{Value, json};
use urr_kit::{
    ApiError, ApiResult,
    extract::{Json, Path},
    identity::Admin,
};
use uuid::Uuid;

/// Layout and ticket types in the body are ignored: seats that people hold do not move.
pub(super) async fn change(
    State(app): State<App>,
    Admin(admin): Admin,
    Path(id): Path<Uuid>,
    Json(body): Json<Body>,
) -> ApiResult<Json<Value>> {
    let draft = body.draft()?;
    let mut act = Act::begin(&app, &admin).await?;
    let now = act.now;
    let artist = match &draft.artist_name {
        Some(name) => Some(Store::artist_named(&mut act.tx, name, now).await?),
        None => None,
    };
    let event = Store::update_event(&mut act.tx, id, &draft, artist, now)
        .await?
        .ok_or_else(not_found)?;
    act.tell(&event).await?;
    act.commit("EVENT_CHANGED", id, &json!({"title": event.title}))
        .await?;
    Ok(Json(
        json!({"message": "Event updated successfully", "event": event.row(now)}),
    ))
}

/// One step: booking cancels while our own change is still open. If booking is away nothing was
/// changed; if our commit fails, a repeat finds no reservation left to cancel and goes on.
pub(super) async fn cancel(
    State(app): State<App>,
    Admin(admin): Admin,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let mut act = Act::begin(&app, &admin).await?;
    let now = act.now;
    let event = Store::cancel_event(&mut act.tx, id, now)
        .await?
        .ok_or_else(|| ApiError::not_found("Event not found or already cancelled"))?;
    act.tell(&event).await?;
    let cancelled = app.booking.cancel_reservations(id).await?;
    act.commit("EVENT_CANCELLED", id, &json!({"title": event.title}))
        .await?;
    Ok(Json(json!({
        "message": "Event cancelled successfully",
        "event": event.row(now),
        "cancelledReservations": cancelled,
    })))
}

pub(super) async fn delete(
    State(app): State<App>,
    Admin(admin): Admin,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let event = app.store.event(id).await?.ok_or_else(not_found)?;
    let cancelled = app.booking.cancel_reservations(id).await?;
    let mut act = Act::begin(&app, &admin).await?;
    if !Store::delete_event(&mut act.tx, id).await? {
        return Err(not_found());
    }
    act.commit("EVENT_DELETED", id, &json!({"title": event.title}))
        .await?;
    Ok(Json(
        json!({"message": "Event deleted successfully", "cancelledReservations": cancelled}),
    ))
}
