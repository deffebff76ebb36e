//! A payment: what it is for, where it stands, and how the wire shows it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use urr_core::time::Millis;
use urr_kit::wire;
use uuid::Uuid;

use crate::provider::Approval;

/// What is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentType {
    /// A held reservation.
    #[default]
    Reservation,
    /// A ticket another fan listed.
    Transfer,
    /// A fan club membership.
    Membership,
}

impl PaymentType {
    /// The wire's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reservation => "reservation",
            Self::Transfer => "transfer",
            Self::Membership => "membership",
        }
    }
}

/// A word in a column that this release does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown value `{0}` in the payments table")]
pub struct UnknownWord(String);

impl TryFrom<String> for PaymentType {
    type Error = UnknownWord;

    fn try_from(word: String) -> Result<Self, UnknownWord> {
        match word.as_str() {
            "reservation" => Ok(Self::Reservation),
            "transfer" => Ok(Self::Transfer),
            "membership" => Ok(Self::Membership),
            _ => Err(UnknownWord(word)),
        }
    }
}

impl TryFrom<String> for Status {
    type Error = UnknownWord;

    fn try_from(word: String) -> Result<Self, UnknownWord> {
        match word.as_str() {
            "pending" => Ok(Self::Pending),
            "confirming" => Ok(Self::Confirming),
            "confirmed" => Ok(Self::Confirmed),
            "refunding" => Ok(Self::Refunding),
            "refunded" => Ok(Self::Refunded),
            "failed" => Ok(Self::Failed),
            _ => Err(UnknownWord(word)),
        }
    }
}

/// The thing paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// What kind of thing.
    pub kind: PaymentType,
    /// Its id in booking.
    pub id: Uuid,
}

/// Where a payment stands. See the drawing in `migrations/0001_payments.sql`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Prepared; no charge is under way.
    Pending,
    /// The provider is being asked, or was asked and the answer is not known yet.
    Confirming,
    /// Charged.
    Confirmed,
    /// The charge will be given back; the provider may not know yet.
    Refunding,
    /// Given back in full.
    Refunded,
    /// The provider declined; the payer may try again.
    Failed,
}

impl Status {
    /// What the wire says (C§13 knows three values). A payment whose refund is decided counts as
    /// refunded, so that no reader takes it for a paid ticket; one that failed or is under way is
    /// still to be paid.
    #[must_use]
    pub const fn on_the_wire(self) -> &'static str {
        match self {
            Self::Pending | Self::Confirming | Self::Failed => "pending",
            Self::Confirmed => "confirmed",
            Self::Refunding | Self::Refunded => "refunded",
        }
    }
}

/// A row of `payments`.
#[derive(Debug, Clone, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns; described in migrations/0001_payments.sql")]
pub struct Payment {
    pub id: Uuid,
    pub order_id: String,
    #[sqlx(try_from = "String")]
    pub payment_type: PaymentType,
    pub reservation_id: Option<Uuid>,
    pub reference_id: Option<Uuid>,
    pub user_id: Uuid,
    pub event_id: Option<Uuid>,
    pub amount: i64,
    pub payment_key: Option<String>,
    pub method: Option<String>,
    #[sqlx(try_from = "String")]
    pub status: Status,
    pub attempt: i32,
    pub confirming_since: Option<DateTime<Utc>>,
    pub fulfilled_at: Option<DateTime<Utc>>,
    pub toss_status: Option<String>,
    pub toss_approved_at: Option<DateTime<Utc>>,
    pub toss_response: Option<Value>,
    pub refund_reason: Option<String>,
    pub refund_refusals: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Payment {
    /// What is paid for.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            kind: self.payment_type,
            // One of the two is set (a CHECK of the table); the nil id names nothing in booking.
            id: self.reservation_id.or(self.reference_id).unwrap_or_default(),
        }
    }

    /// The provider's key, or the empty string before the first attempt.
    #[must_use]
    pub fn key(&self) -> &str {
        self.payment_key.as_deref().unwrap_or_default()
    }

    /// Names this attempt to charge towards the provider: a repeat of the same attempt is the same
    /// charge, a new attempt after a decline is not.
    #[must_use]
    pub fn charge_idempotency_key(&self) -> String {
        format!("{}-{}", self.id, self.attempt)
    }

    /// Names the request to give the money back. The provider gives the answer of the first request
    /// to every repeat of it, so after a no the next one must be another; that a payment is given
    /// back once is its own rule.
    #[must_use]
    pub fn refund_idempotency_key(&self) -> String {
        match self.refund_refusals {
            0 => format!("{}-refund", self.id),
            refusals => format!("{}-refund-{refusals}", self.id),
        }
    }

    /// This payment once the provider has approved the charge.
    #[must_use]
    pub fn charged(&self, approval: &Approval, now: Millis) -> Self {
        let at = wire::at(now);
        Self {
            status: Status::Confirmed,
            method: Some(self.method_name().to_owned()),
            toss_status: Some("DONE".to_owned()),
            toss_approved_at: Some(approval.approved_at.unwrap_or(at)),
            toss_response: Some(approval.response.clone()),
            updated_at: at,
            ..self.clone()
        }
    }

    /// The method as the wire names it.
    #[must_use]
    pub fn method_name(&self) -> &str {
        self.method.as_deref().unwrap_or("toss")
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn a_decided_refund_is_never_shown_as_paid() {
        assert_eq!(Status::Refunding.on_the_wire(), "refunded");
        assert_eq!(Status::Confirming.on_the_wire(), "pending");
    }
}
