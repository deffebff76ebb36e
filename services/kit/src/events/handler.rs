//! What a service does with the events it hears, and how patient it is with those it cannot process.

use super::Envelope;
use crate::error::BoxError;
use futures::future::BoxFuture;
use sqlx::PgConnection;
use std::time::Duration;

/// What a consumer does with an event.
pub trait Handler: Send + Sync + 'static {
    /// Does the event's effect in `tx`, which commits together with the memory of the event and,
    /// when several are waiting, with the effects of the others read at the same time. Kinds it does
    /// not care for are `Ok`. It may be called again for an event whose transaction did not commit.
    fn handle<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        event: &'a Envelope,
    ) -> BoxFuture<'a, Result<(), HandleError>>;

    /// Whether events of `kind` have an effect here. Others are acknowledged without a transaction.
    fn wants(&self, kind: &str) -> bool {
        let _ = kind;
        true
    }
}

/// Why an event could not be processed.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// Worth another try.
    #[error("the event could not be processed now")]
    Transient(#[source] BoxError),
    /// It will never work.
    #[error("the event is invalid: {0}")]
    Invalid(String),
}

impl From<sqlx::Error> for HandleError {
    fn from(error: sqlx::Error) -> Self {
        Self::Transient(error.into())
    }
}

impl From<serde_json::Error> for HandleError {
    fn from(error: serde_json::Error) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// Which events a consumer takes, and how patient it is.
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// The group, normally the service's name: each group gets every event once.
    pub group: &'static str,
    /// The topics.
    pub topics: Vec<&'static str>,
    /// Pauses before the retries of a transient failure; after the last the event is dead
    /// (R-MSG-05).
    pub backoff: Vec<Duration>,
    /// An entry another consumer has held for so long without finishing is taken over: longer
    /// than all retries of one batch entry together.
    pub claim_after: Duration,
}

impl ConsumerConfig {
    /// `group` on `topics` with the house's patience: 1, 2, 4 s.
    #[must_use]
    pub fn new(group: &'static str, topics: impl Into<Vec<&'static str>>) -> Self {
        Self {
            group,
            topics: topics.into(),
            ..Self::default()
        }
    }
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            group: "",
            topics: Vec::new(),
            backoff: [1, 2, 4].map(Duration::from_secs).to_vec(),
            claim_after: Duration::from_mins(1),
        }
    }
}
