//! Sends what is due, with growing pauses between tries. Several replicas share the work: a row
//! being sent is locked, so nobody else sends it.

use crate::channel::{Channel, DeliveryError, Message};
use sqlx::{FromRow, PgPool};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use urr_kit::{clock::SharedClock, error::BoxError, wire};
use uuid::Uuid;

/// Rows sent in one transaction: few, because their locks are held while a provider answers.
const BATCH: i64 = 20;
/// A provider that takes longer than this is treated as down.
const DELIVERY_PATIENCE: Duration = Duration::from_secs(10);
/// After this many tries a message is given up: 2 s doubling to 17 minutes, about half an hour in all.
const TRIES_MAX: i32 = 10;

pub(crate) struct Deliverer {
    pub(crate) pool: PgPool,
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) clock: SharedClock,
    pub(crate) shutdown: CancellationToken,
    pub(crate) every: Duration,
}

#[derive(FromRow)]
struct Due {
    id: Uuid,
    user_id: Uuid,
    title: String,
    body: String,
    attempts: i32,
}

impl Deliverer {
    pub(crate) async fn run(self) -> Result<(), BoxError> {
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(self.every) => {}
            }
            // A full batch means there is more; the database being away means the next tick.
            loop {
                match self.send_batch().await {
                    Ok(sent) if sent == BATCH && !self.shutdown.is_cancelled() => {}
                    Ok(_) => break,
                    Err(error) => {
                        tracing::warn!(%error, "notifications wait for the database");
                        break;
                    }
                }
            }
        }
    }

    /// Sends up to a batch; how many were due.
    async fn send_batch(&self) -> sqlx::Result<i64> {
        let mut tx = self.pool.begin().await?;
        let due: Vec<Due> = sqlx::query_as(
            "SELECT id, user_id, title, body, attempts FROM notifications
             WHERE channel = $1 AND next_try_at <= $2 AND delivered_at IS NULL AND failed_at IS NULL
             ORDER BY next_try_at LIMIT $3 FOR UPDATE SKIP LOCKED",
        )
        .bind(self.channel.name())
        .bind(wire::at(self.clock.now()))
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await?;
        let found = i64::try_from(due.len()).unwrap_or(BATCH);
        let mut delivered = Vec::with_capacity(due.len());
        for row in due {
            let attempts = row.attempts + 1;
            let id = row.id;
            let outcome = self.send(row).await;
            let now = self.clock.now();
            let (failed, next_try_at) = match outcome {
                Ok(()) => {
                    delivered.push(id);
                    continue;
                }
                Err(DeliveryError::Later(_)) if attempts < TRIES_MAX => (false, now.plus_s(1 << attempts)),
                Err(error) => {
                    tracing::warn!(notification = %id, %error, attempts, "notification given up");
                    (true, now)
                }
            };
            sqlx::query(
                "UPDATE notifications SET attempts = $2, next_try_at = $3,
                   failed_at = CASE WHEN $4 THEN $5 END
                 WHERE id = $1",
            )
            .bind(id)
            .bind(attempts)
            .bind(wire::at(next_try_at))
            .bind(failed)
            .bind(wire::at(now))
            .execute(&mut *tx)
            .await?;
        }
        // The common end in one statement.
        sqlx::query(
            "UPDATE notifications SET attempts = attempts + 1, next_try_at = $2, delivered_at = $2
             WHERE id = ANY ($1)",
        )
        .bind(&delivered)
        .bind(wire::at(self.clock.now()))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(found)
    }

    async fn send(&self, row: Due) -> Result<(), DeliveryError> {
        let message = Message {
            id: row.id,
            user_id: row.user_id,
            title: row.title,
            body: row.body,
        };
        tokio::time::timeout(DELIVERY_PATIENCE, self.channel.deliver(&message))
            .await
            .unwrap_or_else(|_elapsed| Err(DeliveryError::Later("the provider did not answer".to_owned())))
    }
}
