//! The way to Redis: counted, and through the breaker ([`crate::breaker`]).

use super::{Store, StoreError};
use redis::ErrorKind;
use std::sync::atomic::Ordering;
use urr_core::sale::SaleId;
use urr_kit::{error::chain, state::StateError};

/// On whose behalf Redis is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    Visitor,
    Ticker,
}

impl Store {
    /// A call to Redis for `sale`. While Redis is away only the ticker waits for it.
    pub(super) async fn ask<T, E: Into<StoreError>>(
        &self,
        sale: SaleId,
        asker: Asker,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, StoreError> {
        let breaker = self.breakers.of(sale);
        if asker == Asker::Visitor && !breaker.admits(self.uptime_ms()) {
            metrics::counter!("urr_queue_refused_while_away_total").increment(1);
            return Err(StoreError::Away);
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.counted.increment(1);
        let answer = call.await.map_err(Into::into);
        if let Some(error) = answer
            .as_ref()
            .err()
            .filter(|error: &&StoreError| error.is_silence())
        {
            if breaker.failed(self.uptime_ms()) {
                tracing::error!(%sale, error = chain(error),
                    "Redis does not answer: visitors are told to come again until it does");
            }
        } else if breaker.answered() {
            tracing::warn!(%sale, "Redis answers again");
        }
        answer
    }

    fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX >> 2)
    }
}

impl StoreError {
    /// Whether nobody answered, as opposed to an answer that says no.
    fn is_silence(&self) -> bool {
        let source = match self {
            Self::Redis(source) | Self::Limits(StateError::Redis { source, .. }) => source,
            _ => return false,
        };
        matches!(
            source.kind(),
            ErrorKind::Io | ErrorKind::ClusterConnectionNotFound
        )
    }
}
