//! What admins do (R-ADM-01): events, seats, ticket types, and a look at reservations. Every write is
//! audited in the transaction that makes it (R-ADM-02).

mod act;
mod create;
mod dead_letters;
mod draft;
mod events;
mod reservations;
mod seats;
mod tickets;

pub(crate) use act::Act;

use crate::App;
use axum::{
    Router,
    routing::{get, patch, post, put},
};

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
        .route("/api/admin/dead-letters", get(dead_letters::counts))
        .route("/api/admin/dead-letters/{topic}", get(dead_letters::list))
        .route(
            "/api/admin/dead-letters/{topic}/{id}/replay",
            post(dead_letters::replay),
        )
}
