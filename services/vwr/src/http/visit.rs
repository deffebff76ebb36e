//! What visitors ask: a place, and whether it is their turn.
//!
//! A poll does no I/O: it verifies the request id and compares two numbers (law `free-poll`).

use super::{
    App, NOT_ACTIVE, UNAVAILABLE, UNKNOWN_PLACE, UNKNOWN_ROOM, no_place, parse_id,
    view::View,
    wire::{NO_STORE, Object, plain_user_id, segments},
};
use crate::{
    line::Numbered,
    visitor::Visitor,
    watched::{Known, Watched},
};
use axum::{
    body::Bytes,
    extract::{Query, State, rejection::BytesRejection},
    http::Uri,
    response::Response,
};
use serde::Deserialize;
use std::{borrow::Cow, sync::Arc};
use urr_core::{
    room::{Mode, Standing},
    token::{
        place::{self, Place},
        tier1,
    },
};
use urr_kit::{ApiError, ApiResult};
use uuid::Uuid;

pub(super) const STATUS: &str = "/vwr-api/vwr/status/";
pub(super) const ASSIGN: &str = "/vwr-api/vwr/assign/";
pub(super) const CHECK: &str = "/vwr-api/vwr/check/";

pub(super) async fn status(State(app): State<Arc<App>>, uri: Uri) -> ApiResult<Response> {
    let event_id = segments(&uri, STATUS).next().unwrap_or_default();
    let event_id = parse_id(event_id, UNKNOWN_ROOM)?;
    let watched = app
        .watched(event_id)
        .await?
        .ok_or_else(|| ApiError::not_found(UNKNOWN_ROOM))?;
    let known = watched.known();
    let room = &known.room;
    let serving = watched.serving(room, app.shared.clock.now());
    let mut answer = Object::new();
    answer
        .id("eventId", event_id)
        .flag("isActive", room.mode != Mode::Inactive)
        .number("totalInQueue", room.issued)
        .number("serving", serving)
        .number("waitingCount", room.issued.saturating_sub(serving))
        .number("epoch", room.epoch.into())
        // Passes and places of lines up to this one are nobody's.
        .number("voids", room.voids.into());
    Ok(answer.answer(NO_STORE))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct AssignBody<'a> {
    #[serde(borrow)]
    user_id: Option<Cow<'a, str>>,
    /// The place that the visitor says to have: told again without a look at the ledger, which
    /// may not know it any more.
    #[serde(borrow)]
    request_id: Option<Cow<'a, str>>,
}

pub(super) async fn assign(
    State(app): State<Arc<App>>,
    uri: Uri,
    body: Result<Bytes, BytesRejection>,
) -> ApiResult<Response> {
    let body =
        body.map_err(|why| ApiError::with_status(why.status(), "The request body could not be read"))?;
    let event_id = segments(&uri, ASSIGN).next().unwrap_or_default();
    let event_id = parse_id(event_id, NOT_ACTIVE)?;
    let body = if body.iter().all(u8::is_ascii_whitespace) {
        AssignBody::default()
    } else {
        serde_json::from_slice(&body)
            .map_err(|error| ApiError::bad_request(format!("Invalid request body: {error}")))?
    };
    let visitor =
        Visitor::parse(body.user_id.as_deref()).map_err(|why| ApiError::bad_request(why.to_string()))?;
    let had = body.request_id.as_deref().and_then(|id| id.parse().ok());
    let had = had.and_then(|id: Uuid| {
        let place = place::verify(&app.shared.keys, event_id, visitor.as_str(), id).ok()?;
        Some((id, place))
    });
    let Some(watched) = app.watched(event_id).await? else {
        return Err(match had {
            Some(_) => not_known_here(),
            None => ApiError::not_found(NOT_ACTIVE),
        });
    };
    if let Some((id, place)) = had
        && standing(&watched, &watched.known(), &place) == Standing::Ours
    {
        return Ok(assigned(&app, &watched, id, place.position));
    }
    let Numbered { number, epoch } = watched
        .join(&app.shared, visitor)
        .await
        .map_err(|why| no_place(why, &watched.known().room))?;
    let place = Place {
        sale: event_id,
        epoch,
        position: number,
    };
    let request_id = place::issue(&app.shared.keys, &place, visitor.as_str());
    Ok(assigned(&app, &watched, request_id, number))
}

fn assigned(app: &App, watched: &Watched, request_id: Uuid, number: u64) -> Response {
    let view = View::of(app, watched, &watched.known(), number, request_id);
    let mut answer = Object::new();
    answer
        .id("requestId", request_id)
        .number("position", view.position)
        .number("servingCounter", view.serving);
    view.tell(&mut answer);
    answer.answer(NO_STORE)
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct CheckQuery {
    user_id: Option<String>,
}

pub(super) async fn check(State(app): State<Arc<App>>, uri: Uri) -> ApiResult<Response> {
    app.polls.increment(1);
    let unknown = || ApiError::not_found(UNKNOWN_PLACE);
    let mut ids = segments(&uri, CHECK);
    let event_id = parse_id(ids.next().unwrap_or_default(), UNKNOWN_PLACE)?;
    let request_id = parse_id(ids.next().unwrap_or_default(), UNKNOWN_PLACE)?;
    let escaped;
    let name = match plain_user_id(&uri) {
        Ok(name) => name,
        Err(()) => {
            let Query(query) = Query::<CheckQuery>::try_from_uri(&uri).map_err(|_| unknown())?;
            escaped = query;
            escaped.user_id.as_deref()
        }
    };
    let visitor = Visitor::parse(name).map_err(|_| unknown())?;
    // Before anything else: an id we did not give out costs a MAC, and nothing after it.
    let place =
        place::verify(&app.shared.keys, event_id, visitor.as_str(), request_id).map_err(|_| unknown())?;
    let watched = app.watched(event_id).await?.ok_or_else(not_known_here)?;
    let known = watched.known();
    match standing(&watched, &known, &place) {
        Standing::Ours | Standing::Unheard => {}
        Standing::Later => return Err(not_known_here()),
        Standing::Void => return Err(unknown()),
    }
    let room = &known.room;
    let view = View::of(&app, &watched, &known, place.position, request_id);
    let mut answer = Object::new();
    answer
        .flag("admitted", view.is_admitted)
        .number("position", view.position)
        .number("servingCounter", view.serving)
        // This copy may be older than the place.
        .number("totalInQueue", room.issued.max(place.position))
        .number(
            "ahead",
            if view.is_admitted {
                0
            } else {
                view.position.saturating_sub(view.serving)
            },
        );
    view.tell(&mut answer);
    answer
        .number("epoch", room.epoch.into())
        .number("revision", room.revision);
    if view.is_admitted {
        app.admitted.increment(1);
        let (now, ttl_s) = (view.now, room.token_ttl_s);
        let claims = tier1::Claims::new(event_id, visitor.as_str(), view.position, room.epoch, now, ttl_s);
        answer.plain("token", &tier1::issue(&app.shared.keys, &claims));
    }
    Ok(answer.answer(NO_STORE))
}

/// What a genuine place is worth in the present line; what the record has not heard of is noted, and
/// is ours then.
fn standing(watched: &Watched, known: &Known, place: &Place) -> Standing {
    match known.room.standing_of(place.epoch, place.position) {
        Standing::Unheard => {
            watched.hear(&known.room, place.position);
            Standing::Ours
        }
        standing => standing,
    }
}

/// A genuine place, and a room that this replica cannot find or knows a copy of that is too old. It
/// is not the visitor's place that is gone: a 404 would have him throw it away.
fn not_known_here() -> ApiError {
    ApiError::unavailable(UNAVAILABLE).with_field("retryAfter", 2)
}
