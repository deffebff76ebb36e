//! What everybody may read.

use crate::{App, booking::Booking};
use axum::{Router, extract::State, routing::get};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use urr_kit::{
    ApiError, ApiResult, Secrets,
    extract::{Json, Path, Query},
    identity::require_internal,
    wire,
};
use uuid::Uuid;

/// Longer search texts find nothing anyway.
const TEXT_CHARS_MAX: usize = 200;
/// An offset beyond this only makes Postgres count.
const PAGE_MAX: i64 = 10_000;

/// What a list was asked for, within range: the key of its cached answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ListKey {
    text: Option<String>,
    status: Option<String>,
    page: i64,
    limit: i64,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    q: Option<String>,
    status: Option<String>,
    page: Option<i64>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    page: i64,
    limit: i64,
    total: i64,
    total_pages: i64,
}

impl Wanted {
    fn key(self, limit_default: i64) -> ListKey {
        let filled = |text: Option<String>| {
            text.map(|text| text.trim().chars().take(TEXT_CHARS_MAX).collect::<String>())
                .filter(|text| !text.is_empty() && !text.contains('\0'))
        };
        ListKey {
            text: filled(self.q),
            status: filled(self.status),
            page: self.page.unwrap_or(1).clamp(1, PAGE_MAX),
            limit: self.limit.unwrap_or(limit_default).clamp(1, 100),
        }
    }
}

impl ListKey {
    const fn offset(&self) -> i64 {
        (self.page - 1) * self.limit
    }

    const fn pagination(&self, total: i64) -> Pagination {
        Pagination {
            page: self.page,
            limit: self.limit,
            total,
            total_pages: (total + self.limit - 1) / self.limit,
        }
    }
}

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/api/events", get(list))
        .route("/api/events/{id}", get(detail))
        .route("/api/artists", get(artists))
        .route("/api/artists/{id}", get(artist))
}

pub(crate) fn internal(secrets: &Secrets) -> Router<App> {
    Router::new()
        .route("/internal/events/{id}/queue-info", get(queue_info))
        .route("/internal/artists/{id}", get(artist_info))
        .layer(require_internal(secrets))
}

async fn list(State(app): State<App>, Query(wanted): Query<Wanted>) -> ApiResult<Json<Arc<Value>>> {
    let key = wanted.key(10);
    let now = app.clock.now();
    let load = async {
        let at = wire::at(now);
        let (rows, total) = app
            .store
            .events(
                key.text.as_deref(),
                key.status.as_deref(),
                at,
                key.limit,
                key.offset(),
            )
            .await?;
        let events: Vec<Value> = rows.iter().map(|event| event.listed(at)).collect();
        Ok::<_, ApiError>(json!({"events": events, "pagination": key.pagination(total)}))
    };
    Ok(Json(app.lists.get(&key, now, load).await?))
}

async fn detail(State(app): State<App>, Path(id): Path<Uuid>) -> ApiResult<Json<Arc<Value>>> {
    let now = app.clock.now();
    let load = async {
        let event = app.store.event(id).await?.ok_or_else(not_found)?;
        let at = wire::at(now);
        let ticket_types = ticket_types(&app.booking, id).await;
        let mut row = event.row(at);
        // Both places: the server-rendered page drops the outer one (quirk 34).
        row["ticket_types"] = json!(ticket_types);
        let mut body = json!({"event": row, "ticketTypes": ticket_types});
        if let Some(presale) = event.presale() {
            body["preSaleSchedule"] = presale;
        }
        Ok::<_, ApiError>(body)
    };
    Ok(Json(app.details.get(&id, now, load).await?))
}

/// An event can be read while booking is down (R-RES-03): its ticket types are missing then.
async fn ticket_types(booking: &Booking, event: Uuid) -> Vec<Value> {
    booking.ticket_types(event).await.unwrap_or_else(|error| {
        tracing::warn!(sale = %event, %error, "event shown without its ticket types");
        Vec::new()
    })
}

async fn artists(State(app): State<App>, Query(wanted): Query<Wanted>) -> ApiResult<Json<Arc<Value>>> {
    let key = wanted.key(50);
    let now = app.clock.now();
    let load = async {
        let (rows, total) = app.store.artists(wire::at(now), key.limit, key.offset()).await?;
        let artists: Vec<Value> = rows.iter().map(crate::artist::Artist::listed).collect();
        Ok::<_, ApiError>(json!({"artists": artists, "pagination": key.pagination(total)}))
    };
    Ok(Json(app.artist_lists.get(&key, now, load).await?))
}

async fn artist(State(app): State<App>, Path(id): Path<Uuid>) -> ApiResult<Json<Arc<Value>>> {
    let now = app.clock.now();
    let load = async {
        let at = wire::at(now);
        let artist = app.store.artist(id, at).await?.ok_or_else(no_artist)?;
        let events: Vec<Value> = app
            .store
            .events_of(id)
            .await?
            .iter()
            .map(|event| {
                let mut row = event.listed(at);
                row["pre_sale_schedule"] = event.presale().unwrap_or(Value::Null);
                row
            })
            .collect();
        Ok::<_, ApiError>(
            json!({"artist": artist.row(), "memberCount": artist.member_count, "events": events}),
        )
    };
    Ok(Json(app.artists.get(&id, now, load).await?))
}

async fn queue_info(State(app): State<App>, Path(id): Path<Uuid>) -> ApiResult<Json<Value>> {
    let event = app.store.event(id).await?.ok_or_else(not_found)?;
    Ok(Json(json!({"title": event.title, "artist": event.artist_name})))
}

/// What booking keeps a copy of, for memberships.
async fn artist_info(State(app): State<App>, Path(id): Path<Uuid>) -> ApiResult<Json<Value>> {
    let now = wire::at(app.clock.now());
    let artist = app.store.artist(id, now).await?.ok_or_else(no_artist)?;
    Ok(Json(artist.row()))
}

fn no_artist() -> ApiError {
    ApiError::not_found("Artist not found")
}

pub(crate) fn not_found() -> ApiError {
    ApiError::not_found("Event not found")
}
