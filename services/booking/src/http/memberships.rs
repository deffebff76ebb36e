//! Memberships as fans see them.

use crate::Booking;
use crate::membership::{self, Benefits, Refusal};
use crate::store::memberships::{self, Membership};
use crate::store::points::{self, Deed, Unfit};
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use urr_core::presale::Tier;
use urr_kit::events::PointsEarned;
use urr_kit::extract::{Json, Path};
use urr_kit::identity::Identity;
use urr_kit::wire;
use urr_kit::{ApiError, ApiResult};
use uuid::Uuid;

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::NotOwner => Self::forbidden(text),
            Refusal::Active | Refusal::NotPending => Self::bad_request(text),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscribe {
    artist_id: Uuid,
}

/// POST /api/memberships/subscribe: what is to be paid for.
pub(super) async fn subscribe(
    State(booking): State<Booking>,
    identity: Identity,
    Json(request): Json<Subscribe>,
) -> ApiResult<(StatusCode, Json<Value>)> {
    let artist = booking.artists.get(request.artist_id).await?;
    if artist.membership_price < 1 {
        return Err(ApiError::conflict("This artist offers no membership"));
    }
    let (price, now) = (artist.membership_price, wire::at(booking.clock.now()));
    let id = memberships::offer(&booking.pool, identity.user_id, artist.artist_id, price, now)
        .await?
        .ok_or_else(|| ApiError::conflict("Membership is already active"))?;
    Ok((
        StatusCode::CREATED,
        Json(json!({
            "membershipId": id, "artistId": artist.artist_id, "artistName": artist.name, "price": price,
            "status": membership::Status::Pending,
        })),
    ))
}

/// A row with what it is worth now.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    row: Membership,
    effective_tier: Tier,
}

impl From<Membership> for Shown {
    fn from(row: Membership) -> Self {
        Self {
            effective_tier: row.effective_tier(),
            row,
        }
    }
}

/// GET /api/memberships/my.
pub(super) async fn mine(State(booking): State<Booking>, identity: Identity) -> ApiResult<Json<Value>> {
    let now = wire::at(booking.clock.now());
    let rows = memberships::of_user(&booking.pool, identity.user_id).await?;
    let shown: Vec<Shown> = rows.into_iter().map(|row| row.at(now).into()).collect();
    Ok(Json(json!({ "memberships": shown })))
}

/// GET /api/memberships/my/{artist}.
pub(super) async fn of_artist(
    State(booking): State<Booking>,
    identity: Identity,
    Path(artist): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let now = wire::at(booking.clock.now());
    let Some(row) = memberships::of_artist(&booking.pool, identity.user_id, artist).await? else {
        return Ok(Json(json!({
            "membership": {}, "pointHistory": [], "tier": Tier::Bronze, "benefits": Benefits::of(Tier::Bronze),
        })));
    };
    let history = memberships::history(&booking.pool, row.id).await?;
    let shown = Shown::from(row.at(now));
    let tier = shown.effective_tier;
    Ok(Json(json!({
        "membership": shown, "pointHistory": history, "tier": tier, "benefits": Benefits::of(tier),
    })))
}

/// GET /api/memberships/benefits/{artist}. The price is beside them (quirk 35).
pub(super) async fn benefits(
    State(booking): State<Booking>,
    identity: Identity,
    Path(artist): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let now = wire::at(booking.clock.now());
    let known = booking.artists.get(artist).await?;
    let tier = memberships::tier(&booking.pool, identity.user_id, artist, now).await?;
    let mut body = serde_json::to_value(Benefits::of(tier)).map_err(ApiError::internal)?;
    body["membership_price"] = json!(known.membership_price);
    Ok(Json(body))
}

/// POST /internal/memberships/award-points: what a fan did elsewhere, as the event `POINTS_EARNED` tells it too. Told
/// twice with the same reference it counts once; a fan of several artists needs the artist named.
pub(super) async fn award(
    State(booking): State<Booking>,
    Json(told): Json<PointsEarned>,
) -> ApiResult<Json<Value>> {
    let deed = Deed::try_from(&told).map_err(|unfit: Unfit| ApiError::bad_request(unfit.to_string()))?;
    let mut conn = booking.pool.acquire().await?;
    let award = points::award(&mut conn, &deed, wire::at(booking.clock.now())).await?;
    Ok(Json(match award.members {
        1 => json!({ "ok": true }),
        0 => json!({ "ok": false, "error": "No active membership" }),
        _ => json!({ "ok": false, "error": "artistId is required: the user is a member of several artists" }),
    }))
}
