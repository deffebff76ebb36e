//! What a visitor's request says about the caller, beside the tier-1 place.

use crate::store::Proof;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::COOKIE, request::Parts},
};
use urr_core::{
    sale::SaleId,
    time::Millis,
    token::{Keyring, entry},
};
use urr_kit::{ApiError, identity::USER_ID};
use uuid::Uuid;

const ENTRY_HEADER: &str = "x-queue-entry-token";
const ENTRY_COOKIE: &str = "urr-entry-token";
/// Entry tokens looked at per request: a header and a browser's duplicates of one cookie.
const TOKENS_MAX: usize = 4;

/// Sent by browsers on phones without being asked (User-Agent Client Hints).
const MOBILE_HINT: &str = "sec-ch-ua-mobile";
/// For apps, which send no hints.
const DEVICE: &str = "x-urr-device";

/// The verified user behind a request, as the gateway says. A poll needs no more of the identity
/// than this, and a line is polled more often than anything else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller(pub(crate) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts
            .headers
            .get(&USER_ID)
            .and_then(|value| Uuid::try_parse_ascii(value.as_bytes()).ok())
            .map(Self)
            .ok_or_else(|| ApiError::unauthorized("Authentication required"))
    }
}

/// What the caller proves, or says and may be believed: that of a device decides only how long it
/// may be silent, within the life of the slot.
pub(crate) fn proof(headers: &HeaderMap, keys: &Keyring, sale: SaleId, user: Uuid, now: Millis) -> Proof {
    let header = headers.get(ENTRY_HEADER).and_then(|value| value.to_str().ok());
    let entry_until = header
        .into_iter()
        .chain(cookies(headers, ENTRY_COOKIE))
        .take(TOKENS_MAX)
        .find_map(|token| entry::verify(keys, token, sale, user, now).ok())
        .map(|claims| Millis(claims.exp.saturating_mul(1000)));
    let says = |name: &str, value: &str| headers.get(name).is_some_and(|said| said == value);
    Proof {
        entry_until,
        is_phone: says(MOBILE_HINT, "?1") || says(DEVICE, "phone"),
    }
}

/// The values of the cookie `name`: browsers may send several.
pub(crate) fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches('"'))
}
