//! Tier 2's admission log and the set of those inside, from Redis.

use super::{CollectError, Store, Stores};
use std::{str::FromStr, time::Duration};
use urr_core::{
    admission::{LogEntry, LogKind},
    sale::SaleId,
    time::Millis,
};
use urr_kit::{Redis, store::RedisConn};
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
    let redis = Redis::connect(&stores.redis_url, &stores.key_prefix)
        .await
        .map_err(|source| CollectError::reach(Store::Redis, source))?;
    let mut conn = redis
        .dedicated(RESPONSE_TIMEOUT)
        .await
        .map_err(|source| CollectError::reach(Store::Redis, source))?;
    // Braces are literal: the cluster's hash tag (api-contract.md section 6).
    let key = |name: &str| redis.key(&format!("{{{sale}}}:{name}"));
    // In one step, so that the log up to `last` tells exactly who is inside: the line goes on, and
    // whoever falls silent a moment later is in the set and has left in the log.
    let (members, last): (Vec<String>, Vec<Raw>) = redis::pipe()
        .atomic()
        .zrange(key("active"), 0, -1)
        .cmd("XREVRANGE")
        .arg(key("log"))
        .arg(("+", "-", "COUNT", 1))
        .query_async(&mut conn)
        .await
        .map_err(CollectError::read::<redis::RedisError>(
            Store::Redis,
            "active users",
        ))?;
    let log = match last.first() {
        Some((last, _)) => log(&mut conn, &key("log"), last).await?,
        None => Vec::new(),
    };
    let active = members
        .iter()
        .map(|member| {
            member
                .parse()
                .map_err(|_| CollectError::corrupt(Store::Redis, "an active user", member))
        })
        .collect::<Result<_, _>>()?;
    Ok(Line { log, active })
}

/// An entry as Redis sends it: id, then names and values in turn. The client's own type for it
/// builds a map of values for each of what may be millions of entries.
type Raw = (String, Vec<String>);

/// All entries up to the one with the id `last`.
async fn log(conn: &mut RedisConn, key: &str, last: &str) -> Result<Vec<LogEntry>, CollectError> {
    let mut log = Vec::new();
    let mut from = "-".to_owned();
    loop {
        let page: Vec<Raw> = redis::cmd("XRANGE")
            .arg(key)
            .arg(&from)
            .arg(last)
            .arg("COUNT")
            .arg(PAGE)
            .query_async(conn)
            .await
            .map_err(CollectError::read::<redis::RedisError>(
                Store::Redis,
                "the admission log",
            ))?;
        let Some((read, _)) = page.last() else {
            return Ok(log);
        };
        // Exclusive: from just after this one.
        from = format!("({read}");
        log.reserve(page.len());
        for raw in &page {
            log.push(entry(raw)?);
        }
    }
}

fn entry(raw: &Raw) -> Result<LogEntry, CollectError> {
    let kind: String = field(raw, "k")?;
    let kind = LogKind::from_name(&kind).ok_or_else(|| strange(raw, "k"))?;
    Ok(LogEntry {
        kind,
        at: Millis(field(raw, "t")?),
        user: optional(raw, "u")?,
        position: optional(raw, "p")?,
        active_after: field(raw, "a")?,
        cap: field(raw, "c")?,
        rate_per_s: field(raw, "r")?,
        reason: optional(raw, "w")?,
    })
}

fn field<T: FromStr>(raw: &Raw, name: &str) -> Result<T, CollectError> {
    optional(raw, name)?.ok_or_else(|| strange(raw, name))
}

/// Absent and empty mean the same: a script writes all fields.
fn optional<T: FromStr>(raw: &Raw, name: &str) -> Result<Option<T>, CollectError> {
    let mut pairs = raw.1.chunks_exact(2);
    match pairs.find(|pair| pair[0] == name).map(|pair| pair[1].as_str()) {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| strange(raw, name)),
    }
}

fn strange((id, _): &Raw, name: &str) -> CollectError {
    CollectError::corrupt(
        Store::Redis,
        "a log entry",
        format!("{id} without a good field {name}"),
    )
}
