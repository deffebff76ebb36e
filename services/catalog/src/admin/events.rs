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

/// What booking was asked to give back, and what to tell the admin of it.
struct GivenBack {
    reservations: u64,
    note: &'static str,
}

/// Booking hears of the end of an event by the news that were committed with it; this is the short cut. It shuts
/// its door at once and gives back reservation by reservation afterwards.
async fn give_back(app: &App, event: Uuid) -> GivenBack {
    match app.booking.cancel_reservations(event).await {
        Ok(reservations) => GivenBack {
            reservations,
            note: "",
        },
        Err(error) => {
            tracing::warn!(sale = %event, %error, "booking was not told of an event's end at once; the news will");
            GivenBack {
                reservations: 0,
                note: ". Booking did not answer; it gives all reservations back as soon as it hears of this",
            }
        }
    }
}

/// Committed first: from then on the event is cancelled, whoever else answers. Nothing is undone.
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
    act.commit("EVENT_CANCELLED", id, &json!({"title": event.title}))
        .await?;
    let given_back = give_back(&app, id).await;
    Ok(Json(json!({
        "message": format!("Event cancelled successfully{}", given_back.note),
        "event": event.row(now),
        "cancelledReservations": given_back.reservations,
    })))
}

/// Others are told that it is cancelled: they keep copies, and booking its reservations.
pub(super) async fn delete(
    State(app): State<App>,
    Admin(admin): Admin,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let mut act = Act::begin(&app, &admin).await?;
    let mut event = Store::delete_event(&mut act.tx, id)
        .await?
        .ok_or_else(not_found)?;
    "cancelled".clone_into(&mut event.status);
    act.tell(&event).await?;
    act.commit("EVENT_DELETED", id, &json!({"title": event.title}))
        .await?;
    let given_back = give_back(&app, id).await;
    Ok(Json(json!({
        "message": format!("Event deleted successfully{}", given_back.note),
        "cancelledReservations": given_back.reservations,
    })))
}
