//! Why evidence could not be read. An audit without evidence is no audit, so there is no partial
//! success.

use std::fmt;
use thiserror::Error;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Who keeps evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// PostgreSQL.
    Postgres,
    /// Redis.
    Redis,
    /// DynamoDB.
    Dynamo,
    /// The payment provider's ledger.
    Ledger,
    /// The services' counters.
    Metrics,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::Redis => "Redis",
            Self::Dynamo => "DynamoDB",
            Self::Ledger => "the provider's ledger",
            Self::Metrics => "the services' counters",
        })
    }
}

/// Why evidence could not be read.
#[derive(Debug, Error)]
pub enum CollectError {
    /// Nobody answers there.
    #[error("the auditor cannot reach {store}")]
    Reach {
        /// Whom.
        store: Store,
        /// What the client says.
        #[source]
        source: BoxError,
    },
    /// The answer was an error.
    #[error("the auditor cannot read {what} from {store}")]
    Read {
        /// From whom.
        store: Store,
        /// What.
        what: &'static str,
        /// What the client says.
        #[source]
        source: BoxError,
    },
    /// A row means nothing to this version.
    #[error("{store} holds {what} the auditor does not understand: {row}")]
    Corrupt {
        /// Who.
        store: Store,
        /// What kind of row.
        what: &'static str,
        /// Which one, and what is wrong with it.
        row: String,
    },
}

impl CollectError {
    pub(super) fn reach(store: Store, source: impl Into<BoxError>) -> Self {
        Self::Reach {
            store,
            source: source.into(),
        }
    }

    /// For `map_err`: `what` could not be read from `store`.
    pub(super) fn read<E: Into<BoxError>>(store: Store, what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Read {
            store,
            what,
            source: source.into(),
        }
    }

    pub(super) fn corrupt(store: Store, what: &'static str, row: impl fmt::Display) -> Self {
        Self::Corrupt {
            store,
            what,
            row: row.to_string(),
        }
    }
}
