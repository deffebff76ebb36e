//! Tickets from fan to fan.

use crate::Booking;
use crate::store::transfers::{self, Transfer, TransferError};
use crate::transfer::Refusal;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use urr_kit::extract::{Json, Path, Query};
use urr_kit::identity::Identity;
use urr_kit::wire;
use urr_kit::{ApiError, ApiResult};
use uuid::Uuid;

/// A page, if nothing is said, and at most.
const PAGE_DEFAULT: i64 = 20;
const PAGE_MAX: i64 = 100;
/// Pages beyond make Postgres count and show nobody anything (quirk 33).
const PAGES_MAX: i64 = 10_000;

impl From<TransferError> for ApiError {
    fn from(error: TransferError) -> Self {
        let text = error.to_string();
        let refusal = match error {
            TransferError::Store(error) => return error.into(),
            TransferError::NotFound | TransferError::NoReservation => return Self::not_found(text),
            TransferError::Refused(refusal) => refusal,
        };
        match refusal {
            Refusal::NotOwner | Refusal::NoMembership => Self::forbidden(text),
            Refusal::AlreadyListed => Self::conflict(text),
            Refusal::NotConfirmed
            | Refusal::Free
            | Refusal::ShowOver
            | Refusal::NotForSale
            | Refusal::OwnTicket
            | Refusal::OverLimit
            | Refusal::PaymentOver => Self::bad_request(text),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    artist_id: Option<Uuid>,
    page: Option<i64>,
    limit: Option<i64>,
}

/// GET /api/transfers: what is to be had.
pub(super) async fn listed(
    State(booking): State<Booking>,
    _identity: Identity,
    Query(wanted): Query<Wanted>,
) -> ApiResult<Json<Value>> {
    let limit = wanted.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let page = wanted.page.unwrap_or(1).clamp(1, PAGES_MAX);
    let (rows, total) = transfers::listed(&booking.pool, wanted.artist_id, limit, (page - 1) * limit).await?;
    let pages = total.saturating_add(limit - 1) / limit;
    let pagination = json!({ "page": page, "limit": limit, "total": total, "totalPages": pages });
    Ok(Json(json!({ "transfers": rows, "pagination": pagination })))
}

#[derive(Serialize)]
pub(super) struct Mine {
    transfers: Vec<Transfer>,
}

/// GET /api/transfers/my.
pub(super) async fn mine(State(booking): State<Booking>, identity: Identity) -> ApiResult<Json<Mine>> {
    Ok(Json(Mine {
        transfers: transfers::of_seller(&booking.pool, identity.user_id).await?,
    }))
}

#[derive(Serialize)]
pub(super) struct One {
    transfer: Transfer,
}

/// GET /api/transfers/{id}.
pub(super) async fn one(
    State(booking): State<Booking>,
    _identity: Identity,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<One>> {
    let transfer = transfers::one(&booking.pool, id)
        .await?
        .ok_or(TransferError::NotFound)?;
    Ok(Json(One { transfer }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List {
    reservation_id: Uuid,
}

/// POST /api/transfers.
pub(super) async fn list(
    State(booking): State<Booking>,
    identity: Identity,
    Json(request): Json<List>,
) -> ApiResult<Json<Value>> {
    let mut tx = booking.pool.begin().await?;
    let now = wire::at(booking.clock.now());
    let id = transfers::list(&mut tx, request.reservation_id, identity.user_id, now).await?;
    let transfer = transfers::one(&mut *tx, id).await?;
    tx.commit().await?;
    Ok(Json(
        json!({ "transfer": transfer, "message": "Transfer listed successfully" }),
    ))
}

/// POST /api/transfers/{id}/cancel.
pub(super) async fn cancel(
    State(booking): State<Booking>,
    identity: Identity,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let now = wire::at(booking.clock.now());
    transfers::withdraw(&booking.pool, id, identity.user_id, now).await?;
    Ok(Json(json!({ "message": "Transfer cancelled" })))
}
