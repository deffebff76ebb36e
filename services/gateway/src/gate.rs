//! The entry gate (R-GW-04): seats and reservations only with a valid entry token.
//!
//! Booking checks the token again, against the event that is booked; this gate turns the crowd
//! away before it costs a database anything. Reading and cancelling one's own reservation is
//! exempt: an owner must reach it after the token's ten minutes too (quirk 18).

use crate::routes::under;
use axum::http::{HeaderMap, Method};
use serde_json::json;
use urr_core::{
    time::Millis,
    token::{Keyring, entry},
};
use urr_kit::{error::ApiError, identity::Identity};

/// The header that carries the entry token. The cookie is not read here: the browser's script
/// copies it (api-contract.md section 4).
const HEADER: &str = "x-queue-entry-token";

/// Whether this call needs an entry token.
pub(crate) fn guards(method: &Method, path: &str) -> bool {
    if !matches!(*method, Method::GET | Method::POST | Method::PUT | Method::PATCH) {
        return false;
    }
    if under(path, "/api/seats") {
        return true;
    }
    let Some(rest) = path.strip_prefix("/api/reservations") else {
        return false;
    };
    match rest.trim_matches('/') {
        // Creating one is booking.
        "" => *method != Method::GET,
        // `my`, `{id}` and `{id}/cancel` belong to the owner.
        _ => false,
    }
}

/// Lets the call pass, or says 403 with the way back.
pub(crate) fn check(
    headers: &HeaderMap,
    identity: Option<&Identity>,
    keys: &Keyring,
    now: Millis,
) -> Result<(), ApiError> {
    let claims = headers
        .get(HEADER)
        .and_then(|value| value.to_str().ok())
        .and_then(|token| entry::verify_any_sale(keys, token, now).ok());
    let bound = claims
        .as_ref()
        .is_some_and(|claims| identity.is_none_or(|caller| caller.user_id == claims.uid));
    if bound {
        Ok(())
    } else {
        Err(ApiError::forbidden("Queue entry token required").with_field("redirectTo", json!("/queue")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_stands_before_seats_and_booking() {
        for (method, path) in [
            (Method::GET, "/api/seats/events/x"),
            (Method::GET, "/api/seats/layouts"),
            (Method::POST, "/api/seats/reserve"),
            (Method::POST, "/api/reservations"),
            (Method::POST, "/api/reservations/"),
        ] {
            assert!(guards(&method, path), "{method} {path}");
        }
    }

    #[test]
    fn owners_and_preflights_pass_without_a_token() {
        for (method, path) in [
            (Method::GET, "/api/reservations/my"),
            (Method::GET, "/api/reservations/0b1c"),
            (Method::POST, "/api/reservations/0b1c/cancel"),
            (Method::OPTIONS, "/api/seats/reserve"),
            (Method::DELETE, "/api/seats/x"),
            (Method::POST, "/api/seatsx"),
            (Method::GET, "/api/events"),
        ] {
            assert!(!guards(&method, path), "{method} {path}");
        }
    }
}
