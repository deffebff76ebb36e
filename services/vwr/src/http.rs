//! Tier 1 on the wire (api-contract.md section 5): join, poll, look; and the operator's hand.
//!
//! A poll does no I/O: it verifies the request id and compares two numbers (law `free-poll`).

use crate::{
    admin::{self, Advanced, HandError},
    cache::{RoomCache, Unavailable, Watched},
    line::NoPlace,
    lines::Lines,
    store::{Recorded, Store},
    visitor::Visitor,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    routing::{get, post},
};
use metrics::Counter;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use urr_core::{
    pacing::{self, Crowd},
    room::{Mode, Refusal, Room},
    sale::SaleId,
    time::Millis,
    token::{Keyring, place, tier1},
};
use urr_kit::{
    ApiError, ApiResult, SharedClock,
    extract::{Json, JsonOrDefault, Path, Query},
    identity::Admin,
    state::StateError,
};
use uuid::Uuid;

/// A join's body is a name; what is longer is not ours.
const BODY_BYTES_MAX: usize = 4096;

/// A join is answered within milliseconds. After this long the visitor's own retry finds the
/// place; it is below the 15 s after which clients give up.
const JOIN_WAIT: Duration = Duration::from_secs(10);

const UNKNOWN_ROOM: &str = "VWR not found for this event";
const UNKNOWN_PLACE: &str = "Position not found. Request a new position.";
const NOT_ACTIVE: &str = "VWR is not active for this event";
const UNAVAILABLE: &str = "Waiting room temporarily unavailable. Please retry.";

/// What the handlers work with.
pub(crate) struct App {
    pub(crate) store: Arc<Store>,
    pub(crate) cache: Arc<RoomCache>,
    pub(crate) lines: Lines,
    pub(crate) clock: SharedClock,
    pub(crate) keys: Keyring,
    pub(crate) polls: Counter,
    pub(crate) admitted: Counter,
    /// Rate of a room that an admin activates for an event without a sale.
    pub(crate) default_rate_per_s: u32,
}

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/vwr-api/vwr/status/{event_id}", get(status))
        .route(
            "/vwr-api/vwr/assign/{event_id}",
            post(assign).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)),
        )
        .route("/vwr-api/vwr/check/{event_id}/{request_id}", get(check))
        .route("/api/admin/vwr/activate/{event_id}", post(activate))
        .route("/api/admin/vwr/deactivate/{event_id}", post(deactivate))
        .route("/api/admin/vwr/status/{event_id}", get(admin_status))
        .route("/api/admin/vwr/advance/{event_id}", post(advance))
        .with_state(app)
}

// === visitors ===

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RoomStatus {
    event_id: SaleId,
    is_active: bool,
    total_in_queue: u64,
    serving: u64,
    waiting_count: u64,
}

async fn status(State(app): State<Arc<App>>, Path(event_id): Path<String>) -> ApiResult<Json<RoomStatus>> {
    let event_id = parse_id(&event_id, UNKNOWN_ROOM)?;
    let (watched, room) = app
        .room(event_id)
        .await?
        .ok_or_else(|| ApiError::not_found(UNKNOWN_ROOM))?;
    let serving = watched.serving(&room, app.clock.now());
    Ok(Json(RoomStatus {
        event_id,
        is_active: room.mode != Mode::Inactive,
        total_in_queue: room.issued,
        serving,
        waiting_count: room.issued.saturating_sub(serving),
    }))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct AssignBody {
    user_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Assigned {
    request_id: Uuid,
    position: u64,
    estimated_wait: u64,
    serving_counter: u64,
    next_poll: u64,
    next_poll_ms: u64,
}

async fn assign(
    State(app): State<Arc<App>>,
    Path(event_id): Path<String>,
    JsonOrDefault(body): JsonOrDefault<AssignBody>,
) -> ApiResult<Json<Assigned>> {
    let event_id = parse_id(&event_id, NOT_ACTIVE)?;
    let visitor =
        Visitor::parse(body.user_id.as_deref()).map_err(|why| ApiError::bad_request(why.to_string()))?;
    let (watched, room) = app
        .room(event_id)
        .await?
        .ok_or_else(|| ApiError::not_found(NOT_ACTIVE))?;
    let Recorded { position, epoch } =
        tokio::time::timeout(JOIN_WAIT, app.lines.of(event_id, &watched).join(visitor.clone()))
            .await
            .unwrap_or(Err(NoPlace::Store))
            .map_err(|why| no_place(why, &room))?;
    let place = place::Place {
        sale: event_id,
        epoch,
        position,
    };
    let request_id = place::issue(&app.keys, &place, visitor.as_str());
    let room = watched.room().unwrap_or(room);
    let now = app.clock.now();
    let serving = watched.serving(&room, now);
    let forecast = Forecast::of(&room, serving, position, request_id, now);
    Ok(Json(Assigned {
        request_id,
        position,
        estimated_wait: forecast.wait_s,
        serving_counter: serving,
        next_poll: forecast.next_poll_ms.div_ceil(1000),
        next_poll_ms: forecast.next_poll_ms,
    }))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct CheckQuery {
    user_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    admitted: bool,
    position: u64,
    serving_counter: u64,
    total_in_queue: u64,
    ahead: u64,
    estimated_wait: u64,
    next_poll: u64,
    next_poll_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

async fn check(
    State(app): State<Arc<App>>,
    Path((event_id, request_id)): Path<(String, String)>,
    Query(query): Query<CheckQuery>,
) -> ApiResult<Json<Checked>> {
    app.polls.increment(1);
    let unknown = || ApiError::not_found(UNKNOWN_PLACE);
    let event_id = parse_id(&event_id, UNKNOWN_PLACE)?;
    let request_id = parse_id(&request_id, UNKNOWN_PLACE)?;
    let visitor = Visitor::parse(query.user_id.as_deref()).map_err(|_| unknown())?;
    // Before anything else: an id we did not give out costs a MAC, and nothing after it.
    let place = place::verify(&app.keys, event_id, visitor.as_str(), request_id).map_err(|_| unknown())?;
    let (watched, room) = app.room(event_id).await?.ok_or_else(unknown)?;
    if place.epoch != room.epoch {
        return Err(unknown());
    }
    let now = app.clock.now();
    let serving = watched.serving(&room, now);
    // This copy may be older than the place.
    let total_in_queue = room.issued.max(place.position);
    // A room that is switched off holds nobody up; tier 2 still decides (R-VWR-07).
    if place.position <= serving || room.mode == Mode::Inactive {
        app.admitted.increment(1);
        let claims = tier1::Claims::new(
            event_id,
            visitor.as_str(),
            place.position,
            place.epoch,
            now,
            room.token_ttl_s,
        );
        return Ok(Json(Checked {
            admitted: true,
            position: place.position,
            serving_counter: serving,
            total_in_queue,
            ahead: 0,
            estimated_wait: 0,
            next_poll: 1,
            next_poll_ms: 1000,
            token: Some(tier1::issue(&app.keys, &claims)),
        }));
    }
    let forecast = Forecast::of(&room, serving, place.position, request_id, now);
    Ok(Json(Checked {
        admitted: false,
        position: place.position,
        serving_counter: serving,
        total_in_queue,
        ahead: place.position - serving,
        estimated_wait: forecast.wait_s,
        next_poll: forecast.next_poll_ms.div_ceil(1000),
        next_poll_ms: forecast.next_poll_ms,
        token: None,
    }))
}

/// What a waiting visitor is told to expect.
struct Forecast {
    wait_s: u64,
    next_poll_ms: u64,
}

impl Forecast {
    fn of(room: &Room, serving: u64, position: u64, id: Uuid, now: Millis) -> Self {
        let distance = position.saturating_sub(serving);
        let moves = matches!(room.mode, Mode::Active | Mode::Draining);
        let rate_per_s = if moves { room.clock.rate_per_s } else { 0 };
        let until_open_ms = room.clock.since.max(room.opens_at).since(now).max(0);
        let crowd = Crowd {
            waiting: room.issued.max(position).saturating_sub(serving),
            rate_per_s,
            budget_per_s: room.poll_budget_per_s,
            until_open_ms,
        };
        Self {
            wait_s: until_open_ms.unsigned_abs().div_ceil(1000)
                + pacing::estimated_wait_s(distance, rate_per_s),
            next_poll_ms: pacing::next_poll_ms(distance, &crowd, jitter(id, now)),
        }
    }
}

/// A draw from 0..1 that differs between visitors and between polls. It spreads load and guards
/// nothing, so mixing what is at hand (the id's MAC bits and the time) is enough.
fn jitter(id: Uuid, now: Millis) -> f64 {
    let (high, low) = id.as_u64_pair();
    let mixed = (high ^ low ^ now.0.unsigned_abs()).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    f64::from(u32::try_from(mixed).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

// === operators ===

async fn activate(
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

async fn deactivate(
    State(app): State<Arc<App>>,
    _: Admin,
    Path(event_id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    admin::deactivate(&app, event_id).await.map_err(hand_failed)?;
    Ok(Json(json!({"eventId": event_id, "status": "deactivated"})))
}

async fn admin_status(
    State(app): State<Arc<App>>,
    _: Admin,
    Path(event_id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let Some(room) = app
        .store
        .room(event_id)
        .await
        .map_err(|e| hand_failed(e.into()))?
    else {
        return Ok(Json(json!({"eventId": event_id, "status": "not_found"})));
    };
    let now = app.clock.now();
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
struct AdvanceBody {
    batch_size: Option<u32>,
}

async fn advance(
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

// === failures ===

impl App {
    async fn room(&self, sale: SaleId) -> ApiResult<Option<(Arc<Watched>, Arc<Room>)>> {
        let watched = self.cache.get(sale).await.map_err(|why| match why {
            Unavailable::Busy => ApiError::unavailable(UNAVAILABLE),
            Unavailable::Store(error) => ApiError::unavailable(UNAVAILABLE).with_source(error),
        })?;
        Ok(watched.and_then(|watched| watched.room().map(|room| (watched, room))))
    }
}

/// An id that is none belongs to nothing we know (quirk 22).
fn parse_id(text: &str, unknown: &'static str) -> ApiResult<Uuid> {
    text.parse().map_err(|_| ApiError::not_found(unknown))
}

fn no_place(why: NoPlace, room: &Room) -> ApiError {
    match why {
        NoPlace::Refused(refusal) => {
            let error = ApiError::not_found(NOT_ACTIVE).with_field("reason", refusal.to_string());
            match refusal {
                Refusal::NotYet => error.with_field("preQueueAt", room.pre_queue_at.0),
                Refusal::Inactive | Refusal::Closed | Refusal::Draining => error,
            }
        }
        NoPlace::Full => {
            ApiError::unavailable("The waiting room is busy. Please retry.").with_field("retryAfter", 1)
        }
        NoPlace::Store => ApiError::unavailable(UNAVAILABLE),
    }
}

fn hand_failed(error: HandError) -> ApiError {
    match error {
        HandError::State(StateError::NotFound) => ApiError::not_found(UNKNOWN_ROOM),
        HandError::State(error) if error.is_transient() => {
            ApiError::unavailable(UNAVAILABLE).with_source(error)
        }
        HandError::State(error) => ApiError::internal(error),
        HandError::Contended => {
            ApiError::conflict("The room is being changed by somebody else. Please retry.")
        }
    }
}
