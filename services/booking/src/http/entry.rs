//! The last door: the entry token is checked here again, also when somebody upstream vouches for
//! the call (R-GW-04, law `no-back-door`), and here against the event that is booked (quirk 4).

use crate::Booking;
use http::HeaderMap;
use urr_core::time::Millis;
use urr_core::token::entry;
use urr_kit::ApiError;
use urr_kit::identity::Identity;
use uuid::Uuid;

/// Where clients put it (api-contract.md section 4).
const HEADER: &str = "x-queue-entry-token";

fn refused() -> ApiError {
    ApiError::forbidden("Queue entry token required").with_field("redirectTo", "/queue")
}

fn token(headers: &HeaderMap) -> Result<&str, ApiError> {
    headers
        .get(HEADER)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(refused)
}

/// `user` may act in `event`.
pub(super) fn require(
    booking: &Booking,
    headers: &HeaderMap,
    event: Uuid,
    user: Uuid,
    now: Millis,
) -> Result<(), ApiError> {
    entry::verify(&booking.secrets.entry_keys, token(headers)?, event, user, now)
        .map(drop)
        .map_err(|invalid| refused().with_source(invalid))
}

/// Whoever calls may look at `event`: no login needed, but who is logged in needs a token of his
/// own. Without an event, any living token does.
pub(super) fn require_look(
    booking: &Booking,
    headers: &HeaderMap,
    event: Option<Uuid>,
    caller: Option<&Identity>,
    now: Millis,
) -> Result<(), ApiError> {
    let claims = entry::verify_any_sale(&booking.secrets.entry_keys, token(headers)?, now)
        .map_err(|invalid| refused().with_source(invalid))?;
    let right_event = event.is_none_or(|event| event == claims.sub);
    let right_user = caller.is_none_or(|caller| caller.user_id == claims.uid);
    if right_event && right_user {
        Ok(())
    } else {
        Err(refused())
    }
}
