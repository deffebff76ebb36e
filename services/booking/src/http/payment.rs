//! What the payment service asks of booking.

use crate::Booking;
use crate::consumer::forget_keys;
use crate::membership;
use crate::reservation::{self, Status};
use crate::store::handover::{self, Guarded};
use crate::store::memberships::{self, Verdict};
use crate::store::purchases::Purchase;
use crate::store::reads;
use crate::store::settle::{self, Cancel, Fencing, Paid};
use crate::store::transfers::{self, TransferError};
use crate::transfer;
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
    if found.called_off {
        return Err(ApiError::bad_request(
            reservation::Refusal::EventCancelled.to_string(),
        ));
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
    /// What the ticket stands on from now on, if the caller says.
    payment_id: Option<Uuid>,
    /// Who paid, if the caller says.
    user_id: Option<Uuid>,
    /// KRW, if the caller says.
    amount: Option<i64>,
}

/// POST /internal/reservations/{id}/confirm: the short cut to what the payment's event also does.
pub(super) async fn confirm(
    State(booking): State<Booking>,
    Path(id): Path<Uuid>,
    JsonOrDefault(body): JsonOrDefault<Confirmation>,
) -> ApiResult<Json<Value>> {
    let paid = Paid {
        payment: body.payment_id,
        payer: body.user_id,
        amount: body.amount,
        method: check_method(body.payment_method.as_deref())?,
    };
    let now = wire::at(booking.clock.now());
    // One statement, so it needs no transaction around it.
    let mut conn = booking.pool.acquire().await?;
    let fencing = Fencing::of_this_process();
    let settled = settle::confirm(&mut conn, id, paid, fencing, now).await?;
    drop(conn);
    forget_keys(booking.holds.filter(), &settled, "confirmed").await;
    Ok(Json(json!({ "ok": true })))
}

/// A method as the column takes it; without one, the provider's widget was it.
fn check_method(method: Option<&str>) -> ApiResult<&str> {
    match method.unwrap_or("toss") {
        long if long.chars().count() > 50 => Err(ApiError::bad_request(
            "paymentMethod must have at most 50 characters",
        )),
        method => Ok(method),
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refund {
    /// Whose wish it is. With it the money is still here and booking may say no (day of the show,
    /// not the owner); without it the money went back and booking follows.
    user_id: Option<Uuid>,
    /// Which payment went back: only the ticket that stands on it ends.
    payment_id: Option<Uuid>,
}

/// POST /internal/reservations/{id}/refund.
pub(super) async fn refund(
    State(booking): State<Booking>,
    Path(id): Path<Uuid>,
    JsonOrDefault(body): JsonOrDefault<Refund>,
) -> ApiResult<Json<Value>> {
    let followed = Cancel::Refunded {
        transfer: None,
        payment: body.payment_id,
    };
    let how = body.user_id.map_or(followed, Cancel::BeforeRefund);
    let mut tx = booking.pool.begin().await?;
    let settled = settle::cancel(&mut tx, id, how, wire::at(booking.clock.now())).await?;
    tx.commit().await?;
    forget_keys(booking.holds.filter(), &settled, "refunded").await;
    Ok(Json(json!({ "ok": true })))
}

/// GET /internal/memberships/{id}/validate?userId=.
pub(super) async fn validate_membership(
    State(booking): State<Booking>,
    Path(id): Path<Uuid>,
    Query(payer): Query<Payer>,
) -> ApiResult<Json<Value>> {
    let now = wire::at(booking.clock.now());
    let found = memberships::one(&booking.pool, id)
        .await?
        .ok_or_else(|| ApiError::not_found("Membership not found"))?
        .at(now);
    membership::may_pay(found.user_id, payer.user_id, found.status)?;
    Ok(Json(json!({
        "membershipId": found.id, "total_amount": found.price, "totalAmount": found.price,
        "artist_name": found.artist_name, "artist_id": found.artist_id,
    })))
}

/// GET /internal/transfers/{id}/validate?userId=.
pub(super) async fn validate_transfer(
    State(booking): State<Booking>,
    Path(id): Path<Uuid>,
    Query(payer): Query<Payer>,
) -> ApiResult<Json<Value>> {
    let now = wire::at(booking.clock.now());
    let (pool, buyer) = (&booking.pool, payer.user_id);
    let found = transfers::one(pool, id).await?.ok_or(TransferError::NotFound)?;
    let tier = transfers::tier_for(pool, buyer, found.artist_id, now).await?;
    let in_hand = transfers::in_hand(pool, buyer, found.event_id).await?;
    transfer::may_buy(&found.offer(), buyer, tier, in_hand, now).map_err(TransferError::from)?;
    Ok(Json(json!({
        "transferId": found.id, "total_amount": found.total_price, "totalAmount": found.total_price,
        "artist_id": found.artist_id, "event_id": found.event_id,
    })))
}

/// A payment that bought a transfer or a membership.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bought {
    /// What was decided about it is kept under this.
    payment_id: Uuid,
    buyer_id: Uuid,
    payment_method: Option<String>,
}

impl Bought {
    fn purchase(&self, target: Uuid) -> ApiResult<Purchase<'_>> {
        Ok(Purchase {
            payment: self.payment_id,
            target,
            payer: self.buyer_id,
            method: check_method(self.payment_method.as_deref())?,
        })
    }
}

/// POST /internal/transfers/{id}/complete: the short cut to what the payment's event also does.
pub(super) async fn complete_transfer(
    State(booking): State<Booking>,
    Path(id): Path<Uuid>,
    Json(body): Json<Bought>,
) -> ApiResult<Json<Value>> {
    let mut tx = booking.pool.begin().await?;
    let now = wire::at(booking.clock.now());
    let verdict = handover::complete(&mut tx, body.purchase(id)?, Guarded::Yes, now).await?;
    // A refusal as well: it stands from now on.
    tx.commit().await?;
    match verdict {
        Verdict::Done { .. } => Ok(Json(json!({ "ok": true }))),
        Verdict::NotFound => Err(TransferError::NotFound.into()),
        Verdict::Refused(refusal) => Err(ApiError::conflict(refusal.to_string())),
    }
}

/// POST /internal/memberships/{id}/activate: likewise.
pub(super) async fn activate_membership(
    State(booking): State<Booking>,
    Path(id): Path<Uuid>,
    Json(body): Json<Bought>,
) -> ApiResult<Json<Value>> {
    let mut tx = booking.pool.begin().await?;
    let now = wire::at(booking.clock.now());
    let verdict = memberships::activate(&mut tx, body.purchase(id)?, now).await?;
    tx.commit().await?;
    match verdict {
        Verdict::Done { .. } => Ok(Json(json!({ "ok": true }))),
        Verdict::NotFound => Err(ApiError::not_found("Membership not found")),
        Verdict::Refused(refusal) => Err(ApiError::conflict(refusal.to_string())),
    }
}
