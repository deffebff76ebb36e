//! Run-time state of a sale that the control plane writes and the services obey.
//!
//! Two records: the waiting room's ([`rooms`], one DynamoDB item per sale) and the limits of
//! tier 2 ([`limits`], one Redis hash per sale). They live in the kit because the control plane
//! writes them and a service reads them; neither may know the other's crate. Both writes are
//! fenced by the store itself (law `fenced`): a writer that read an old revision is refused, so
//! two control planes cannot undo each other. What breaks if a field changes: replicas of two
//! versions run side by side during a roll-out, so fields are only ever added.

pub mod limits;
pub mod rooms;

use urr_core::room::Room;

/// Why a run-time record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The sale has no record.
    #[error("the sale has no waiting room record")]
    NotFound,
    /// The record is no longer the one the caller saw; nothing was written. Decide again from
    /// `current`.
    #[error("the waiting room record has moved on to epoch {} revision {}", current.epoch, current.revision)]
    Fenced {
        /// The record as the store holds it.
        current: Box<Room>,
    },
    /// The store holds something that is not a record of this version.
    #[error("field `{field}` of the stored record is missing or unreadable")]
    Corrupt {
        /// Which attribute or hash field.
        field: &'static str,
    },
    /// The store asks to be asked less, or somebody else was just writing; nothing was done.
    #[error("DynamoDB is too busy to {what}")]
    Busy {
        /// What was tried, as a verb phrase.
        what: &'static str,
    },
    /// The next block of the ledger exists, but the record does not count it: the record is
    /// older than the ledger. Read that block and have it counted.
    #[error("the ledger is ahead of the waiting room record")]
    LedgerAhead,
    /// DynamoDB did not do it (unreachable, refused).
    #[error("DynamoDB failed to {what}")]
    Dynamo {
        /// What was tried, as a verb phrase.
        what: &'static str,
        /// The SDK's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Redis did not do it.
    #[error("Redis failed to {what}")]
    Redis {
        /// What was tried, as a verb phrase.
        what: &'static str,
        /// The client's error.
        #[source]
        source: redis::RedisError,
    },
}

impl StateError {
    /// Whether the same call may succeed later without anybody deciding anew.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Dynamo { .. } | Self::Redis { .. } | Self::Busy { .. })
    }
}
