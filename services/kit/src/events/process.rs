//! What happens to one event: its effect once, or its burial.

use super::bus::{DeadLetter, bury};
use super::handler::{ConsumerConfig, HandleError, Handler};
use super::{Envelope, VERSION};
use crate::clock::SharedClock;
use crate::error::{chain, is_unreachable};
use crate::store::Redis;
use crate::trace;
use crate::wire::at as timestamp;
use redis::RedisError;
use sqlx::PgPool;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Processes the events of one group.
pub(super) struct Processor {
    pub(super) config: ConsumerConfig,
    pub(super) pool: PgPool,
    pub(super) redis: Redis,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) clock: SharedClock,
    pub(super) shutdown: CancellationToken,
}

/// What became of an event.
pub(super) enum Outcome {
    /// Processed, skipped or buried: it need not come again.
    Done,
    /// The database is away, or the process ends: it must come again.
    Later,
}

impl Processor {
    /// Processes the event `text` of `topic`.
    ///
    /// # Errors
    /// When it had to be buried and that did not work: it must come again.
    pub(super) async fn process(&self, topic: &'static str, text: &str) -> Result<Outcome, RedisError> {
        let event = match parse(text) {
            Ok(event) => event,
            Err(reason) => return self.bury(topic, text, &reason).await,
        };
        let mut pauses = self.config.backoff.iter();
        loop {
            let span = trace::consumer(self.config.group, &event);
            let applied = trace::within(span, async {
                let applied = self.apply(&event).await;
                if applied.is_err() {
                    trace::failed();
                }
                applied
            });
            let error = match applied.await {
                Ok(()) => return Ok(Outcome::Done),
                Err(error) if is_away(&error) => return Ok(Outcome::Later),
                Err(error) => error,
            };
            let reason = chain(&error);
            match (&error, pauses.next()) {
                (HandleError::Transient(_), Some(pause)) => {
                    tracing::warn!(topic, event = %event.event_id, kind = event.kind, reason, "retrying");
                    if self.ended_during(*pause).await {
                        return Ok(Outcome::Later);
                    }
                }
                (HandleError::Transient(_), None) | (HandleError::Invalid(_), _) => {
                    return self.bury(topic, text, &reason).await;
                }
            }
        }
    }

    /// Tries to process several events in one transaction, which costs little more than one event
    /// alone. `false` when that did not work, for whatever reason: nothing has happened then, and
    /// each is to be processed for itself, where its own failure is seen and counted.
    pub(super) async fn process_together(&self, texts: &[(&str, String)]) -> bool {
        if texts.len() < 2 {
            return false;
        }
        let parsed: Result<Vec<Envelope>, String> = texts.iter().map(|(_, text)| parse(text)).collect();
        let Ok(mut events) = parsed else { return false };
        events.retain(|event| self.handler.wants(&event.kind));
        self.apply_together(&events).await.is_ok()
    }

    async fn apply_together(&self, events: &[Envelope]) -> Result<(), HandleError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut tx = self.pool.begin().await?;
        // In the order of ids: two replicas with the same events must not wait in a circle.
        let mut sorted: Vec<&Envelope> = events.iter().collect();
        sorted.sort_unstable_by_key(|event| event.event_id);
        let ids: Vec<Uuid> = sorted.iter().map(|event| event.event_id).collect();
        let kinds: Vec<&str> = sorted.iter().map(|event| event.kind.as_str()).collect();
        let remembered: Vec<Uuid> = sqlx::query_scalar(
            "INSERT INTO processed_events (event_id, consumer_group, event_type, processed_at)
             SELECT id, $2, kind, $4 FROM unnest($1::uuid[], $3::text[]) AS event (id, kind)
             ON CONFLICT DO NOTHING RETURNING event_id",
        )
        .bind(&ids)
        .bind(self.config.group)
        .bind(&kinds)
        .bind(timestamp(self.clock.now()))
        .fetch_all(&mut *tx)
        .await?;
        let mut fresh: HashSet<Uuid> = remembered.into_iter().collect();
        let seen = events.len() - fresh.len();
        for event in events {
            // Delivered twice within one batch: once.
            if fresh.remove(&event.event_id) {
                let span = trace::consumer(self.config.group, event);
                trace::within(span, self.handler.handle(&mut tx, event)).await?;
            }
        }
        tx.commit().await?;
        self.count("true", events.len() - seen);
        self.count("false", seen);
        Ok(())
    }

    fn count(&self, new: &'static str, events: usize) {
        metrics::counter!("urr_events_consumed_total", "group" => self.config.group, "new" => new)
            .increment(events as u64);
    }

    /// The effect and the memory of the event, together or not at all.
    async fn apply(&self, event: &Envelope) -> Result<(), HandleError> {
        if !self.handler.wants(&event.kind) {
            return Ok(());
        }
        let mut tx = self.pool.begin().await?;
        // A replica with the same event waits here until the other one's transaction has ended.
        let remembered = sqlx::query(
            "INSERT INTO processed_events (event_id, consumer_group, event_type, processed_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(event.event_id)
        .bind(self.config.group)
        .bind(&event.kind)
        .bind(timestamp(self.clock.now()))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        let is_new = remembered == 1;
        if is_new {
            self.handler.handle(&mut tx, event).await?;
            tx.commit().await?;
        }
        self.count(if is_new { "true" } else { "false" }, 1);
        Ok(())
    }

    async fn bury(&self, topic: &'static str, event: &str, reason: &str) -> Result<Outcome, RedisError> {
        let group = self.config.group;
        let letter = DeadLetter {
            topic,
            event,
            group,
            reason,
        };
        bury(&self.redis, &letter).await.map(|()| Outcome::Done)
    }

    /// Waits for `pause`; `true` when the process is told to end meanwhile.
    pub(super) async fn ended_during(&self, pause: Duration) -> bool {
        tokio::time::timeout(pause, self.shutdown.cancelled())
            .await
            .is_ok()
    }
}

fn parse(text: &str) -> Result<Envelope, String> {
    let event: Envelope = serde_json::from_str(text).map_err(|error| format!("not an event: {error}"))?;
    if event.version != VERSION {
        return Err(format!(
            "version {} of {} is unknown here",
            event.version, event.kind
        ));
    }
    Ok(event)
}

/// Whether the database is away, rather than the event troublesome: then nobody is to blame and
/// nothing is buried.
fn is_away(error: &HandleError) -> bool {
    let HandleError::Transient(source) = error else {
        return false;
    };
    source.downcast_ref::<sqlx::Error>().is_some_and(|error| {
        // A deadlock or a conflict is about this event; its retries are counted.
        let code = error.as_database_error().and_then(|error| error.code());
        is_unreachable(error) && !code.is_some_and(|code| code.starts_with("40"))
    })
}
