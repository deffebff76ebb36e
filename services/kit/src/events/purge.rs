//! What messaging remembers is forgotten in time: published events after a day, processed ones after a
//! week. Without this both tables grow with every event for ever.

use crate::clock::SharedClock;
use crate::error::{chain, is_unreachable};
use crate::wire::at as timestamp;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Published events stay for people to look at and to publish again.
const KEEP_PUBLISHED_MS: i64 = 24 * 3600 * 1000;
/// A redelivery older than this is not possible: streams are shorter.
const KEEP_PROCESSED_MS: i64 = 7 * 24 * 3600 * 1000;
const INTERVAL: Duration = Duration::from_hours(1);
/// So many rows in one statement: its locks stay short. A purge goes on until a batch is short.
const BATCH: u16 = 10_000;

/// Deletes the old rows of one table, now and then.
pub(super) struct Purge {
    pool: PgPool,
    clock: SharedClock,
    keep_ms: i64,
    statement: &'static str,
}

impl Purge {
    /// Of events that were published: the relay's.
    pub(super) const fn of_published(pool: PgPool, clock: SharedClock) -> Self {
        Self {
            pool,
            clock,
            keep_ms: KEEP_PUBLISHED_MS,
            statement: "DELETE FROM outbox_events WHERE id IN (SELECT id FROM outbox_events
                 WHERE published AND published_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        }
    }

    /// Of events that were processed: the consumer's, as a service may hear events and tell none.
    pub(super) const fn of_processed(pool: PgPool, clock: SharedClock) -> Self {
        Self {
            pool,
            clock,
            keep_ms: KEEP_PROCESSED_MS,
            statement: "DELETE FROM processed_events WHERE (event_id, consumer_group) IN
                 (SELECT event_id, consumer_group FROM processed_events
                  WHERE processed_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        }
    }

    /// Purges at once and then every hour, until `shutdown`.
    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        let mut interval = tokio::time::interval(INTERVAL);
        while shutdown.run_until_cancelled(interval.tick()).await.is_some() {
            if let Err(error) = self.purge(shutdown).await
                && !is_unreachable(&error)
            {
                tracing::warn!(error = chain(&error), "old events could not be deleted");
            }
        }
    }

    async fn purge(&self, shutdown: &CancellationToken) -> Result<(), sqlx::Error> {
        let before = timestamp(self.clock.now().plus_ms(-self.keep_ms));
        // Ends: what is as old as this grows no more, and an end of the process ends it earlier.
        while self.delete(before).await? == u64::from(BATCH) && !shutdown.is_cancelled() {}
        Ok(())
    }

    async fn delete(&self, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
        let deleted = sqlx::query(self.statement)
            .bind(before)
            .bind(i64::from(BATCH))
            .execute(&self.pool)
            .await?;
        Ok(deleted.rows_affected())
    }
}
