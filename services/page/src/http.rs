//! The page on the wire. All of it is public and cacheable; none of it depends on who asks.

use crate::{Config, SeatCounts, seats::Counted, site::Site};
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, Response, header},
    response::IntoResponse,
    routing::get,
};
use std::sync::Arc;
use urr_kit::{ApiError, StartError};
use uuid::Uuid;

/// R-GW-13: five minutes fresh, an hour at most when the origin is away. The key needs neither
/// cookies nor the query.
const PAGE_CACHE: &str = "public, max-age=300, stale-while-revalidate=300, stale-if-error=3600";
/// A name that says its content never changes.
const ASSET_CACHE: &str = "public, max-age=31536000, immutable";
/// The present file under an older name: right now, wrong for a year.
const STAND_IN_CACHE: &str = "public, max-age=60";
/// Seats move quickly and the crowd is large: a CDN asks once in three seconds.
const SEATS_CACHE: &str = "public, max-age=3, stale-while-revalidate=10, stale-if-error=60";

/// The page runs its own script and style, speaks to its own origin, and is framed by nobody.
const CONTENT_SECURITY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SECURITY: [(&str, &str); 6] = [
    ("content-security-policy", CONTENT_SECURITY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=()",
    ),
];

/// Where the page learns how many seats are left.
pub enum Seats {
    /// Counted here, at `/vwr/seats/{event}`.
    Counted(SeatCounts),
    /// At the same path of the same origin, which somebody else answers.
    Elsewhere,
}

struct Page {
    site: Site,
}

/// `GET /vwr/{event}`, its assets, and `GET /vwr/seats/{event}` if they are counted here.
///
/// # Errors
/// When an address in `config` is none.
pub fn router(config: &Config, seats: Seats) -> Result<Router, StartError> {
    let site = Site::build(config)?;
    let router = Router::new()
        .route("/vwr/{event}", get(page))
        .route("/vwr/assets/{file}", get(asset))
        .with_state(Arc::new(Page { site }));
    Ok(match seats {
        Seats::Counted(counts) => router.merge(
            Router::new()
                .route("/vwr/seats/{event}", get(left))
                .with_state(counts),
        ),
        Seats::Elsewhere => router,
    })
}

/// The same bytes for every sale: the script reads the sale from the address.
async fn page(
    State(page): State<Arc<Page>>,
    Path(event): Path<String>,
    asked: HeaderMap,
) -> Result<Response<Body>, ApiError> {
    event_id(&event)?;
    Ok(secured(page.site.page.answer(&asked, PAGE_CACHE)))
}

async fn asset(
    State(page): State<Arc<Page>>,
    Path(file): Path<String>,
    asked: HeaderMap,
) -> Result<Response<Body>, ApiError> {
    let (asset, exact) = page.site.find(&file).ok_or_else(unknown)?;
    let cache = if exact { ASSET_CACHE } else { STAND_IN_CACHE };
    Ok(secured(asset.answer(&asked, cache)))
}

async fn left(
    State(seats): State<SeatCounts>,
    Path(event): Path<String>,
) -> Result<Response<Body>, ApiError> {
    let counted: Counted = seats.of(event_id(&event)?).await;
    let cache = [(header::CACHE_CONTROL, SEATS_CACHE)];
    Ok((cache, Json(counted)).into_response())
}

fn event_id(text: &str) -> Result<Uuid, ApiError> {
    text.parse().map_err(|_| unknown())
}

fn unknown() -> ApiError {
    ApiError::not_found("Not found")
}

fn secured(mut response: Response<Body>) -> Response<Body> {
    for (name, value) in SECURITY {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
