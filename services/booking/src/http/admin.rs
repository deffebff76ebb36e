//! What catalog's admin side and the control plane ask of booking.

use crate::Booking;
use crate::by_house;
use crate::consumer::forget_keys;
use crate::reservation;
use crate::store::reads::{self, Detail};
use crate::store::sales::{self, EventCopy};
use crate::store::seating::{self, SeatingError};
use crate::store::settle::{self, Cancel, SettleError};
use axum::extract::State;
use chrono::DateTime;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use urr_core::sale::Sale;
use urr_core::seating::Hall;
use urr_core::snapshot::SeatsView;
use urr_kit::events::EventChanged;
use urr_kit::extract::{Json, JsonOrDefault, Path, Query};
use urr_kit::wire;
use urr_kit::{ApiError, ApiResult};
use uuid::Uuid;

/// Seats a sale may allow in one booking (R-BOOK-04).
const SEATS_PER_BOOKING_MAX: i32 = 4;

impl From<SeatingError> for ApiError {
    fn from(error: SeatingError) -> Self {
        let text = error.to_string();
        match error {
            SeatingError::Store(error) => error.into(),
            SeatingError::NoLayout => Self::not_found(text),
            SeatingError::NameTaken => Self::conflict(text),
            SeatingError::AlreadyGenerated | SeatingError::ActiveReservations => Self::bad_request(text),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SaleQuery {
    seats_per_booking: Option<i32>,
}

/// PUT /internal/sales/{id}: the sale as the control plane has it.
pub(super) async fn put_sale(
    State(booking): State<Booking>,
    Path(id): Path<Uuid>,
    Query(query): Query<SaleQuery>,
    Json(sale): Json<Sale>,
) -> ApiResult<Json<Value>> {
    if sale.id != id {
        return Err(ApiError::bad_request("The sale's id differs from the path"));
    }
    if sale.schedule.opens_at >= sale.schedule.closes_at {
        return Err(ApiError::bad_request("opensAt must be before closesAt"));
    }
    let seats = query
        .seats_per_booking
        .unwrap_or(booking.defaults.seats_per_booking);
    if !(1..=SEATS_PER_BOOKING_MAX).contains(&seats) {
        return Err(ApiError::bad_request("seatsPerBooking must be between 1 and 4"));
    }
    sales::put_sale(&booking.pool, &sale, seats, wire::at(booking.clock.now())).await?;
    booking.holds.forget(id);
    Ok(Json(json!({ "ok": true })))
}

/// POST /internal/seats/generate/{event}/{layout}, with catalog's event in the body if it has it.
pub(super) async fn generate_seats(
    State(booking): State<Booking>,
    Path((event, layout)): Path<(Uuid, Uuid)>,
    JsonOrDefault(known): JsonOrDefault<Option<EventChanged>>,
) -> ApiResult<(StatusCode, Json<Value>)> {
    let now = wire::at(booking.clock.now());
    if let Some(known) = known {
        // As old as can be: it fills the gap until catalog's own event comes, and overrules none.
        sales::put_event(
            &booking.pool,
            event,
            &EventCopy::from(known),
            DateTime::UNIX_EPOCH,
        )
        .await?;
        booking.holds.forget(event);
    }
    let made = seating::generate(&booking.pool, event, layout, now).await?;
    Ok((StatusCode::OK, Json(json!({ "seatsCreated": made }))))
}

/// GET /internal/seats/count/{event}.
pub(super) async fn count_seats(
    State(booking): State<Booking>,
    Path(event): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    Ok(Json(
        json!({ "count": seating::count(&booking.pool, event).await? }),
    ))
}

/// DELETE /internal/seats/{event}.
pub(super) async fn delete_seats(
    State(booking): State<Booking>,
    Path(event): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let now = wire::at(booking.clock.now());
    Ok(Json(
        json!({ "deleted": seating::delete(&booking.pool, event, now).await? }),
    ))
}

/// GET /internal/seats/summary/{event}: seats for the live picture of the sale.
pub(super) async fn summary(
    State(booking): State<Booking>,
    Path(event): Path<Uuid>,
) -> ApiResult<Json<SeatsView>> {
    let view = booking.maps.view(event).await?;
    let view = view.ok_or_else(|| ApiError::not_found("Seat map not found for this event"))?;
    Ok(Json(view.summary()))
}

#[derive(Deserialize)]
pub(super) struct NewLayout {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(alias = "layoutConfig")]
    layout_config: Hall,
}

/// POST /internal/seat-layouts.
pub(super) async fn create_layout(
    State(booking): State<Booking>,
    Json(new): Json<NewLayout>,
) -> ApiResult<(StatusCode, Json<Value>)> {
    if new.name.trim().is_empty() || new.name.chars().count() > 100 {
        return Err(ApiError::bad_request("name must have 1 to 100 characters"));
    }
    new.layout_config
        .validate()
        .map_err(|flaw| ApiError::bad_request(flaw.to_string()))?;
    let now = wire::at(booking.clock.now());
    let layout = seating::create_layout(
        &booking.pool,
        &new.name,
        new.description.as_deref(),
        &new.layout_config,
        now,
    )
    .await?;
    Ok((
        StatusCode::CREATED,
        Json(json!({ "id": layout.id, "layout": layout })),
    ))
}

/// GET /internal/admin/reservation-stats.
pub(super) async fn stats(State(booking): State<Booking>) -> ApiResult<Json<reads::Totals>> {
    let today = reservation::day_start(wire::at(booking.clock.now()));
    Ok(Json(reads::totals(&booking.pool, today).await?))
}

/// GET /internal/admin/recent-reservations.
pub(super) async fn recent(State(booking): State<Booking>) -> ApiResult<Json<Value>> {
    let (rows, _) = reads::page(&booking.pool, None, 10, 0).await?;
    Ok(Json(json!({ "reservations": rows })))
}

#[derive(Deserialize)]
pub(super) struct Page {
    page: Option<i64>,
    limit: Option<i64>,
    status: Option<String>,
}

/// GET /internal/admin/reservations.
pub(super) async fn reservations(
    State(booking): State<Booking>,
    Query(query): Query<Page>,
) -> ApiResult<Json<Value>> {
    let limit = query.limit.unwrap_or(20).clamp(1, 100);
    let page = query.page.unwrap_or(1).clamp(1, 1_000_000);
    let (rows, total): (Vec<Detail>, i64) =
        reads::page(&booking.pool, query.status.as_deref(), limit, (page - 1) * limit).await?;
    let pages = total.saturating_add(limit - 1) / limit;
    let pagination = json!({ "page": page, "limit": limit, "total": total, "totalPages": pages });
    Ok(Json(json!({ "reservations": rows, "pagination": pagination })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfEvent {
    event_id: Uuid,
}

/// GET /internal/admin/active-seat-reservation-count?eventId=.
pub(super) async fn active_count(
    State(booking): State<Booking>,
    Query(query): Query<OfEvent>,
) -> ApiResult<Json<Value>> {
    Ok(Json(
        json!({ "count": reads::active_count(&booking.pool, query.event_id).await? }),
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewStatus {
    status: Option<String>,
    payment_status: Option<String>,
}

/// PATCH /internal/admin/reservations/{id}/status: what a person of the house may do to a reservation, which is
/// to end it (R-ADM-02, quirk 14). Seats and money go the way they always go.
pub(super) async fn set_status(
    State(booking): State<Booking>,
    Path(id): Path<Uuid>,
    Json(wanted): Json<NewStatus>,
) -> ApiResult<Json<Value>> {
    let found = reads::payable(&booking.pool, id)
        .await?
        .ok_or(SettleError::NotFound)?;
    let step = by_house::step(
        (found.status, found.payment_status),
        wanted.status.as_deref(),
        wanted.payment_status.as_deref(),
    );
    let message = match step? {
        by_house::Step::Nothing => "Reservation is in that status already",
        by_house::Step::Cancel => {
            let mut tx = booking.pool.begin().await?;
            let now = wire::at(booking.clock.now());
            let settled = settle::cancel(&mut tx, id, Cancel::ByHouse, now).await?;
            tx.commit().await?;
            forget_keys(booking.holds.filter(), &settled, "cancelled").await;
            "Reservation cancelled"
        }
    };
    let row = reads::detail(&booking.pool, id).await?;
    Ok(Json(json!({ "message": message, "reservation": row })))
}

impl From<by_house::Refusal> for ApiError {
    fn from(refusal: by_house::Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            by_house::Refusal::NothingWanted | by_house::Refusal::Unknown(_) => Self::bad_request(text),
            by_house::Refusal::NotByHand => Self::conflict(text),
        }
    }
}

/// POST /internal/admin/reservations/cancel-by-event/{event}: the show does not take place. The door is shut and the
/// caller answered, with how many reservations go back from now on; [`crate::called_off`] gives them back.
pub(super) async fn cancel_by_event(
    State(booking): State<Booking>,
    Path(event): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let now = wire::at(booking.clock.now());
    let mut tx = booking.pool.begin().await?;
    sales::call_off(&mut *tx, event, now).await?;
    let cancelled = reads::active_count(&mut *tx, event).await?;
    tx.commit().await?;
    booking.holds.forget(event);
    booking.called_off.notify_one();
    Ok(Json(json!({ "cancelledCount": cancelled })))
}
