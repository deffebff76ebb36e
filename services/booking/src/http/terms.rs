//! What the queue asks before somebody gets in line (R-BOOK-14): the terms that holds are judged by.

use crate::Booking;
use crate::holds::{HoldError, Refusal};
use crate::store::sales::SaleTerms;
use axum::extract::State;
use urr_core::terms::{Fan, Terms};
use urr_kit::ApiResult;
use urr_kit::extract::{Json, Path};
use uuid::Uuid;

/// GET /internal/sales/{id}/terms; 404 for an event that nobody named.
pub(super) async fn of_event(
    State(booking): State<Booking>,
    Path(event): Path<Uuid>,
) -> ApiResult<Json<Terms>> {
    Ok(Json(known(&booking, event).await?.terms))
}

/// GET /internal/sales/{id}/tiers/{user}: what the user is to whose show it is.
pub(super) async fn tier(
    State(booking): State<Booking>,
    Path((event, user)): Path<(Uuid, Uuid)>,
) -> ApiResult<Json<Fan>> {
    let sale = known(&booking, event).await?;
    let tier = booking.holds.tier(&sale, user).await?;
    Ok(Json(Fan { tier }))
}

async fn known(booking: &Booking, event: Uuid) -> Result<SaleTerms, HoldError> {
    let sale = booking.holds.terms(event).await?;
    Ok(sale.ok_or(Refusal::NoEvent)?)
}
