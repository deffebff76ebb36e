//! What everybody may know, and every cache may keep: how far the line is, and how it was drawn.
//!
//! These answers are the same for all, so a CDN in front answers a crowd of any size with one
//! request a second.

use super::{
    App, UNKNOWN_ROOM, parse_id,
    wire::{Object, segments},
};
use axum::{
    extract::State,
    http::{HeaderValue, Uri, header::CACHE_CONTROL},
    response::{IntoResponse as _, Response},
};
use std::sync::Arc;
use urr_core::{
    draw::ALGORITHM,
    room::{Mode, Room},
    time::Millis,
};
use urr_kit::ApiError;
use uuid::Uuid;

pub(super) const SERVING: &str = "/vwr-api/vwr/serving/";
pub(super) const DRAW: &str = "/vwr-api/vwr/draw/";

/// A second, as old as our own copies are; never served stale, for a line may stand.
const A_SECOND: HeaderValue = HeaderValue::from_static("public, max-age=1, s-maxage=1, must-revalidate");
/// A closed draw never changes, but the address is the sale's and not the line's: a line that
/// follows has another draw.
const A_MINUTE: HeaderValue = HeaderValue::from_static("public, max-age=60, s-maxage=60");

pub(super) async fn serving(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let event_id = segments(&uri, SERVING).next().unwrap_or_default();
    told(&app, event_id, |known, serving, now| {
        let room = &known.room;
        let mut answer = Object::new();
        answer
            .number("serving", serving)
            .number("issued", room.issued)
            .number(
                "ratePerS",
                if room.is_moving(now) {
                    room.clock.rate_per_s.into()
                } else {
                    0
                },
            )
            .plain("phase", phase(room, now))
            .instant("opensAt", room.opens_at)
            .number("epoch", room.epoch.into())
            .instant("serverNow", now);
        answer.answer(A_SECOND)
    })
    .await
}

pub(super) async fn draw(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let event_id = segments(&uri, DRAW).next().unwrap_or_default();
    told(&app, event_id, |known, _, _| {
        let draw = &known.room.draw;
        let mut answer = Object::new();
        match draw.commitment {
            Some(commitment) => answer.plain("commitment", &commitment.to_hex()),
            None => answer.null("commitment"),
        };
        match draw.seed {
            Some(seed) => answer.plain("seed", &seed.to_hex()),
            None => answer.null("seed"),
        };
        match draw.drawn {
            Some(drawn) => answer.number("drawn", drawn),
            None => answer.null("drawn"),
        };
        answer
            .plain("algorithm", ALGORITHM)
            .number("epoch", known.room.epoch.into());
        answer.answer(if draw.drawn.is_some() { A_MINUTE } else { A_SECOND })
    })
    .await
}

/// The answer about a sale, or a 404 that caches may keep as long.
async fn told(
    app: &App,
    event_id: &str,
    tell: impl FnOnce(&crate::watched::Known, u64, Millis) -> Response,
) -> Response {
    let found = async {
        let event_id: Uuid = parse_id(event_id, UNKNOWN_ROOM)?;
        app.watched(event_id)
            .await?
            .ok_or_else(|| ApiError::not_found(UNKNOWN_ROOM))
    };
    match found.await {
        Ok(watched) => {
            let now = app.shared.clock.now();
            let known = watched.known();
            if known.room.draw_is_due(now) {
                app.cache.hurry();
            }
            let serving = watched.serving(&known.room, now);
            tell(&known, serving, now)
        }
        Err(error) => {
            let mut response = error.into_response();
            if response.status().is_client_error() {
                response.headers_mut().insert(CACHE_CONTROL, A_SECOND);
            }
            response
        }
    }
}

pub(super) fn phase(room: &Room, now: Millis) -> &'static str {
    match room.mode {
        Mode::Inactive => "inactive",
        _ if now >= room.closes_at => "closed",
        _ if now < room.pre_queue_at => "scheduled",
        _ if now < room.opens_at || room.is_undrawn() => "pre-queue",
        Mode::Paused => "paused",
        Mode::Draining => "draining",
        Mode::Active => "open",
    }
}
