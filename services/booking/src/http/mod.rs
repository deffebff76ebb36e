//! Routes, grouped by who calls them. A handler reads as steps: extract, load, authorise, act,
//! respond.

mod admin;
mod entry;
mod memberships;
mod payment;
mod reservations;
mod seats;
mod terms;
mod tickets;
mod transfers;

use crate::Booking;
use crate::holds::{HoldError, Refusal};
use crate::store::settle::SettleError;
use axum::Router;
use axum::routing::{get, patch, post, put};
use urr_kit::ApiError;
use urr_kit::identity::require_internal;

/// What visitors call, through the gateway.
pub(crate) fn public(booking: Booking) -> Router {
    Router::new()
        .route("/api/time", get(tickets::time))
        .route("/api/seats/layouts", get(seats::layouts))
        .route("/api/seats/events/{event}", get(seats::map))
        .route("/api/seats/reserve", post(seats::reserve))
        .route(
            "/api/seats/reservation/{id}",
            get(seats::reservation).put(seats::change),
        )
        .route("/api/reservations", post(reservations::create))
        .route("/api/reservations/my", get(reservations::mine))
        .route("/api/reservations/{id}", get(reservations::one))
        .route("/api/reservations/{id}/cancel", post(reservations::cancel))
        .route("/api/memberships/subscribe", post(memberships::subscribe))
        .route("/api/memberships/my", get(memberships::mine))
        .route("/api/memberships/my/{artist}", get(memberships::of_artist))
        .route("/api/memberships/benefits/{artist}", get(memberships::benefits))
        .route("/api/transfers", get(transfers::listed).post(transfers::list))
        .route("/api/transfers/my", get(transfers::mine))
        .route("/api/transfers/{id}", get(transfers::one))
        .route("/api/transfers/{id}/cancel", post(transfers::cancel))
        .route("/api/tickets/event/{event}", get(tickets::of_event))
        .route("/api/tickets/availability/{id}", get(tickets::availability))
        .with_state(booking)
}

/// What other services and the control plane call.
pub(crate) fn internal(booking: Booking) -> Router {
    let guard = require_internal(&booking.secrets);
    Router::new()
        .route("/internal/reservations/{id}/validate", get(payment::validate))
        .route("/internal/reservations/{id}/confirm", post(payment::confirm))
        .route("/internal/reservations/{id}/refund", post(payment::refund))
        .route(
            "/internal/transfers/{id}/validate",
            get(payment::validate_transfer),
        )
        .route(
            "/internal/transfers/{id}/complete",
            post(payment::complete_transfer),
        )
        .route(
            "/internal/memberships/{id}/validate",
            get(payment::validate_membership),
        )
        .route(
            "/internal/memberships/{id}/activate",
            post(payment::activate_membership),
        )
        .route("/internal/memberships/award-points", post(memberships::award))
        .route("/internal/sales/{id}", put(admin::put_sale))
        .route("/internal/sales/{id}/terms", get(terms::of_event))
        .route("/internal/sales/{id}/tiers/{user}", get(terms::tier))
        .route(
            "/internal/seats/generate/{event}/{layout}",
            post(admin::generate_seats),
        )
        .route("/internal/seats/count/{event}", get(admin::count_seats))
        .route("/internal/seats/summary/{event}", get(admin::summary))
        .route(
            "/internal/seats/{event}",
            axum::routing::delete(admin::delete_seats),
        )
        .route(
            "/internal/seat-layouts",
            get(seats::all_layouts).post(admin::create_layout),
        )
        .route("/internal/admin/seat-layouts", get(seats::all_layouts))
        .route("/internal/ticket-types", get(tickets::list).post(tickets::create))
        .route("/internal/ticket-types/{id}", put(tickets::update))
        .route(
            "/internal/ticket-types/{id}/availability",
            get(tickets::availability),
        )
        .route("/internal/admin/reservation-stats", get(admin::stats))
        .route("/internal/admin/recent-reservations", get(admin::recent))
        .route("/internal/admin/reservations", get(admin::reservations))
        .route(
            "/internal/admin/reservations/{id}/status",
            patch(admin::set_status),
        )
        .route(
            "/internal/admin/active-seat-reservation-count",
            get(admin::active_count),
        )
        .route(
            "/internal/admin/reservations/cancel-by-event/{event}",
            post(admin::cancel_by_event),
        )
        .route(
            "/internal/admin/reservations/cancel-all-by-event/{event}",
            post(admin::cancel_by_event),
        )
        .with_state(booking)
        .layer(guard)
}

impl From<HoldError> for ApiError {
    fn from(error: HoldError) -> Self {
        let refusal = match error {
            HoldError::Store(error) => return error.into(),
            HoldError::Refused(refusal) => refusal,
        };
        let text = refusal.to_string();
        match refusal {
            Refusal::NoEvent | Refusal::SeatNotFound | Refusal::NoReservation => Self::not_found(text),
            Refusal::NoSeats | Refusal::OneSeatOnly | Refusal::TooManySeats(_) => Self::bad_request(text),
            Refusal::Terms(refusal) => refusal.into(),
            Refusal::NotPending => Self::conflict(text).with_field("code", "NOT_PENDING"),
            Refusal::Taken => Self::conflict(text).with_field("code", "SEAT_HELD"),
            Refusal::Sold => Self::conflict(text).with_field("code", "SEAT_SOLD"),
            Refusal::OverLimit => Self::conflict(text).with_field("code", "TICKET_LIMIT"),
        }
    }
}

impl From<SettleError> for ApiError {
    fn from(error: SettleError) -> Self {
        match error {
            SettleError::Store(error) => error.into(),
            SettleError::NotFound => Self::not_found("Reservation not found"),
            SettleError::Refused(refusal) => Self::conflict(refusal.to_string()),
        }
    }
}
