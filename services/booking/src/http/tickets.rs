//! The time, and ticket types.

use crate::Booking;
use crate::store::tickets::{self, NewTicketType, TicketType, Updated};
use axum::extract::State;
use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use urr_kit::extract::{Json, Path, Query};
use urr_kit::wire;
use urr_kit::{ApiError, ApiResult};
use uuid::Uuid;

/// GET /api/time: the countdown's clock.
pub(super) async fn time(State(booking): State<Booking>) -> Json<Value> {
    let now = wire::at(booking.clock.now());
    Json(json!({ "time": now.to_rfc3339_opts(SecondsFormat::Millis, true) }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TicketTypes {
    ticket_types: Vec<TicketType>,
}

/// GET /api/tickets/event/{event}.
pub(super) async fn of_event(
    State(booking): State<Booking>,
    Path(event): Path<Uuid>,
) -> ApiResult<Json<TicketTypes>> {
    Ok(Json(TicketTypes {
        ticket_types: tickets::of_event(&booking.pool, event).await?,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ByEvent {
    event_id: Uuid,
}

/// GET /internal/ticket-types?eventId=.
pub(super) async fn list(
    state: State<Booking>,
    Query(query): Query<ByEvent>,
) -> ApiResult<Json<TicketTypes>> {
    of_event(state, Path(query.event_id)).await
}

/// GET /api/tickets/availability/{id}.
pub(super) async fn availability(
    State(booking): State<Booking>,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let found = tickets::one(&booking.pool, id).await?.ok_or_else(not_found)?;
    Ok(Json(json!({
        "available_quantity": found.available_quantity, "total_quantity": found.total_quantity,
    })))
}

fn not_found() -> ApiError {
    ApiError::not_found("Ticket type not found")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewBody {
    event_id: Option<Uuid>,
    name: String,
    price: i64,
    total_quantity: i32,
    #[serde(default)]
    description: Option<String>,
}

impl NewBody {
    fn check(self) -> ApiResult<NewTicketType> {
        if self.name.trim().is_empty() || self.name.chars().count() > 100 {
            return Err(ApiError::bad_request("name must have 1 to 100 characters"));
        }
        if self.price < 0 {
            return Err(ApiError::bad_request("price must be at least 0"));
        }
        if self.total_quantity < 1 {
            return Err(ApiError::bad_request("totalQuantity must be at least 1"));
        }
        let Self {
            name,
            price,
            total_quantity,
            description,
            ..
        } = self;
        Ok(NewTicketType {
            name,
            price,
            total_quantity,
            description,
        })
    }
}

/// POST /internal/ticket-types.
pub(super) async fn create(
    State(booking): State<Booking>,
    Json(body): Json<NewBody>,
) -> ApiResult<Json<Value>> {
    let event = body
        .event_id
        .ok_or_else(|| ApiError::bad_request("eventId is required"))?;
    let made = tickets::create(
        &booking.pool,
        event,
        &body.check()?,
        wire::at(booking.clock.now()),
    )
    .await?;
    Ok(Json(json!({ "ticketType": made })))
}

/// PUT /internal/ticket-types/{id}.
pub(super) async fn update(
    State(booking): State<Booking>,
    Path(id): Path<Uuid>,
    Json(body): Json<NewBody>,
) -> ApiResult<Json<Value>> {
    let now = wire::at(booking.clock.now());
    match tickets::update(&booking.pool, id, &body.check()?, now).await? {
        Updated::Done(ticket_type) => Ok(Json(json!({ "ticketType": ticket_type }))),
        Updated::BelowSold => Err(ApiError::bad_request("Total quantity is below what is sold")),
        Updated::NotFound => Err(not_found()),
    }
}
