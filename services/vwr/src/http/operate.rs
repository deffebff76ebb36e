//! The operator's hand on the wire (R-VWR-08), and support's question: where does this person stand?

use super::{App, UNKNOWN_ROOM, hand_failed};
use crate::{
    admin::{self, Advanced},
    visitor::Visitor,
};
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use urr_core::{
    room::Mode,
    token::place::{self, Place},
};
use urr_kit::{
    ApiError, ApiResult,
    extract::{Json, JsonOrDefault, Path, Query},
    identity::Admin,
};
use uuid::Uuid;

pub(super) async fn activate(
    State(app): State<Arc<App>>,
    _: Admin,
    Path(event_id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let activated = admin::activate(&app, event_id).await.map_err(hand_failed)?;
    let message = if activated.new_line {
        "VWR activated; a new line begins"
    } else {
        "VWR is already active; its line goes on"
    };
    Ok(Json(json!({
        "eventId": event_id,
        "status": "activated",
        "message": message,
        "epoch": activated.room.epoch,
    })))
}

pub(super) async fn deactivate(
    State(app): State<Arc<App>>,
    _: Admin,
    Path(event_id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    admin::deactivate(&app, event_id).await.map_err(hand_failed)?;
    Ok(Json(json!({"eventId": event_id, "status": "deactivated"})))
}

pub(super) async fn admin_status(
    State(app): State<Arc<App>>,
    _: Admin,
    Path(event_id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let Some(room) = app
        .shared
        .store
        .room(event_id)
        .await
        .map_err(|e| hand_failed(e.into()))?
    else {
        return Ok(Json(json!({"eventId": event_id, "status": "not_found"})));
    };
    let now = app.shared.clock.now();
    Ok(Json(json!({
        "eventId": event_id,
        "isActive": room.mode != Mode::Inactive,
        "nextPosition": room.issued,
        "servingCounter": room.serving(now),
        "waiting": room.waiting(now),
        "epoch": room.epoch,
        "mode": room.mode,
        "ratePerS": room.clock.rate_per_s,
    })))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdvanceBody {
    batch_size: Option<u32>,
}

pub(super) async fn advance(
    State(app): State<Arc<App>>,
    _: Admin,
    Path(event_id): Path<Uuid>,
    JsonOrDefault(body): JsonOrDefault<AdvanceBody>,
) -> ApiResult<Json<Value>> {
    let people = body.batch_size.unwrap_or(admin::ADVANCE_DEFAULT);
    if people == 0 {
        return Err(ApiError::bad_request("batchSize must be at least 1"));
    }
    let advanced = admin::advance(&app, event_id, people)
        .await
        .map_err(hand_failed)?;
    Ok(Json(match advanced {
        Advanced::By { serving, people } => {
            json!({"eventId": event_id, "servingCounter": serving, "advanced": people})
        }
        Advanced::CaughtUp(message) => {
            json!({"eventId": event_id, "status": "caught_up", "message": message})
        }
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlaceQuery {
    user_id: String,
}

/// Where a visitor stands, by name: read from the ledger, newest block included.
pub(super) async fn place_of(
    State(app): State<Arc<App>>,
    _: Admin,
    Path(event_id): Path<Uuid>,
    Query(query): Query<PlaceQuery>,
) -> ApiResult<Json<Value>> {
    let visitor =
        Visitor::parse(Some(&query.user_id)).map_err(|why| ApiError::bad_request(why.to_string()))?;
    let unknown = || ApiError::not_found(UNKNOWN_ROOM);
    let watched = app.watched(event_id).await?.ok_or_else(unknown)?;
    let store = &app.shared.store;
    let room = store
        .room(event_id)
        .await
        .map_err(|e| hand_failed(e.into()))?
        .ok_or_else(unknown)?;
    watched.absorb(&room);
    let found = watched
        .look_up(&app.shared, visitor)
        .await
        .map_err(|e| hand_failed(e.into()))?;
    let Some(numbered) = found else {
        return Err(ApiError::not_found(
            "This visitor has no place in the present line",
        ));
    };
    let place = Place {
        sale: event_id,
        epoch: numbered.epoch,
        position: numbered.number,
    };
    let known = watched.known();
    let serving = watched.serving(&known.room, app.shared.clock.now());
    let position = known.places.of(numbered.number);
    Ok(Json(json!({
        "eventId": event_id,
        "userId": query.user_id,
        "requestId": place::issue(&app.shared.keys, &place, visitor.as_str()),
        "epoch": numbered.epoch,
        "number": numbered.number,
        "position": position,
        "admitted": position.is_some_and(|position| position <= serving),
    })))
}
