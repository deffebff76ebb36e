//! Consuming events: each group processes each event once, as far as its effects in the database
//! go, because the event's id is recorded in the transaction of the effect (R-MSG-01).

use super::Envelope;
use super::bus::stream_key;
use super::process::{Outcome, Processor};
use crate::clock::SharedClock;
use crate::error::{BoxError, chain};
use crate::service::Task;
use crate::store::Redis;
use crate::store::RedisConn;
use futures::future::BoxFuture;
use redis::RedisError;
use redis::streams::{
    StreamAutoClaimReply, StreamId, StreamInfoConsumersReply, StreamInfoGroupsReply, StreamReadReply,
};
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Entries taken at a time: some milliseconds of work, so that an end is noticed soon.
const BATCH: usize = 32;
/// How long a read waits for something new; also how long an end may take to be noticed.
const BLOCK: Duration = Duration::from_millis(500);
/// After an engine was away, before it is tried again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);
/// A consumer that is silent for so long and holds nothing is gone for good.
const FORGET_CONSUMER_AFTER: Duration = Duration::from_hours(1);

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

/// The task that consumes `config.topics` into `pool`. Any number of replicas may run.
pub fn consume(
    config: ConsumerConfig,
    pool: PgPool,
    redis: Redis,
    handler: Arc<dyn Handler>,
    clock: SharedClock,
    shutdown: CancellationToken,
) -> Task {
    let keys = config
        .topics
        .iter()
        .map(|topic| stream_key(&redis, topic))
        .collect();
    let name = format!("{}-{}", config.group, Uuid::new_v4().simple());
    let events = Processor {
        config,
        pool,
        redis,
        handler,
        clock,
        shutdown,
    };
    let consumer = Consumer { events, keys, name };
    Task::new("event-consumer", async move {
        consumer.run().await;
        Ok(())
    })
}

struct Consumer {
    events: Processor,
    /// The streams, in the order of the configured topics.
    keys: Vec<String>,
    /// This consumer within its group.
    name: String,
}

#[derive(Debug, thiserror::Error)]
enum ConsumeError {
    #[error("the event bus cannot be read")]
    Bus(#[from] RedisError),
    /// The database is away, or the process ends within a retry.
    #[error("an event could not be finished")]
    Unfinished,
}

impl Consumer {
    async fn run(&self) {
        let mut failing = false;
        while !self.events.shutdown.is_cancelled() {
            match self.session(&mut failing).await {
                Ok(()) => break,
                Err(error) => {
                    // Once per outage.
                    if !failing {
                        tracing::warn!(
                            group = self.events.config.group,
                            error = chain(&error),
                            "events wait"
                        );
                    }
                    failing = true;
                    self.events.ended_during(RECONNECT_PAUSE).await;
                }
            }
        }
        self.leave().await;
    }

    /// Consumes until shutdown, or until an engine is away.
    async fn session(&self, failing: &mut bool) -> Result<(), ConsumeError> {
        // Blocking reads get a connection of their own.
        let mut conn = self
            .events
            .redis
            .dedicated(BLOCK + Duration::from_secs(2))
            .await?;
        self.make_groups(&mut conn).await?;
        // What an earlier session of ours left unfinished comes first.
        self.read_all(&mut conn, "0").await?;
        let mut claimed_at: Option<Instant> = None;
        while !self.events.shutdown.is_cancelled() {
            if claimed_at.is_none_or(|at| at.elapsed() >= self.events.config.claim_after / 2) {
                self.claim(&mut conn).await?;
                claimed_at = Some(Instant::now());
            }
            self.read(&mut conn, ">").await?;
            *failing = false;
        }
        Ok(())
    }

    /// Groups read from the earliest entry: an event from before the group is news to it.
    async fn make_groups(&self, conn: &mut RedisConn) -> Result<(), RedisError> {
        for key in &self.keys {
            let made: Result<(), RedisError> = redis::cmd("XGROUP")
                .arg(("CREATE", key, self.events.config.group, "0", "MKSTREAM"))
                .query_async(conn)
                .await;
            match made {
                Err(error) if error.code() != Some("BUSYGROUP") => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    async fn read_all(&self, conn: &mut RedisConn, from: &str) -> Result<(), ConsumeError> {
        // Each round finishes what it read, so this ends; shutdown ends it earlier.
        while !self.events.shutdown.is_cancelled() && self.read(conn, from).await? > 0 {}
        Ok(())
    }

    /// Reads a batch (`>`: new entries, `0`: own unfinished ones) and processes it.
    async fn read(&self, conn: &mut RedisConn, from: &str) -> Result<usize, ConsumeError> {
        let block_ms = u64::try_from(BLOCK.as_millis()).unwrap_or(500);
        let mut command = redis::cmd("XREADGROUP");
        command.arg((
            "GROUP",
            self.events.config.group,
            &self.name,
            "COUNT",
            BATCH,
            "BLOCK",
            block_ms,
        ));
        command.arg("STREAMS").arg(&self.keys);
        for _ in &self.keys {
            command.arg(from);
        }
        let reply: Option<StreamReadReply> = command.query_async(conn).await?;
        let mut processed = 0;
        for stream in reply.map(|reply| reply.keys).unwrap_or_default() {
            let Some(topic) = self.topic_of(&stream.key) else {
                continue;
            };
            processed += stream.ids.len();
            self.process_all(conn, topic, &stream.key, &stream.ids).await?;
        }
        Ok(processed)
    }

    /// Takes over what other consumers have left lying, and forgets consumers that are gone.
    async fn claim(&self, conn: &mut RedisConn) -> Result<(), ConsumeError> {
        let idle_ms = u64::try_from(self.events.config.claim_after.as_millis()).unwrap_or(u64::MAX);
        for key in &self.keys {
            let Some(topic) = self.topic_of(key) else { continue };
            let mut cursor = "0-0".to_owned();
            // Each round moves the cursor on and processes its batch; "0-0" is the end.
            loop {
                let reply: StreamAutoClaimReply = redis::cmd("XAUTOCLAIM")
                    .arg((
                        key,
                        self.events.config.group,
                        &self.name,
                        idle_ms,
                        &cursor,
                        "COUNT",
                        BATCH,
                    ))
                    .query_async(conn)
                    .await?;
                self.process_all(conn, topic, key, &reply.claimed).await?;
                cursor = reply.next_stream_id;
                if cursor == "0-0" || self.events.shutdown.is_cancelled() {
                    break;
                }
            }
            self.measure_lag(conn, topic, key).await?;
            self.forget_consumers(conn, key).await?;
        }
        Ok(())
    }

    async fn process_all(
        &self,
        conn: &mut RedisConn,
        topic: &'static str,
        key: &str,
        entries: &[StreamId],
    ) -> Result<(), ConsumeError> {
        // Not interrupted by an end: what was read and left would wait for another's claim.
        let mut events = Vec::with_capacity(entries.len());
        for entry in entries {
            match entry.get::<String>("event") {
                Some(text) => events.push((entry.id.as_str(), text)),
                None => {
                    tracing::error!(
                        topic,
                        entry = entry.id,
                        "an event was trimmed before it was processed"
                    );
                    self.acknowledge(conn, key, &[entry.id.as_str()]).await?;
                }
            }
        }
        if self.events.process_together(&events).await {
            let ids: Vec<&str> = events.iter().map(|(id, _)| *id).collect();
            return Ok(self.acknowledge(conn, key, &ids).await?);
        }
        // One of them is troublesome, or there is only one: each for itself.
        for (id, text) in &events {
            match self.events.process(topic, text).await? {
                Outcome::Done => self.acknowledge(conn, key, &[*id]).await?,
                Outcome::Later => return Err(ConsumeError::Unfinished),
            }
        }
        Ok(())
    }

    async fn acknowledge(&self, conn: &mut RedisConn, key: &str, ids: &[&str]) -> Result<(), RedisError> {
        if ids.is_empty() {
            return Ok(());
        }
        redis::cmd("XACK")
            .arg((key, self.events.config.group, ids))
            .query_async(conn)
            .await
    }

    fn topic_of(&self, key: &str) -> Option<&'static str> {
        let index = self.keys.iter().position(|known| known == key)?;
        self.events.config.topics.get(index).copied()
    }

    /// How far this group is behind (R-OBS-01).
    async fn measure_lag(
        &self,
        conn: &mut RedisConn,
        topic: &'static str,
        key: &str,
    ) -> Result<(), RedisError> {
        let info: StreamInfoGroupsReply = redis::cmd("XINFO").arg(("GROUPS", key)).query_async(conn).await?;
        let group = self.events.config.group;
        if let Some(lag) = info
            .groups
            .iter()
            .find(|info| info.name == group)
            .and_then(|info| info.lag)
        {
            let lag = u32::try_from(lag).unwrap_or(u32::MAX);
            metrics::gauge!("urr_events_lag", "group" => group, "topic" => topic).set(lag);
        }
        Ok(())
    }

    async fn forget_consumers(&self, conn: &mut RedisConn, key: &str) -> Result<(), RedisError> {
        let info: StreamInfoConsumersReply = redis::cmd("XINFO")
            .arg(("CONSUMERS", key, self.events.config.group))
            .query_async(conn)
            .await?;
        let long_ms = FORGET_CONSUMER_AFTER.as_millis();
        for gone in info.consumers {
            if gone.pending == 0 && gone.idle as u128 > long_ms && gone.name != self.name {
                redis::cmd("XGROUP")
                    .arg(("DELCONSUMER", key, self.events.config.group, &gone.name))
                    .query_async::<()>(conn)
                    .await?;
            }
        }
        Ok(())
    }

    /// At a graceful end: a consumer that holds nothing need not be remembered.
    async fn leave(&self) {
        let mut conn = self.events.redis.conn();
        for key in &self.keys {
            let info: Result<StreamInfoConsumersReply, _> = redis::cmd("XINFO")
                .arg(("CONSUMERS", key, self.events.config.group))
                .query_async(&mut conn)
                .await;
            let holds_nothing = info.is_ok_and(|info| {
                info.consumers
                    .iter()
                    .any(|me| me.name == self.name && me.pending == 0)
            });
            if holds_nothing {
                // Best effort: it would be forgotten after a while anyway.
                let _: Result<(), RedisError> = redis::cmd("XGROUP")
                    .arg(("DELCONSUMER", key, self.events.config.group, &self.name))
                    .query_async(&mut conn)
                    .await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::{FromRedisValue as _, Value};

    #[test]
    fn an_entry_that_was_trimmed_while_pending_is_read_without_its_fields() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let entry = Value::Array(vec![text("1-0"), Value::Nil]);
        let stream = Value::Array(vec![text("stream"), Value::Array(vec![entry])]);
        let reply = StreamReadReply::from_redis_value(Value::Array(vec![stream])).unwrap();
        assert_eq!(reply.keys[0].ids[0].get::<String>("event"), None);
    }
}
