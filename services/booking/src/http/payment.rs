//! What the payment service asks of booking.

use crate::Booking;
use crate::consumer::forget_keys;
use crate::reservation::Status;
use crate::store::reads;
use crate::store::settle::{self, Cancel, Fencing};
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use urr_kit::extract::{Json, JsonOrDefault, Path, Query};
use urr_kit::wire;
use urr_kit::{ApiError, ApiResult};
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payer {
    user_id: Uuid,
}

/// GET /internal/reservations/{id}/validate?userId=: whether it can be paid now, and how much.
pub(super) async fn validate(
    State(booking): State<Booking>,
    Path(id): Path<Uuid>,
    Query(payer): Query<Payer>,
) -> ApiResult<Json<Value>> {
    let found = reads::payable(&booking.pool, id)
        .await?
        .ok_or_else(|| ApiError::not_found("Reservation not found"))?;
    if found.user_id != payer.user_id {
        return Err(ApiError::forbidden("The reservation belongs to another user"));
    }
    if found.status != Status::Pending {
        return Err(ApiError::bad_request("Reservation is not pending"));
    }
    if found.expires_at <= wire::at(booking.clock.now()) {
        return Err(ApiError::bad_request("Reservation has expired"));
    }
    Ok(Json(json!({
        "id": found.id, "reservation_number": found.reservation_number,
        "total_amount": found.total_amount, "status": found.status,
        "payment_status": found.payment_status, "expires_at": wire::text(found.expires_at),
        "user_id": found.user_id, "event_id": found.event_id,
    })))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Confirmation {
    payment_method: Option<String>,
    /// Who paid, if the caller says.
    user_id: Option<Uuid>,
}

/// POST /internal/reservations/{id}/confirm: the short cut to what the payment's event also does.
pub(super) async fn confirm(
    State(booking): State<Booking>,
    Path(id): Path<Uuid>,
    JsonOrDefault(body): JsonOrDefault<Confirmation>,
) -> ApiResult<Json<Value>> {
    let method = body.payment_method.as_deref().unwrap_or("toss");
    if method.chars().count() > 50 {
        return Err(ApiError::bad_request(
            "paymentMethod must have at most 50 characters",
        ));
    }
    let now = wire::at(booking.clock.now());
    // One statement, so it needs no transaction around it.
    let mut conn = booking.pool.acquire().await?;
    let fencing = Fencing::of_this_process();
    let settled = settle::confirm(&mut conn, id, body.user_id, method, fencing, now).await?;
    drop(conn);
    forget_keys(booking.holds.filter(), &settled, "confirmed").await;
    Ok(Json(json!({ "ok": true })))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refund {
    /// Whose wish it is. With it the money is still here and booking may say no (day of the show,
    /// not the owner); without it the money went back and booking follows.
    user_id: Option<Uuid>,
}

/// POST /internal/reservations/{id}/refund.
pub(super) async fn refund(
    State(booking): State<Booking>,
    Path(id): Path<Uuid>,
    JsonOrDefault(body): JsonOrDefault<Refund>,
) -> ApiResult<Json<Value>> {
    let how = body.user_id.map_or(Cancel::Refunded, Cancel::BeforeRefund);
    let mut tx = booking.pool.begin().await?;
    let settled = settle::cancel(&mut tx, id, how, wire::at(booking.clock.now())).await?;
    tx.commit().await?;
    forget_keys(booking.holds.filter(), &settled, "refunded").await;
    Ok(Json(json!({ "ok": true })))
}
