//! Why a payment did not go as asked.

use super::Step;
use crate::booking::Refused;
use crate::payment::PaymentType;
use urr_kit::BoxError;

/// The reasons, in the words of the domain; `http.rs` turns them into the wire's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such order or payment.
    #[error("payment not found")]
    NotFound,
    /// The payment belongs to somebody else.
    #[error("the payment belongs to another user")]
    NotOwner,
    /// The amount asked is not the amount owed.
    #[error("the amount differs")]
    AmountMismatch,
    /// The target is paid.
    #[error("the payment is confirmed already")]
    AlreadyConfirmed,
    /// The payment was given back, or is being given back.
    #[error("the payment was refunded")]
    AlreadyRefunded,
    /// Another call charges this order right now, or its outcome is not known yet.
    #[error("the charge is under way")]
    InProgress,
    /// The payment key belongs to another order.
    #[error("the payment key was used for another order")]
    KeyInUse,
    /// Booking does not let this be paid.
    #[error("the {} cannot be paid", .kind.as_str())]
    NotPayable {
        /// What was to be paid.
        kind: PaymentType,
        /// Booking's answer.
        #[source]
        refused: Refused,
    },
    /// Booking does not let this ticket be given up.
    #[error("the reservation cannot be given up")]
    NotReleased {
        /// Booking's answer.
        #[source]
        refused: Refused,
    },
    /// The provider said no; nothing was charged.
    #[error("the provider declined: {code}")]
    Declined {
        /// The provider's code.
        code: String,
    },
    /// The provider is down; nothing was charged.
    #[error("the provider is not available")]
    ProviderDown,
    /// The seat was lost before the payment arrived. The money has been or will be given back.
    #[error("the target was lost; the payment is given back")]
    Compensated,
    /// Only confirmed payments of reservations can be given back at the payer's wish.
    #[error("the payment is not confirmed")]
    NotConfirmed,
    /// What was bought with this payment cannot be undone.
    #[error("a {} payment is final", .0.as_str())]
    Final(PaymentType),
    /// Instant methods are switched off.
    #[error("the payment method is not offered")]
    MethodOff,
    /// Postgres.
    #[error("the payments could not be read or written")]
    Store(#[from] sqlx::Error),
    /// Something of ours failed inside.
    #[error("an internal step failed")]
    Internal(#[source] BoxError),
    /// A test stopped the saga here, as a crash would.
    #[error("stopped at {0:?}")]
    Stopped(Step),
}
