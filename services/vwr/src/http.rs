//! Tier 1 on the wire (api-contract.md section 5): join, poll, look; and the operator's hand.

mod operate;
mod public;
mod view;
mod visit;
mod wire;

use crate::{
    admin::HandError,
    cache::{RoomCache, Unavailable},
    line::{NoPlace, Shared},
    watched::Watched,
};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use metrics::Counter;
use std::sync::Arc;
use urr_core::{
    room::{Refusal, Room},
    sale::SaleId,
};
use urr_kit::{ApiError, ApiResult, state::StateError};
use uuid::Uuid;

/// A join's body is a name; what is longer is not ours.
const BODY_BYTES_MAX: usize = 4096;

const UNKNOWN_ROOM: &str = "VWR not found for this event";
const UNKNOWN_PLACE: &str = "Position not found. Request a new position.";
const NOT_ACTIVE: &str = "VWR is not active for this event";
const UNAVAILABLE: &str = "Waiting room temporarily unavailable. Please retry.";

/// What the handlers work with.
pub(crate) struct App {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cache: Arc<RoomCache>,
    pub(crate) polls: Counter,
    pub(crate) admitted: Counter,
    /// Rate of a room that an admin activates for an event without a sale.
    pub(crate) default_rate_per_s: u32,
}

pub(crate) fn router(app: Arc<App>) -> Router {
    let path = |prefix: &str| format!("{prefix}{{event_id}}");
    Router::new()
        .route(&path(visit::STATUS), get(visit::status))
        .route(
            &path(visit::ASSIGN),
            post(visit::assign).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)),
        )
        .route(
            &format!("{}{{event_id}}/{{request_id}}", visit::CHECK),
            get(visit::check),
        )
        .route(&path(public::SERVING), get(public::serving))
        .route(&path(public::DRAW), get(public::draw))
        .route("/api/admin/vwr/activate/{event_id}", post(operate::activate))
        .route("/api/admin/vwr/deactivate/{event_id}", post(operate::deactivate))
        .route("/api/admin/vwr/status/{event_id}", get(operate::admin_status))
        .route("/api/admin/vwr/advance/{event_id}", post(operate::advance))
        .route("/api/admin/vwr/place/{event_id}", get(operate::place_of))
        .with_state(app)
}

impl App {
    async fn watched(&self, sale: SaleId) -> ApiResult<Option<Arc<Watched>>> {
        self.cache.get(sale).await.map_err(|why| match why {
            Unavailable::Busy => ApiError::unavailable(UNAVAILABLE),
            Unavailable::Store(error) => ApiError::unavailable(UNAVAILABLE).with_source(error),
        })
    }
}

/// An id that is none belongs to nothing we know (quirk 22).
fn parse_id(text: &str, unknown: &'static str) -> ApiResult<Uuid> {
    text.parse().map_err(|_| ApiError::not_found(unknown))
}

fn no_place(why: NoPlace, room: &Room) -> ApiError {
    match why {
        NoPlace::Refused(Refusal::Restoring) => {
            ApiError::unavailable(Refusal::Restoring.to_string()).with_field("retryAfter", 5)
        }
        NoPlace::Refused(refusal) => {
            let error = ApiError::not_found(NOT_ACTIVE).with_field("reason", refusal.to_string());
            match refusal {
                Refusal::NotYet => error.with_field("preQueueAt", room.pre_queue_at.0),
                Refusal::Inactive | Refusal::Closed | Refusal::Draining | Refusal::Restoring => error,
            }
        }
        NoPlace::Full => {
            ApiError::unavailable("The waiting room is busy. Please retry.").with_field("retryAfter", 1)
        }
        NoPlace::Store => ApiError::unavailable(UNAVAILABLE),
    }
}

fn hand_failed(error: HandError) -> ApiError {
    match error {
        HandError::State(StateError::NotFound) => ApiError::not_found(UNKNOWN_ROOM),
        HandError::State(error) if error.is_transient() => {
            ApiError::unavailable(UNAVAILABLE).with_source(error)
        }
        HandError::State(error) => ApiError::internal(error),
        HandError::OfASale => ApiError::conflict(
            "This waiting room belongs to a sale, and switching it off would void every place. Pause or delete the sale.",
        ),
        HandError::Contended => {
            ApiError::conflict("The room is being changed by somebody else. Please retry.")
        }
    }
}
