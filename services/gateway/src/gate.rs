//! The entry gate (R-GW-04): seats and reservations only with a valid entry token.
//!
//! Booking checks the token again, against the event that is booked; this gate turns the crowd
//! away before it costs a database anything. Reading and cancelling one's own reservation is
//! exempt: an owner must reach it after the token's ten minutes too (quirk 18).

use crate::{
    guard::{Need, Policy},
    routes::under,
};
use axum::{
    body::Body,
    http::{Method, Response, request::Parts},
    response::IntoResponse,
};
use serde_json::json;
use urr_kit::error::ApiError;

/// What the gateway asks for: entry tokens, in the header. The cookie is not read here: the
/// browser's script copies it (api-contract.md section 4).
pub(crate) struct Gate;

impl Policy for Gate {
    fn need(&self, method: &Method, path: &str) -> Result<Option<Need>, Box<Response<Body>>> {
        // Any sale: which event is booked stands in the body, and booking compares it.
        Ok(guards(method, path).then_some(Need::Entry(None)))
    }

    fn refuse(&self, _parts: &Parts, _need: Need) -> Response<Body> {
        ApiError::forbidden("Queue entry token required")
            .with_field("redirectTo", json!("/queue"))
            .into_response()
    }

    fn reads_cookies(&self) -> bool {
        false
    }
}

/// Whether this call needs an entry token.
fn guards(method: &Method, path: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_stands_before_seats_and_booking() {
        for (method, path) in [
            (Method::GET, "/api/seats/events/x"),
            (Method::GET, "/api/seats/layouts"),
            (Method::POST, "/api/seats/reserve"),
            // R-BOOK-09.
            (Method::PUT, "/api/seats/reservation/x"),
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
