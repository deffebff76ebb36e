//! The seat map, and holding seats.

use super::entry;
use crate::Booking;
use crate::store::hold::Hold;
use crate::store::seating::{self, Layout};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use urr_kit::extract::{Json, Path, Query};
use urr_kit::identity::{Identity, OptionalIdentity};
use urr_kit::{ApiError, ApiResult};
use uuid::Uuid;

/// Longest idempotency key the table takes.
pub(super) const KEY_MAX: usize = 255;

#[derive(Deserialize)]
pub(super) struct MapQuery {
    section: Option<String>,
}

/// GET /api/seats/events/{event}: the whole hall, or one section of it.
pub(super) async fn map(
    State(booking): State<Booking>,
    Path(event): Path<Uuid>,
    Query(query): Query<MapQuery>,
    OptionalIdentity(caller): OptionalIdentity,
    headers: HeaderMap,
) -> ApiResult<Response> {
    entry::require_look(
        &booking,
        &headers,
        Some(event),
        caller.as_ref(),
        booking.clock.now(),
    )?;
    let view = booking
        .maps
        .view(event)
        .await?
        .ok_or_else(|| ApiError::not_found("Seat map not found for this event"))?;
    let body = match query.section.as_deref().filter(|name| !name.is_empty()) {
        None => view.whole(),
        Some(name) => view
            .section(name)
            .ok_or_else(|| ApiError::not_found("Section not found"))?,
    };
    Ok((
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        body,
    )
        .into_response())
}

#[derive(Serialize)]
pub(super) struct Layouts {
    layouts: Vec<Layout>,
}

/// GET /api/seats/layouts.
pub(super) async fn layouts(
    State(booking): State<Booking>,
    OptionalIdentity(caller): OptionalIdentity,
    headers: HeaderMap,
) -> ApiResult<Json<Layouts>> {
    entry::require_look(&booking, &headers, None, caller.as_ref(), booking.clock.now())?;
    Ok(Json(Layouts {
        layouts: seating::layouts(&booking.pool).await?,
    }))
}

/// The same for other services.
pub(super) async fn all_layouts(State(booking): State<Booking>) -> ApiResult<Json<Layouts>> {
    Ok(Json(Layouts {
        layouts: seating::layouts(&booking.pool).await?,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reserve {
    event_id: Uuid,
    #[serde(default)]
    seat_ids: Vec<Uuid>,
    #[serde(default)]
    idempotency_key: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Reserved {
    message: &'static str,
    reservation: Hold,
}

/// POST /api/seats/reserve.
pub(super) async fn reserve(
    State(booking): State<Booking>,
    identity: Identity,
    headers: HeaderMap,
    Json(request): Json<Reserve>,
) -> ApiResult<Json<Reserved>> {
    let now = booking.clock.now();
    entry::require(&booking, &headers, request.event_id, identity.user_id, now)?;
    let key = check_key(request.idempotency_key.as_deref())?;
    let (hold, _) = booking
        .holds
        .hold(identity.user_id, request.event_id, &request.seat_ids, key)
        .await?;
    Ok(Json(Reserved {
        message: "Seat reserved temporarily",
        reservation: hold,
    }))
}

/// An empty key is none.
pub(super) fn check_key(key: Option<&str>) -> ApiResult<Option<&str>> {
    match key {
        Some(key) if key.chars().count() > KEY_MAX => Err(ApiError::bad_request(
            "idempotencyKey must have at most 255 characters",
        )),
        key => Ok(key.filter(|key| !key.is_empty())),
    }
}

/// GET /api/seats/reservation/{id}.
pub(super) async fn reservation(
    State(booking): State<Booking>,
    identity: Identity,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let detail = super::reservations::owned(&booking, id, identity.user_id).await?;
    entry::require(
        &booking,
        &headers,
        detail.event_id,
        identity.user_id,
        booking.clock.now(),
    )?;
    let seats: Vec<Value> = detail
        .items
        .iter()
        .map(|item| {
            json!({
                "seatId": item.seat_id, "seatLabel": item.seat_label, "section": item.section,
                "rowNumber": item.row_number, "seatNumber": item.seat_number, "price": item.unit_price,
                "ticketTypeName": item.ticket_type_name, "quantity": item.quantity,
            })
        })
        .collect();
    let mut reservation = serde_json::to_value(&detail).map_err(ApiError::internal)?;
    if let Some(fields) = reservation.as_object_mut() {
        fields.insert("seats".to_owned(), seats.into());
    }
    Ok(Json(json!({ "reservation": reservation })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change {
    #[serde(default)]
    seat_ids: Vec<Uuid>,
}

/// PUT /api/seats/reservation/{id}: other seats (R-BOOK-09).
pub(super) async fn change(
    State(booking): State<Booking>,
    identity: Identity,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
    Json(request): Json<Change>,
) -> ApiResult<Json<Reserved>> {
    let user = identity.user_id;
    let detail = super::reservations::owned(&booking, id, user).await?;
    entry::require(&booking, &headers, detail.event_id, user, booking.clock.now())?;
    let hold = booking.holds.change(user, id, &request.seat_ids).await?;
    Ok(Json(Reserved {
        message: "Seats changed",
        reservation: hold,
    }))
}
