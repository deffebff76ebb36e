//! What admins do (R-ADM-01): events, seats, ticket types, and a look at reservations. Every write is
//! audited in the transaction that makes it (R-ADM-02).

mod create;
mod draft;
mod events;
mod reservations;
mod seats;
mod tickets;

use crate::App;
use axum::{
    Router,
    http::StatusCode,
    routing::{get, patch, post, put},
};
use urr_kit::{ApiError, internal::InternalError};

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/api/admin/dashboard", get(reservations::dashboard))
        .route("/api/admin/dashboard/stats", get(reservations::dashboard))
        .route("/api/admin/reservations", get(reservations::list))
        .route(
            "/api/admin/reservations/{id}/status",
            patch(reservations::set_status),
        )
        .route("/api/admin/seat-layouts", get(seats::layouts))
        .route("/api/admin/events", post(create::create))
        .route(
            "/api/admin/events/{id}",
            put(events::change).delete(events::delete),
        )
        .route("/api/admin/events/{id}/cancel", post(events::cancel))
        .route("/api/admin/events/{id}/generate-seats", post(seats::generate))
        .route(
            "/api/admin/events/{id}/seats",
            axum::routing::delete(seats::delete),
        )
        .route("/api/admin/events/{id}/tickets", post(tickets::create))
        .route("/api/admin/tickets/{id}", put(tickets::change))
}

/// Booking said no: the caller hears its reason if it is his to mend, else that it is away.
fn refused_by_booking(error: InternalError) -> ApiError {
    match &error {
        InternalError::Status { status, message, .. }
            if status.is_client_error()
                && *status != StatusCode::UNAUTHORIZED
                && *status != StatusCode::FORBIDDEN =>
        {
            let message = message.clone();
            ApiError::with_status(*status, message).with_source(error)
        }
        _ => ApiError::unavailable("Booking is not available. Nothing was changed; please retry.")
            .with_source(error),
    }
}
