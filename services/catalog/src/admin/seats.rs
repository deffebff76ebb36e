//! Seats of an event, made by booking from a hall's layout.

use super::{create::layout_prices, events::forget, refused_by_booking};
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
    let layouts = app.booking.layouts().await.map_err(refused_by_booking)?;
    Ok(Json(json!({"layouts": layouts})))
}

pub(super) async fn generate(
    State(app): State<App>,
    Admin(admin): Admin,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let now = wire::at(app.clock.now());
    let event = app.store.event(id).await?.ok_or_else(not_found)?;
    let layout = event
        .seat_layout_id
        .ok_or_else(|| ApiError::bad_request("Event has no seat layout"))?;
    if app.booking.count_seats(id).await.map_err(refused_by_booking)? > 0 {
        return Err(ApiError::bad_request(
            "Seats were already generated for this event",
        ));
    }
    let created = app
        .booking
        .generate_seats(layout, &event.changed(now))
        .await
        .map_err(refused_by_booking)?;
    let prices = layout_prices(&app, layout).await;
    let mut tx = app.store.begin().await?;
    Store::set_prices(&mut tx, id, prices).await?;
    Store::audit(
        &mut tx,
        admin.user_id,
        "SEATS_GENERATED",
        id,
        &json!({"seats": created}),
        now,
    )
    .await?;
    tx.commit().await?;
    forget(&app);
    Ok(Json(
        json!({"message": "Seats generated", "seatsCreated": created, "eventTitle": event.title}),
    ))
}

pub(super) async fn delete(
    State(app): State<App>,
    Admin(admin): Admin,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let now = wire::at(app.clock.now());
    if app
        .booking
        .active_seat_reservations(id)
        .await
        .map_err(refused_by_booking)?
        > 0
    {
        return Err(ApiError::bad_request(
            "Event has active seat reservations; cancel them first",
        ));
    }
    let deleted = app.booking.delete_seats(id).await.map_err(refused_by_booking)?;
    let mut tx = app.store.begin().await?;
    Store::audit(
        &mut tx,
        admin.user_id,
        "SEATS_DELETED",
        id,
        &json!({"seats": deleted}),
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(Json(json!({"message": "Seats deleted", "seatsDeleted": deleted})))
}
