//! What may happen to a reservation, as pure decisions.
//!
//! `pending -> confirmed | cancelled | expired`, `confirmed -> cancelled`; nothing else, whoever
//! asks (requirements.md section 2). The store executes what is decided here and adds the one thing
//! only it can know: whether the seats still carry the reservation's fencing tokens.

use chrono::{DateTime, FixedOffset, Utc};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use urr_core::time::Millis;

/// Where a reservation is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Status {
    /// Seats held, not paid.
    Pending,
    /// Paid.
    Confirmed,
    /// Given back by the owner, the house or a refund.
    Cancelled,
    /// Not paid in time and swept.
    Expired,
}

/// What booking knows about the money of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Nothing paid.
    Pending,
    /// Paid.
    Completed,
    /// Paid back.
    Refunded,
    /// Was paid, was cancelled; payment is to pay it back.
    RefundRequested,
}

/// Why a step is refused. The text is what the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Confirm or cancel after a cancellation.
    #[error("Reservation is already cancelled")]
    Cancelled,
    /// Confirm or cancel after the sweep.
    #[error("Reservation has expired")]
    Expired,
    /// Somebody else took a seat after the hold had ended.
    #[error("The hold on the seats was lost")]
    HoldLost,
    /// Other seats were chosen after the payment had begun.
    #[error("The price of the reservation has changed")]
    PriceChanged,
    /// Another payment paid it: this one goes back.
    #[error("The reservation has been paid already")]
    PaidBefore,
    /// The show does not take place.
    #[error("The event has been cancelled")]
    EventCancelled,
    /// The payer is not the owner.
    #[error("The reservation belongs to another user")]
    NotOwner,
    /// R-BOOK-10.
    #[error("Reservations cannot be cancelled on or after the day of the show")]
    DayOfShow,
}

/// What confirming means for a reservation in some state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// Check the fencing tokens and sell.
    Proceed,
    /// It is confirmed already: the first result stands.
    Already,
}

impl Status {
    /// Whether a payment may confirm it. A hold past its expiry may still be confirmed as long as
    /// it is `pending` and nobody took the seats: the customer was charged.
    ///
    /// # Errors
    /// [`Refusal::Cancelled`] or [`Refusal::Expired`].
    pub const fn confirm(self) -> Result<Confirm, Refusal> {
        match self {
            Self::Pending => Ok(Confirm::Proceed),
            Self::Confirmed => Ok(Confirm::Already),
            Self::Cancelled => Err(Refusal::Cancelled),
            Self::Expired => Err(Refusal::Expired),
        }
    }

    /// Whether it may be given back (api-contract.md section 15, quirk 11).
    ///
    /// # Errors
    /// [`Refusal::Cancelled`] or [`Refusal::Expired`].
    pub const fn cancel(self) -> Result<(), Refusal> {
        match self {
            Self::Pending | Self::Confirmed => Ok(()),
            Self::Cancelled => Err(Refusal::Cancelled),
            Self::Expired => Err(Refusal::Expired),
        }
    }
}

impl PaymentStatus {
    /// After a cancellation: what was paid, KRW, is to be paid back; nothing is as good as paid back.
    #[must_use]
    pub const fn cancelled(self, total: i64) -> Self {
        match self {
            Self::Completed if total == 0 => Self::Refunded,
            Self::Completed => Self::RefundRequested,
            other => other,
        }
    }
}

/// Korea has had no daylight saving time since 1988; shows and their days are in its time.
const KST_OFFSET_S: i32 = 9 * 3600;

/// Whether the day of the show has come (R-BOOK-10).
#[must_use]
pub fn is_show_day(show: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    FixedOffset::east_opt(KST_OFFSET_S)
        .is_some_and(|kst| now.with_timezone(&kst).date_naive() >= show.with_timezone(&kst).date_naive())
}

/// When the present day began in Korea.
#[must_use]
pub fn day_start(now: DateTime<Utc>) -> DateTime<Utc> {
    let into_day_s = (now.timestamp() + i64::from(KST_OFFSET_S)).rem_euclid(24 * 3600);
    DateTime::from_timestamp(now.timestamp() - into_day_s, 0).unwrap_or(now)
}

/// A reservation number: `{prefix}{epochMs}-{8 upper hex}` (api-contract.md section 1). The random
/// part keeps two of the same millisecond apart; the database refuses the one in four billion.
#[must_use]
pub fn number(prefix: &str, now: Millis) -> String {
    format!("{prefix}{}-{:08X}", now.0, rand::rng().random::<u32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pending_confirms_and_only_pending_or_confirmed_cancels() {
        assert_eq!(Status::Pending.confirm(), Ok(Confirm::Proceed));
        assert_eq!(Status::Confirmed.confirm(), Ok(Confirm::Already));
        assert_eq!(Status::Cancelled.confirm(), Err(Refusal::Cancelled));
        assert_eq!(Status::Expired.confirm(), Err(Refusal::Expired));
        assert_eq!(Status::Pending.cancel(), Ok(()));
        assert_eq!(Status::Confirmed.cancel(), Ok(()));
        // Quirk 11: upstream freed the seat of an expired reservation again, even if resold.
        assert_eq!(Status::Expired.cancel(), Err(Refusal::Expired));
    }

    #[test]
    fn the_day_of_the_show_is_counted_in_korea() {
        // R-BOOK-10. 19:00 in Seoul on the 10th.
        let show = "2026-12-10T10:00:00Z".parse().unwrap();
        assert!(!is_show_day(show, "2026-12-09T14:59:59Z".parse().unwrap()));
        assert!(is_show_day(show, "2026-12-09T15:00:00Z".parse().unwrap()));
        assert!(is_show_day(show, "2027-01-01T00:00:00Z".parse().unwrap()));
        let late = "2026-12-09T15:30:00Z".parse().unwrap();
        assert_eq!(
            day_start(late),
            "2026-12-09T15:00:00Z".parse::<DateTime<Utc>>().unwrap()
        );
    }

    #[test]
    fn numbers_have_the_contracts_shape() {
        let number = number("TK", Millis(1_780_000_000_000));
        assert!(number.starts_with("TK1780000000000-"));
        assert_eq!(number.len(), "TK1780000000000-".len() + 8);
        assert_eq!(number, number.to_uppercase());
    }
}
