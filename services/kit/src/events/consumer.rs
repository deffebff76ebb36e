//! Consuming events: each group processes each event once, as far as its effects in the database
//! go, because the event's id is recorded in the transaction of the effect (R-MSG-01).

use super::bus::stream_key;
use super::group::Member;
use super::handler::{ConsumerConfig, Handler};
use super::process::{Outcome, Processor};
use super::purge::Purge;
use crate::clock::SharedClock;
use crate::error::chain;
use crate::service::Task;
use crate::store::{Redis, RedisConn};
use redis::RedisError;
use redis::streams::{StreamAutoClaimReply, StreamId, StreamReadReply};
use sqlx::PgPool;
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
    let member = Member {
        group: config.group,
        name: format!("{}-{}", config.group, Uuid::new_v4().simple()),
    };
    let processed = Purge::of_processed(pool.clone(), clock.clone());
    let ends = shutdown.clone();
    let events = Processor {
        config,
        pool,
        redis,
        handler,
        clock,
        shutdown,
    };
    let consumer = Consumer { events, keys, member };
    Task::new("event-consumer", async move {
        tokio::join!(consumer.run(), processed.run(&ends));
        Ok(())
    })
}

struct Consumer {
    events: Processor,
    /// The streams, in the order of the configured topics.
    keys: Vec<String>,
    member: Member,
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
                        tracing::warn!(group = self.member.group, error = chain(&error), "events wait");
                    }
                    failing = true;
                    self.events.ended_during(RECONNECT_PAUSE).await;
                }
            }
        }
        self.member.leave(&mut self.events.redis.conn(), &self.keys).await;
    }

    /// Consumes until shutdown, or until an engine is away.
    async fn session(&self, failing: &mut bool) -> Result<(), ConsumeError> {
        // Blocking reads get a connection of their own.
        let mut conn = self
            .events
            .redis
            .dedicated(BLOCK + Duration::from_secs(2))
            .await?;
        self.member.make_groups(&mut conn, &self.keys).await?;
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
            self.member.group,
            &self.member.name,
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
                        self.member.group,
                        &self.member.name,
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
            self.member.measure_lag(conn, topic, key).await?;
            self.member.forget_others(conn, key).await?;
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
            .arg((key, self.member.group, ids))
            .query_async(conn)
            .await
    }

    fn topic_of(&self, key: &str) -> Option<&'static str> {
        let index = self.keys.iter().position(|known| known == key)?;
        self.events.config.topics.get(index).copied()
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
