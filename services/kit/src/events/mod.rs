//! What services tell each other: at least once, in an envelope, with typed payloads.
//!
//! A service writes an event into its outbox in the transaction that makes it true
//! ([`outbox::enqueue`]); a relay publishes it ([`outbox::relay`]); consumers process it once by
//! remembering its id in the transaction of its effect ([`consumer::consume`]). What cannot be
//! processed goes to a dead-letter stream ([`dlq`]).
//!
//! Order: events are published oldest first, but replicas of a relay share the work and a failed
//! event is overtaken. A consumer must not need the order of two events; states only move forward.
//!
//! Compatibility (R-MSG-04): a new field in a payload is compatible and is optional to readers; a
//! removed or retyped one is a new [`Envelope::version`], and a version a consumer does not know
//! goes to the dead letters.

pub mod bus;
pub mod consumer;
pub mod dlq;
mod group;
mod handler;
pub mod outbox;
mod payload;
mod process;
mod purge;

pub use bus::{BusError, EventBus, RedisStreams};
pub use consumer::consume;
pub use handler::{ConsumerConfig, HandleError, Handler};
pub use payload::{
    AccountOpened, EventChanged, MembershipActivated, MembershipEnded, PaymentConfirmed, PaymentFailed,
    PaymentRefunded, PointsEarned, PurchaseRejected, ReservationCancelled, ReservationConfirmed,
    ReservationCreated, ReservationRejected, SeatingChanged, SoldSeat, TransferCompleted, UserAdmitted,
};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use urr_core::time::Millis;
use uuid::Uuid;

/// From payment: charges and refunds.
pub const PAYMENT_EVENTS: &str = "payment-events";
/// From booking: reservations.
pub const RESERVATION_EVENTS: &str = "reservation-events";
/// From booking: resold tickets.
pub const TRANSFER_EVENTS: &str = "transfer-events";
/// From booking: memberships.
pub const MEMBERSHIP_EVENTS: &str = "membership-events";
/// From catalog: changed events.
pub const CATALOG_EVENTS: &str = "catalog-events";

/// From auth: accounts.
pub const ACCOUNT_EVENTS: &str = "account-events";
/// From community: what fans did there.
pub const COMMUNITY_EVENTS: &str = "community-events";

/// From the queue, if it is told to: who was let in.
pub const ADMISSION_EVENTS: &str = "admissions";

/// Every topic.
pub const TOPICS: [&str; 8] = [
    PAYMENT_EVENTS,
    RESERVATION_EVENTS,
    TRANSFER_EVENTS,
    MEMBERSHIP_EVENTS,
    CATALOG_EVENTS,
    ACCOUNT_EVENTS,
    COMMUNITY_EVENTS,
    ADMISSION_EVENTS,
];

/// A payment was approved: [`PaymentConfirmed`].
pub const PAYMENT_CONFIRMED: &str = "PAYMENT_CONFIRMED";
/// A payment was given back: [`PaymentRefunded`].
pub const PAYMENT_REFUNDED: &str = "PAYMENT_REFUNDED";
/// A charge was refused: [`PaymentFailed`].
pub const PAYMENT_FAILED: &str = "PAYMENT_FAILED";
/// Seats of an event were made or removed: [`SeatingChanged`].
pub const SEATING_CHANGED: &str = "SEATING_CHANGED";
/// Seats are held: [`ReservationCreated`].
pub const RESERVATION_CREATED: &str = "RESERVATION_CREATED";
/// Seats are sold: [`ReservationConfirmed`].
pub const RESERVATION_CONFIRMED: &str = "RESERVATION_CONFIRMED";
/// Seats are free again: [`ReservationCancelled`].
pub const RESERVATION_CANCELLED: &str = "RESERVATION_CANCELLED";
/// A payment came for a reservation that is gone; it must be refunded: [`ReservationRejected`].
pub const RESERVATION_REJECTED: &str = "RESERVATION_REJECTED";
/// A ticket changed hands: [`TransferCompleted`].
pub const TRANSFER_COMPLETED: &str = "TRANSFER_COMPLETED";
/// A payment came for a transfer that is not to be had; it must be refunded: [`PurchaseRejected`].
pub const TRANSFER_REJECTED: &str = "TRANSFER_REJECTED";
/// A membership was paid: [`MembershipActivated`].
pub const MEMBERSHIP_ACTIVATED: &str = "MEMBERSHIP_ACTIVATED";
/// A membership ended before its time: [`MembershipEnded`].
pub const MEMBERSHIP_ENDED: &str = "MEMBERSHIP_ENDED";
/// An account was opened: [`AccountOpened`].
pub const ACCOUNT_OPENED: &str = "ACCOUNT_OPENED";
/// A fan did something that earns points: [`PointsEarned`].
pub const POINTS_EARNED: &str = "POINTS_EARNED";
/// A payment came for a membership that is not to be had; it must be refunded: [`PurchaseRejected`].
pub const MEMBERSHIP_REJECTED: &str = "MEMBERSHIP_REJECTED";
/// An event on sale was made, changed or cancelled: [`EventChanged`].
pub const EVENT_CHANGED: &str = "EVENT_CHANGED";
/// Somebody was let in: [`UserAdmitted`].
pub const USER_ADMITTED: &str = "USER_ADMITTED";

/// The version of every payload in this release.
pub const VERSION: u16 = 1;

/// An event on its way (R-MSG-03).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// Identity of the event: consumers remember it.
    pub event_id: Uuid,
    /// What happened, for example [`PAYMENT_CONFIRMED`].
    #[serde(rename = "type")]
    pub kind: String,
    /// What it happened to: `payment`, `reservation`, ..
    pub aggregate_type: String,
    /// Which one.
    pub aggregate_id: String,
    /// Version of the payload's shape.
    pub version: u16,
    /// When it happened.
    #[serde(rename = "timestamp")]
    pub time: Millis,
    /// The first event or request of the story this belongs to.
    pub correlation_id: Option<Uuid>,
    /// The event this one follows from.
    pub causation_id: Option<Uuid>,
    /// Whose doing it is.
    pub user_id: Option<Uuid>,
    /// The trace it was made in, as W3C Trace Context writes it. Only for looking on: no effect may depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What there is to know.
    pub payload: Value,
}

impl Envelope {
    /// A new event with a fresh id.
    ///
    /// # Errors
    /// When the payload is not representable as JSON, which none of ours is.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an id is passed as it is, not by reference"
    )]
    pub fn new(
        kind: &str,
        aggregate_type: &str,
        aggregate_id: impl ToString,
        time: Millis,
        payload: &impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            event_id: Uuid::new_v4(),
            kind: kind.to_owned(),
            aggregate_type: aggregate_type.to_owned(),
            aggregate_id: aggregate_id.to_string(),
            version: VERSION,
            time,
            correlation_id: None,
            causation_id: None,
            user_id: None,
            traceparent: crate::trace::traceparent(),
            payload: serde_json::to_value(payload)?,
        })
    }

    /// Says whose doing it is.
    #[must_use]
    pub const fn by(mut self, user_id: Uuid) -> Self {
        self.user_id = Some(user_id);
        self
    }

    /// Says which event this one follows from, and joins its story.
    #[must_use]
    pub fn caused_by(mut self, cause: &Self) -> Self {
        self.causation_id = Some(cause.event_id);
        self.correlation_id = Some(cause.correlation_id.unwrap_or(cause.event_id));
        self
    }

    /// The payload as its type.
    ///
    /// # Errors
    /// [`HandleError::Invalid`] when it is not of that shape.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, HandleError> {
        T::deserialize(&self.payload)
            .map_err(|error| HandleError::Invalid(format!("{} payload: {error}", self.kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_trace_is_a_field_that_other_releases_need_not_know() {
        // R-MSG-04.
        let event = Envelope::new("KIND", "payment", 7, Millis(0), &json!({})).unwrap();
        let written = serde_json::to_value(&event).unwrap();
        assert!(written.get("traceparent").is_none(), "without one it is as ever");
        assert_eq!(
            serde_json::from_value::<Envelope>(written.clone()).unwrap(),
            event
        );
        let mut later = written;
        later["traceparent"] = json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        later["andMore"] = json!(1);
        let read: Envelope = serde_json::from_value(later).unwrap();
        assert_eq!(
            (read.event_id, read.traceparent.is_some()),
            (event.event_id, true)
        );
    }
}
