//! Changing, cancelling and deleting events.

use super::{draft::Body, refused_by_booking};
use crate::{App, outgoing, public::not_found, store::Store};
use axum::extract::State;
use serde_json::{Value, json};
use urr_kit::{
    ApiError, ApiResult,
    extract::{Json, Path},
    identity::Admin,
    wire,
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
    let now = wire::at(app.clock.now());
    let mut tx = app.store.begin().await?;
    let artist = match &draft.artist_name {
        Some(name) => Some(Store::artist_named(&mut tx, name, now).await?),
        None => None,
    };
    let event = Store::update_event(&mut tx, id, &draft, artist, now)
        .await?
        .ok_or_else(not_found)?;
    Store::audit(
        &mut tx,
        admin.user_id,
        "EVENT_CHANGED",
        id,
        &json!({"title": event.title}),
        now,
    )
    .await?;
    outgoing::event_changed(&mut tx, &event, admin.user_id, now).await?;
    tx.commit().await?;
    forget(&app);
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
    let now = wire::at(app.clock.now());
    let mut tx = app.store.begin().await?;
    let event = Store::cancel_event(&mut tx, id, now)
        .await?
        .ok_or_else(|| ApiError::not_found("Event not found or already cancelled"))?;
    Store::audit(
        &mut tx,
        admin.user_id,
        "EVENT_CANCELLED",
        id,
        &json!({"title": event.title}),
        now,
    )
    .await?;
    outgoing::event_changed(&mut tx, &event, admin.user_id, now).await?;
    let cancelled = app
        .booking
        .cancel_reservations(id)
        .await
        .map_err(refused_by_booking)?;
    tx.commit().await?;
    forget(&app);
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
    let now = wire::at(app.clock.now());
    let event = app.store.event(id).await?.ok_or_else(not_found)?;
    let cancelled = app
        .booking
        .cancel_reservations(id)
        .await
        .map_err(refused_by_booking)?;
    let mut tx = app.store.begin().await?;
    if !Store::delete_event(&mut tx, id).await? {
        return Err(not_found());
    }
    Store::audit(
        &mut tx,
        admin.user_id,
        "EVENT_DELETED",
        id,
        &json!({"title": event.title}),
        now,
    )
    .await?;
    tx.commit().await?;
    forget(&app);
    Ok(Json(
        json!({"message": "Event deleted successfully", "cancelledReservations": cancelled}),
    ))
}

pub(super) fn forget(app: &App) {
    app.lists.clear();
    app.details.clear();
}
