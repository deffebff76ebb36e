//! Dead letters: listed, mended and replayed by people (R-MSG-05, R-ADM-02).

use super::bus::{dlq_key, stream_key};
use crate::store::Redis;
use redis::RedisError;
use redis::streams::{StreamId, StreamRangeReply};
use serde::Serialize;
use std::collections::HashMap;

/// An event that could not be published or processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// Its id among the dead letters.
    pub id: String,
    /// The envelope as it came, normally JSON.
    pub event: String,
    /// Who gave up on it.
    pub group: String,
    /// Why.
    pub reason: String,
}

impl Letter {
    fn of(entry: &StreamId) -> Self {
        let field = |name: &str| entry.get::<String>(name).unwrap_or_default();
        Self {
            id: entry.id.clone(),
            event: field("event"),
            group: field("group"),
            reason: field("reason"),
        }
    }
}

/// How many dead letters each of `topics` has.
///
/// # Errors
/// When Redis cannot be reached.
pub async fn counts(redis: &Redis, topics: &[&str]) -> Result<HashMap<String, u64>, RedisError> {
    let mut pipe = redis::pipe();
    for topic in topics {
        pipe.cmd("XLEN").arg(dlq_key(redis, topic));
    }
    let lengths: Vec<u64> = pipe.query_async(&mut redis.conn()).await?;
    Ok(topics
        .iter()
        .map(|topic| (*topic).to_owned())
        .zip(lengths)
        .collect())
}

/// The newest dead letters of `topic`, newest first.
///
/// # Errors
/// When Redis cannot be reached.
pub async fn list(redis: &Redis, topic: &str, limit: u32) -> Result<Vec<Letter>, RedisError> {
    let reply: StreamRangeReply = redis::cmd("XREVRANGE")
        .arg(dlq_key(redis, topic))
        .arg(("+", "-", "COUNT", limit))
        .query_async(&mut redis.conn())
        .await?;
    Ok(reply.ids.iter().map(Letter::of).collect())
}

/// One letter of `topic`.
///
/// # Errors
/// When Redis cannot be reached, or `id` is not of the form of a stream's ids.
pub async fn find(redis: &Redis, topic: &str, id: &str) -> Result<Option<Letter>, RedisError> {
    let reply: StreamRangeReply = redis::cmd("XRANGE")
        .arg(dlq_key(redis, topic))
        .arg((id, id))
        .query_async(&mut redis.conn())
        .await?;
    Ok(reply.ids.first().map(Letter::of))
}

/// Publishes dead letter `id` again, as `mended` if given, and takes it off the list. `false` when
/// there is no such letter. Groups that processed the event already skip it by its id.
///
/// # Errors
/// When Redis cannot be reached; the letter is then still there.
pub async fn replay(redis: &Redis, topic: &str, id: &str, mended: Option<&str>) -> Result<bool, RedisError> {
    let Some(letter) = find(redis, topic, id).await? else {
        return Ok(false);
    };
    redis::pipe()
        .atomic()
        .cmd("XADD")
        .arg(stream_key(redis, topic))
        .arg(("*", "event", mended.unwrap_or(&letter.event)))
        .ignore()
        .cmd("XDEL")
        .arg(dlq_key(redis, topic))
        .arg(id)
        .ignore()
        .query_async::<()>(&mut redis.conn())
        .await?;
    Ok(true)
}
