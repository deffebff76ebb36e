//! The log of a line as an outbox: what of it a destination has not been told yet.

use super::Admission;
use crate::store::{key, untold_key};
use redis::{AsyncCommands as _, RedisError, Script};
use std::{str::FromStr, sync::LazyLock};
use urr_core::{admission::LogKind, sale::SaleId, time::Millis};
use urr_kit::Redis;
use uuid::Uuid;

/// Entries taken at a time: some 0.2 ms of Redis, and at 10 ms a request to SQS half the lease.
const ENTRIES: usize = 100;
/// A cursor outlives the log it points into, which stays for a week after its line has ended. Told again from the
/// beginning would be the log of a line in which nobody is let in for a month.
const CURSOR_KEPT_S: u32 = 30 * 24 * 3600;
/// A publisher that has not come again for so long is replaced.
const LEASE_MS: u64 = 2000;

/// KEYS: lease. ARGV: who, ms. Answers whether the lease is ours.
static LEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
",
    )
});

/// KEYS: cursor. ARGV: from, to, seconds to keep it. Moves only forward, and only from where the publisher began.
static ADVANCE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if (redis.call('GET', KEYS[1]) or '0-0') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
",
    )
});

/// The logs of all lines, for one destination.
pub(super) struct Log {
    redis: Redis,
    to: &'static str,
    /// Of this replica.
    publisher: String,
}

/// What is next in a line.
pub(super) enum Next {
    Nothing,
    /// Another replica is at it.
    OfAnother,
    Batch(Batch),
}

/// Entries behind the cursor.
pub(super) struct Batch {
    sale: SaleId,
    cursor: String,
    last: String,
    pub(super) admissions: Vec<Admission>,
    /// Whether there may be more behind it.
    pub(super) is_full: bool,
}

/// An entry as Redis sends it: id, then names and values in turn.
type Raw = (String, Vec<String>);

impl Log {
    pub(super) fn new(redis: Redis, to: &'static str) -> Self {
        Self {
            redis,
            to,
            publisher: Uuid::new_v4().to_string(),
        }
    }

    /// Takes what is next in the log of `sale`.
    pub(super) async fn next(&self, sale: SaleId) -> Result<Next, RedisError> {
        let mine: bool = LEASE
            .key(self.key(sale, "publisher"))
            .arg(&self.publisher)
            .arg(LEASE_MS)
            .invoke_async(&mut self.redis.conn())
            .await?;
        if !mine {
            return Ok(Next::OfAnother);
        }
        let cursor: Option<String> = self.redis.conn().get(self.key(sale, "published")).await?;
        let cursor = cursor.unwrap_or_else(|| "0-0".to_owned());
        let entries: Vec<Raw> = redis::cmd("XRANGE")
            .arg(key(&self.redis, sale, "log"))
            .arg(format!("({cursor}"))
            .arg(("+", "COUNT", ENTRIES))
            .query_async(&mut self.redis.conn())
            .await?;
        let Some((last, _)) = entries.last() else {
            return Ok(Next::Nothing);
        };
        Ok(Next::Batch(Batch {
            sale,
            cursor,
            last: last.clone(),
            admissions: entries
                .iter()
                .filter_map(|entry| admission(sale, entry))
                .collect(),
            is_full: entries.len() == ENTRIES,
        }))
    }

    /// The first `settled` admissions of `batch` need no more telling.
    pub(super) async fn advance(&self, batch: &Batch, settled: usize) -> Result<(), RedisError> {
        let to = match settled.checked_sub(1) {
            _ if settled == batch.admissions.len() => &batch.last,
            Some(newest) => &batch.admissions[newest].entry,
            None => return Ok(()),
        };
        ADVANCE
            .key(self.key(batch.sale, "published"))
            .arg(&batch.cursor)
            .arg(to)
            .arg(CURSOR_KEPT_S)
            .invoke_async::<bool>(&mut self.redis.conn())
            .await
            .map(drop)
    }

    /// Lines that ended before everything was told of them.
    pub(super) async fn ended(&self) -> Result<Vec<SaleId>, RedisError> {
        let members: Vec<String> = self
            .redis
            .conn()
            .smembers(untold_key(&self.redis, self.to))
            .await?;
        Ok(members.iter().filter_map(|member| member.parse().ok()).collect())
    }

    /// Nothing more is to be told of a line that had ended.
    pub(super) async fn all_told(&self, sale: SaleId) -> Result<(), RedisError> {
        let ended = untold_key(&self.redis, self.to);
        let _: () = self.redis.conn().srem(&ended, sale.to_string()).await?;
        // It may have come to life and ended again since it was looked at.
        match self.next(sale).await? {
            Next::Nothing => Ok(()),
            _ => self.redis.conn().sadd(ended, sale.to_string()).await,
        }
    }

    fn key(&self, sale: SaleId, name: &str) -> String {
        key(&self.redis, sale, &format!("{name}:{}", self.to))
    }
}

/// The admission that an entry tells of; other entries are none of others' business.
fn admission(sale: SaleId, (id, fields): &Raw) -> Option<Admission> {
    if field::<String>(fields, "k")? != LogKind::Admit.name() {
        return None;
    }
    Some(Admission {
        entry: id.clone(),
        sale,
        user: field(fields, "u")?,
        position: field(fields, "p"),
        at: Millis(field(fields, "t")?),
        event_id: event_id(sale, id)?,
    })
}

fn field<T: FromStr>(fields: &[String], name: &str) -> Option<T> {
    let mut pairs = fields.chunks_exact(2);
    pairs.find(|pair| pair[0] == name)?[1].parse().ok()
}

/// The same for the same entry, whoever publishes it.
fn event_id(sale: SaleId, entry: &str) -> Option<Uuid> {
    let (ms, seq) = entry.split_once('-')?;
    let (ms, seq): (u128, u128) = (ms.parse().ok()?, seq.parse().ok()?);
    // The time into the first 48 bits, the number within it into the last 32.
    let mixed = sale.as_u128() ^ (ms << 80) ^ seq;
    Some(uuid::Builder::from_custom_bytes(mixed.to_be_bytes()).into_uuid())
}
