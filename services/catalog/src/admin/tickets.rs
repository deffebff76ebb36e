//! Standing tickets: kinds, prices, quantities. Booking keeps them; lists show a summary.

use super::{act::Act, create::with_ticket_type, draft::check_ticket_type};
use crate::{
    App,
    booking::NewTicketType,
    public::not_found,
    store::{Prices, Store},
};
use axum::{extract::State, http::StatusCode};
use serde_json::{Value, json};
use urr_kit::{
    ApiResult,
    extract::{Json, Path},
    identity::Admin,
};
use uuid::Uuid;

pub(super) async fn create(
    State(app): State<App>,
    Admin(admin): Admin,
    Path(id): Path<Uuid>,
    Json(new): Json<NewTicketType>,
) -> ApiResult<(StatusCode, Json<Value>)> {
    check_ticket_type(&new)?;
    let event = app.store.event(id).await?.ok_or_else(not_found)?;
    let made = app.booking.create_ticket_type(id, &new).await?;
    let before = Prices {
        ticket_type_count: event.ticket_type_count,
        min: event.min_price,
        max: event.max_price,
    };
    let mut act = Act::begin(&app, &admin).await?;
    Store::set_prices(&mut act.tx, id, with_ticket_type(before, new.price)).await?;
    act.commit("TICKET_TYPE_CREATED", id, &made).await?;
    Ok((
        StatusCode::CREATED,
        Json(json!({"message": "Ticket type created", "ticketType": made})),
    ))
}

pub(super) async fn change(
    State(app): State<App>,
    Admin(admin): Admin,
    Path(id): Path<Uuid>,
    Json(new): Json<NewTicketType>,
) -> ApiResult<Json<Value>> {
    check_ticket_type(&new)?;
    let made = app.booking.change_ticket_type(id, &new).await?;
    let act = Act::begin(&app, &admin).await?;
    act.commit("TICKET_TYPE_CHANGED", id, &made).await?;
    Ok(Json(
        json!({"message": "Ticket type updated", "ticketType": made}),
    ))
}
