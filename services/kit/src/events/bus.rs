//! The event bus as its users see it, and the adapter for Redis Streams.

use super::Envelope;
use crate::store::Redis;
use futures::future::BoxFuture;
use redis::{RedisError, Script};
use std::sync::LazyLock;
use uuid::Uuid;

/// A stream keeps about this many entries: each seat of a hall of 60,000 held, sold and once
/// cancelled, so that a consumer may sleep through a whole opening. At 0.6 KB each that is 120 MB.
const STREAM_LENGTH: usize = 200_000;
/// Dead letters are for people: more than these nobody reads.
const DLQ_LENGTH: usize = 10_000;

/// Names the present life of the bus: KEYS the name and the server that goes by it, ARGV a new name.
///
/// An empty Redis has no name. One that came back from its disk, or a replica that took over, has the
/// old one and yet lacks what was written last (an append log is synced once a second, replicas
/// follow behind); but it is another process, which its `run_id` tells. A script, because in a
/// cluster the question must go to the node that holds the streams. A release that knew the name only
/// reads the same name.
static LIFE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
local known = redis.call('GET', KEYS[2])
if known and known ~= server then
    redis.call('SET', KEYS[1], ARGV[1])
else
    redis.call('SET', KEYS[1], ARGV[1], 'NX')
end
if known ~= server then
    redis.call('SET', KEYS[2], server)
end
return redis.call('GET', KEYS[1])
",
    )
});

/// Why something was not published.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The bus is away; nothing is wrong with the event.
    #[error("the event bus is away")]
    Unavailable(#[source] RedisError),
    /// The bus refuses this event.
    #[error("the event bus refused the event")]
    Rejected(#[source] RedisError),
}

/// Something to publish.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where to.
    pub topic: String,
    /// The envelope as JSON.
    pub event: String,
    /// Events of one key are about one thing.
    pub key: String,
}

impl Message {
    /// `event` for `topic`.
    ///
    /// # Errors
    /// None in practice: an envelope is JSON already.
    pub fn new(topic: &str, event: &Envelope) -> Result<Self, serde_json::Error> {
        Ok(Self {
            topic: topic.to_owned(),
            event: serde_json::to_string(event)?,
            key: event.aggregate_id.clone(),
        })
    }
}

/// Carries events from outboxes to consumers, at least once.
pub trait EventBus: Send + Sync + 'static {
    /// Publishes in order; answers for each message.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] for all, when it is not known which got through.
    fn publish<'a>(
        &'a self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Result<(), BusError>>, BusError>>;

    /// Puts a message where people look after it, with the reason.
    ///
    /// # Errors
    /// When even that does not work.
    fn bury<'a>(&'a self, message: &'a Message, reason: &'a str) -> BoxFuture<'a, Result<(), BusError>>;

    /// Names the present life of the bus. It changes when the bus may have forgotten what it was
    /// given; the relay then publishes again what it published lately.
    ///
    /// # Errors
    /// When the bus is away.
    fn incarnation(&self) -> BoxFuture<'_, Result<String, BusError>>;
}

/// The bus on Redis Streams: one stream per topic, one consumer group per service.
#[derive(Clone)]
pub struct RedisStreams {
    redis: Redis,
}

impl RedisStreams {
    /// The bus on `redis`.
    #[must_use]
    pub const fn new(redis: Redis) -> Self {
        Self { redis }
    }

    async fn add(&self, messages: &[Message]) -> Result<Vec<Result<(), BusError>>, BusError> {
        let mut pipe = redis::pipe();
        // All or none: if Redis ran full half-way, what comes again would come behind what it had
        // overtaken. And one refused entry must not hide the answers of the others.
        pipe.atomic().ignore_errors();
        for message in messages {
            pipe.cmd("XADD")
                .arg(stream_key(&self.redis, &message.topic))
                .arg(("MAXLEN", "~", STREAM_LENGTH, "*"))
                .arg(("event", &message.event, "key", &message.key));
        }
        let answers: Vec<redis::RedisResult<String>> = pipe
            .query_async(&mut self.redis.conn())
            .await
            .map_err(BusError::Unavailable)?;
        answers
            .into_iter()
            .map(|answer| match answer {
                Ok(_) => Ok(Ok(())),
                Err(error) if is_refusal(&error) => Ok(Err(BusError::Rejected(error))),
                Err(error) => Err(BusError::Unavailable(error)),
            })
            .collect()
    }
}

/// Whether Redis will say the same next time. Full, loading, read-only or gone passes.
fn is_refusal(error: &RedisError) -> bool {
    let passing = [
        "OOM",
        "LOADING",
        "READONLY",
        "BUSY",
        "MISCONF",
        "CLUSTERDOWN",
        "TRYAGAIN",
    ];
    error.code().is_some_and(|code| !passing.contains(&code)) && !error.is_io_error()
}

impl EventBus for RedisStreams {
    fn publish<'a>(
        &'a self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Result<(), BusError>>, BusError>> {
        Box::pin(self.add(messages))
    }

    fn bury<'a>(&'a self, message: &'a Message, reason: &'a str) -> BoxFuture<'a, Result<(), BusError>> {
        Box::pin(async move {
            let letter = DeadLetter {
                topic: &message.topic,
                event: &message.event,
                group: "relay",
                reason,
            };
            bury(&self.redis, &letter).await.map_err(BusError::Unavailable)
        })
    }

    fn incarnation(&self) -> BoxFuture<'_, Result<String, BusError>> {
        Box::pin(async move {
            // Whoever comes first after a loss names the new life; all others read it.
            LIFE.key(self.redis.key("{events}:incarnation"))
                .key(self.redis.key("{events}:incarnation-server"))
                .arg(Uuid::new_v4().to_string())
                .invoke_async(&mut self.redis.conn())
                .await
                .map_err(BusError::Unavailable)
        })
    }
}

/// A message on its way to the dead letters.
pub(super) struct DeadLetter<'a> {
    pub(super) topic: &'a str,
    pub(super) event: &'a str,
    pub(super) group: &'a str,
    pub(super) reason: &'a str,
}

pub(super) async fn bury(redis: &Redis, letter: &DeadLetter<'_>) -> Result<(), RedisError> {
    let DeadLetter {
        topic,
        event,
        group,
        reason,
    } = letter;
    metrics::counter!("urr_dead_letters_total", "topic" => (*topic).to_owned(), "group" => (*group).to_owned())
        .increment(1);
    tracing::error!(topic, group, reason, "an event went to the dead letters");
    redis::cmd("XADD")
        .arg(dlq_key(redis, topic))
        .arg(("MAXLEN", "~", DLQ_LENGTH, "*"))
        .arg(("event", event, "group", group, "reason", reason))
        .query_async(&mut redis.conn())
        .await
}

/// The stream of `topic`. Braces are literal, the cluster's hash tag: a consumer reads all its topics
/// in one command, and a replay moves a letter from one stream to another.
pub(super) fn stream_key(redis: &Redis, topic: &str) -> String {
    redis.key(&format!("{{events}}:{topic}"))
}

/// The dead letters of `topic`.
pub(super) fn dlq_key(redis: &Redis, topic: &str) -> String {
    redis.key(&format!("{{events}}:{topic}-dlq"))
}
