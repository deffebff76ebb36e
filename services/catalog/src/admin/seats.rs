//! Seats of an event, made by booking from a hall's layout.

use super::{act::Act, create::layout_prices};
use crate::{App, public::not_found, store::Store};
use axum::extract::State;
use serde_json::{Value, json};
use urr_kit::{
    ApiError, ApiResult,
    extract::{Json, Path},
    identity::Admin,
    wire,
};
use uuid::Uuid;

pub(super) async fn layouts(State(app): State<App>, Admin(_admin): Admin) -> ApiResult<Json<Value>> {
    Ok(Json(json!({"layouts": app.booking.layouts().await?})))
}

pub(super) async fn generate(
    State(app): State<App>,
    Admin(admin): Admin,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let event = app.store.event(id).await?.ok_or_else(not_found)?;
    let layout = event
        .seat_layout_id
        .ok_or_else(|| ApiError::bad_request("Event has no seat layout"))?;
    if app.booking.count_seats(id).await? > 0 {
        return Err(ApiError::bad_request(
            "Seats were already generated for this event",
        ));
    }
    let now = wire::at(app.clock.now());
    let created = app.booking.generate_seats(layout, &event.changed(now)).await?;
    let prices = layout_prices(&app, layout).await;
    let mut act = Act::begin(&app, &admin).await?;
    Store::set_prices(&mut act.tx, id, prices).await?;
    act.commit("SEATS_GENERATED", id, &json!({"seats": created}))
        .await?;
    Ok(Json(
        json!({"message": "Seats generated", "seatsCreated": created, "eventTitle": event.title}),
    ))
}

pub(super) async fn delete(
    State(app): State<App>,
    Admin(admin): Admin,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    if app.booking.active_seat_reservations(id).await? > 0 {
        return Err(ApiError::bad_request(
            "Event has active seat reservations; cancel them first",
        ));
    }
    let deleted = app.booking.delete_seats(id).await?;
    let act = Act::begin(&app, &admin).await?;
    act.commit("SEATS_DELETED", id, &json!({"seats": deleted}))
        .await?;
    Ok(Json(json!({"message": "Seats deleted", "seatsDeleted": deleted})))
}
