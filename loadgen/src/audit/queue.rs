//! Tier 2's admission log and the set of those inside, from Redis.

use super::{CollectError, Store, Stores};
use redis::{
    AsyncCommands as _,
    aio::MultiplexedConnection,
    streams::{StreamId, StreamRangeReply},
};
use std::{str::FromStr, time::Duration};
use urr_core::{
    admission::{LogEntry, LogKind},
    sale::SaleId,
    time::Millis,
};
use uuid::Uuid;

/// Entries per XRANGE: half a megabyte an answer, so that Redis is not held up while it still
/// serves a sale.
const PAGE: usize = 2000;
/// A page takes milliseconds; a Redis that needs longer than this is not well.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// What tier 2 left.
pub(super) struct Line {
    pub(super) log: Vec<LogEntry>,
    pub(super) active: Vec<Uuid>,
}

/// Reads the whole log of a sale, oldest first.
pub(super) async fn read(stores: &Stores, sale: SaleId) -> Result<Line, CollectError> {
    let reach = |source: redis::RedisError| CollectError::reach(Store::Redis, source);
    let client = redis::Client::open(stores.redis_url.as_str()).map_err(reach)?;
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(RESPONSE_TIMEOUT));
    let mut conn = client.get_multiplexed_async_connection_with_config(&config).await.map_err(reach)?;
    // Braces are literal: the cluster's hash tag (api-contract.md section 6).
    let key = |name: &str| format!("{}{{{sale}}}:{name}", stores.key_prefix);
    // The set first: whoever is in it was admitted before, so the log read later has him.
    let members: Vec<String> = conn
        .zrange(key("active"), 0, -1)
        .await
        .map_err(CollectError::read::<redis::RedisError>(Store::Redis, "active users"))?;
    let log = log(&mut conn, &key("log")).await?;
    let active = members
        .iter()
        .map(|member| member.parse().map_err(|_| CollectError::corrupt(Store::Redis, "an active user", member)))
        .collect::<Result<_, _>>()?;
    Ok(Line { log, active })
}

async fn log(conn: &mut MultiplexedConnection, key: &str) -> Result<Vec<LogEntry>, CollectError> {
    let mut log = Vec::new();
    let mut from = "-".to_owned();
    loop {
        let page: StreamRangeReply = conn
            .xrange_count(key, &from, "+", PAGE)
            .await
            .map_err(CollectError::read::<redis::RedisError>(Store::Redis, "the admission log"))?;
        let Some(last) = page.ids.last() else { return Ok(log) };
        // Exclusive: from just after the last one.
        from = format!("({}", last.id);
        log.reserve(page.ids.len());
        for id in &page.ids {
            log.push(entry(id)?);
        }
    }
}

fn entry(id: &StreamId) -> Result<LogEntry, CollectError> {
    let kind: String = field(id, "k")?;
    let kind = LogKind::from_name(&kind).ok_or_else(|| strange(id, "k"))?;
    Ok(LogEntry {
        kind,
        at: Millis(field(id, "t")?),
        user: optional(id, "u")?,
        position: optional(id, "p")?,
        active_after: field(id, "a")?,
        cap: field(id, "c")?,
        rate_per_s: field(id, "r")?,
        reason: optional(id, "w")?,
    })
}

fn field<T: FromStr>(id: &StreamId, name: &str) -> Result<T, CollectError> {
    optional(id, name)?.ok_or_else(|| strange(id, name))
}

/// Absent and empty mean the same: a script writes all fields.
fn optional<T: FromStr>(id: &StreamId, name: &str) -> Result<Option<T>, CollectError> {
    let text: Option<String> = id.get(name);
    match text.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| strange(id, name)),
    }
}

fn strange(id: &StreamId, name: &str) -> CollectError {
    CollectError::corrupt(Store::Redis, "a log entry", format!("{} without a good field {name}", id.id))
}
