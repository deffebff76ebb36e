//! Reservations as their owners see them. Reading and cancelling need no entry token: after ten
//! minutes owners could do neither (quirk 18).

use super::entry;
use super::seats::check_key;
use crate::Booking;
use crate::consumer::forget_keys;
use crate::holds::{HoldError, Refusal, TICKETS_PER_USER_MAX};
use crate::reservation::{self, Status};
use crate::store::reads::{self, Detail};
use crate::store::settle::{self, Cancel};
use crate::store::standing::{self, Order, Outcome};
use axum::extract::State;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use urr_kit::extract::{Json, Path};
use urr_kit::identity::Identity;
use urr_kit::wire;
use urr_kit::{ApiError, ApiResult};
use uuid::Uuid;

/// Ticket types in one order.
const ITEMS_MAX: usize = 10;

/// The caller's reservation; somebody else's is not found.
pub(super) async fn owned(booking: &Booking, id: Uuid, user: Uuid) -> ApiResult<Detail> {
    reads::detail(&booking.pool, id)
        .await?
        .filter(|detail| detail.user_id == user)
        .ok_or_else(|| ApiError::not_found("Reservation not found"))
}

#[derive(Serialize)]
pub(super) struct Mine {
    reservations: Vec<Detail>,
}

/// GET /api/reservations/my.
pub(super) async fn mine(State(booking): State<Booking>, identity: Identity) -> ApiResult<Json<Mine>> {
    Ok(Json(Mine {
        reservations: reads::of_user(&booking.pool, identity.user_id).await?,
    }))
}

#[derive(Serialize)]
pub(super) struct One {
    reservation: Detail,
}

/// GET /api/reservations/{id}.
pub(super) async fn one(
    State(booking): State<Booking>,
    identity: Identity,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<One>> {
    Ok(Json(One {
        reservation: owned(&booking, id, identity.user_id).await?,
    }))
}

/// POST /api/reservations/{id}/cancel.
pub(super) async fn cancel(
    State(booking): State<Booking>,
    identity: Identity,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let mut tx = booking.pool.begin().await?;
    let now = wire::at(booking.clock.now());
    let settled = settle::cancel(&mut tx, id, Cancel::ByOwner(identity.user_id), now).await?;
    tx.commit().await?;
    forget_keys(booking.holds.filter(), &settled, "cancelled").await;
    let reservation = json!({ "id": id, "status": Status::Cancelled });
    Ok(Json(
        json!({ "message": "Reservation cancelled", "reservation": reservation }),
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Create {
    event_id: Uuid,
    #[serde(default)]
    items: Vec<CreateItem>,
    #[serde(default)]
    idempotency_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateItem {
    ticket_type_id: Uuid,
    quantity: i32,
}

/// POST /api/reservations: tickets without seats.
pub(super) async fn create(
    State(booking): State<Booking>,
    identity: Identity,
    headers: HeaderMap,
    Json(request): Json<Create>,
) -> ApiResult<Json<Value>> {
    let (user, event) = (identity.user_id, request.event_id);
    let now = booking.clock.now();
    entry::require(&booking, &headers, event, user, now)?;
    let key = check_key(request.idempotency_key.as_deref())?;
    let items = merge(&request.items)?;
    let allowed = match booking.holds.allowed(event, user).await {
        // The user's own first result comes before what has changed since (R-BOOK-06).
        Err(error @ HoldError::Refused(_)) => {
            let first = standing::by_key(&booking.pool, user, key).await?;
            return created(&booking, first.ok_or(error)?, user).await;
        }
        allowed => allowed?,
    };
    let order = Order {
        reservation: Uuid::new_v4(),
        number: &reservation::number("R", now),
        user,
        event,
        items: &items,
        now: wire::at(now),
        expires_at: wire::at(now.plus_s(allowed.hold_ttl_s)),
        key,
        tickets_max: TICKETS_PER_USER_MAX,
    };
    let id = match standing::reserve(&booking.pool, &order).await? {
        Outcome::Reserved { id, .. } => id,
        Outcome::NotFound => return Err(ApiError::not_found("Ticket type not found")),
        Outcome::SoldOut(name) => {
            return Err(ApiError::conflict(format!("{name} quantity is not enough")));
        }
        Outcome::OverLimit => {
            return Err(HoldError::from(Refusal::OverLimit).into());
        }
    };
    created(&booking, id, user).await
}

async fn created(booking: &Booking, id: Uuid, user: Uuid) -> ApiResult<Json<Value>> {
    let mut detail = owned(booking, id, user).await?;
    if detail.status == Status::Pending && booking.holds.sell_if_free(id, user, detail.total_amount).await? {
        detail = owned(booking, id, user).await?;
    }
    Ok(Json(
        json!({ "message": "Reservation created", "reservation": superset(&detail)? }),
    ))
}

/// One line per ticket type, 1 to 10 of each as the contract says.
fn merge(items: &[CreateItem]) -> ApiResult<Vec<(Uuid, i32)>> {
    if items.is_empty() {
        return Err(ApiError::bad_request("Reservation items are required"));
    }
    if items.len() > ITEMS_MAX {
        return Err(ApiError::bad_request(
            "At most 10 ticket types in one reservation",
        ));
    }
    let mut merged: Vec<(Uuid, i32)> = Vec::with_capacity(items.len());
    for item in items {
        if !(1..=10).contains(&item.quantity) {
            return Err(ApiError::bad_request("quantity must be between 1 and 10"));
        }
        match merged.iter_mut().find(|(id, _)| *id == item.ticket_type_id) {
            Some((_, quantity)) => *quantity += item.quantity,
            None => merged.push((item.ticket_type_id, item.quantity)),
        }
    }
    Ok(merged)
}

/// One shape for the first answer and every repeat: upstream's camelCase fields beside the row's.
fn superset(detail: &Detail) -> ApiResult<Value> {
    let mut value = serde_json::to_value(detail).map_err(ApiError::internal)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("reservationNumber".into(), json!(detail.reservation_number));
        fields.insert("eventTitle".into(), json!(detail.event_title));
        fields.insert("totalAmount".into(), json!(detail.total_amount));
        fields.insert("paymentStatus".into(), json!(detail.payment_status));
        fields.insert("expiresAt".into(), json!(wire::text(detail.expires_at)));
    }
    Ok(value)
}
