//! The limits of tier 2: how many may be inside, how fast they are let in, and when.
//!
//! One Redis hash per sale, `{eventId}:limits`, read by the queue's script inside the same
//! atomic step that admits people, so a limit holds from the very call that follows its write.
//! The control plane is the only writer; `(epoch, revision)` fences a stale one inside Redis.

use super::StateError;
use crate::Redis;
use redis::{AsyncCommands, Script};
use std::{collections::HashMap, sync::LazyLock};
use urr_core::{sale::SaleId, time::Millis};

/// The set of sales whose line must be ticked (api-contract.md section 6).
pub const ACTIVE_EVENTS_KEY: &str = "queue:active-events";

/// Of these, the sales that were declared: always ticked, while the others (anybody may join any
/// event) share what is left.
pub const DECLARED_EVENTS_KEY: &str = "queue:declared-events";

/// The un-prefixed key of a sale's limits. Braces are literal: they are the cluster's hash tag.
#[must_use]
pub fn limits_key(sale: SaleId) -> String {
    format!("{{{sale}}}:limits")
}

/// What tier 2 must keep to for one sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Whose limits.
    pub sale: SaleId,
    /// Rises with every write within an epoch.
    pub revision: u64,
    /// The waiting room's epoch these limits belong to; a place of an older line is refused.
    pub epoch: u32,
    /// People admitted per second; 0 admits nobody.
    pub rate_per_s: u32,
    /// Most people inside at once (law `hard-cap`).
    pub cap: u32,
    /// Admissions that may be saved up while nobody waits.
    pub burst: u32,
    /// Nobody is admitted before.
    pub opens_at: Millis,
    /// Nobody is admitted from here on.
    pub closes_at: Millis,
    /// An active visitor silent for this long loses the slot, seconds.
    pub silence_s: u32,
    /// A slot ends this long after admission whatever happens, seconds.
    pub active_ttl_s: u32,
    /// Lifetime of the entry token, seconds.
    pub token_ttl_s: u32,
    /// An operator holds the line.
    pub paused: bool,
    /// Every seat is sold: nobody is let in.
    pub sold_out: bool,
    /// Only visitors with a tier-1 place may join; their place is their order.
    pub require_place: bool,
    /// Who waits in another sale that says so too is turned away (R-QUE-11).
    pub one_line_per_user: bool,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The limits hold from the next call on.
    Applied,
    /// Redis already holds these or newer limits; nothing was written.
    Stale,
}

/// Writes all fields or none. ARGV: epoch, revision, whether only where there are none, then
/// field, value, ...
static WRITE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local seen = redis.call('HMGET', KEYS[1], 'epoch', 'revision')
local epoch, revision = tonumber(ARGV[1]), tonumber(ARGV[2])
if seen[1] and seen[2] then
  if ARGV[3] == '1' then return 0 end
  local old_epoch, old_revision = tonumber(seen[1]), tonumber(seen[2])
  if epoch < old_epoch or (epoch == old_epoch and revision <= old_revision) then return 0 end
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'revision', ARGV[2], unpack(ARGV, 4))
return 1
",
    )
});

/// Reads and writes limits. Cheap to clone.
#[derive(Clone)]
pub struct LimitsStore {
    redis: Redis,
}

impl LimitsStore {
    /// A store on this Redis.
    #[must_use]
    pub const fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// Makes `limits` hold, unless newer ones do already. The sale is put on the lists of lines
    /// to tick first, so that it is ticked at `opens_at` even if nobody came before.
    ///
    /// # Errors
    /// [`StateError::Redis`] when Redis cannot be reached; then it is unknown whether the write
    /// happened, and repeating it is safe.
    pub async fn write(&self, limits: &Limits) -> Result<Written, StateError> {
        self.put(limits, "0").await
    }

    async fn put(&self, limits: &Limits, only_if_lost: &str) -> Result<Written, StateError> {
        let failed = |source| StateError::Redis {
            what: "write the limits of a sale",
            source,
        };
        let mut conn = self.redis.conn();
        self.list(limits.sale).await.map_err(failed)?;
        let mut call = WRITE.prepare_invoke();
        call.key(self.redis.key(&limits_key(limits.sale)))
            .arg(limits.epoch)
            .arg(limits.revision)
            .arg(only_if_lost);
        for (field, value) in fields(limits) {
            call.arg(field).arg(value);
        }
        let applied: u8 = call.invoke_async(&mut conn).await.map_err(failed)?;
        if applied == 0 {
            return Ok(Written::Stale);
        }
        // A ticker that found the line over just before may have taken it off in between.
        self.list(limits.sale).await.map_err(failed)?;
        Ok(Written::Applied)
    }

    /// One key a command: they lie on different nodes of a cluster. Replicas of the release before know the
    /// first list only.
    async fn list(&self, sale: SaleId) -> Result<(), redis::RedisError> {
        for list in [ACTIVE_EVENTS_KEY, DECLARED_EVENTS_KEY] {
            let key = self.redis.key(list);
            let _: u64 = self.redis.conn().sadd(key, sale.to_string()).await?;
        }
        Ok(())
    }

    /// Writes `limits` back where Redis has lost them. What the control plane wrote meanwhile stays,
    /// whatever its revision: after a loss it counts from 1 again.
    ///
    /// # Errors
    /// [`StateError::Redis`] when Redis cannot be reached.
    pub async fn restore(&self, limits: &Limits) -> Result<Written, StateError> {
        self.put(limits, "1").await
    }

    /// The limits in force, if the sale has any.
    ///
    /// # Errors
    /// [`StateError::Redis`] when Redis cannot be reached, [`StateError::Corrupt`] when the hash
    /// is not one this version understands.
    pub async fn read(&self, sale: SaleId) -> Result<Option<Limits>, StateError> {
        let hash: HashMap<String, String> = self
            .redis
            .conn()
            .hgetall(self.redis.key(&limits_key(sale)))
            .await
            .map_err(|source| StateError::Redis {
                what: "read the limits of a sale",
                source,
            })?;
        if hash.is_empty() {
            return Ok(None);
        }
        parse(sale, &hash).map(Some)
    }
}

/// Every field but the fence, as stored. The names are read by `services/queue/src/*.lua`.
fn fields(limits: &Limits) -> [(&'static str, i64); 12] {
    [
        ("rate_per_s", i64::from(limits.rate_per_s)),
        ("cap", i64::from(limits.cap)),
        ("burst", i64::from(limits.burst)),
        ("opens_at", limits.opens_at.0),
        ("closes_at", limits.closes_at.0),
        ("silence_s", i64::from(limits.silence_s)),
        ("active_ttl_s", i64::from(limits.active_ttl_s)),
        ("token_ttl_s", i64::from(limits.token_ttl_s)),
        ("paused", i64::from(limits.paused)),
        ("sold_out", i64::from(limits.sold_out)),
        ("require_place", i64::from(limits.require_place)),
        ("one_line_per_user", i64::from(limits.one_line_per_user)),
    ]
}

fn parse(sale: SaleId, hash: &HashMap<String, String>) -> Result<Limits, StateError> {
    fn number<T: std::str::FromStr>(
        hash: &HashMap<String, String>,
        field: &'static str,
    ) -> Result<T, StateError> {
        hash.get(field)
            .and_then(|text| text.parse().ok())
            .ok_or(StateError::Corrupt { field })
    }
    let flag = |field| number::<u8>(hash, field).map(|value| value != 0);
    Ok(Limits {
        sale,
        revision: number(hash, "revision")?,
        epoch: number(hash, "epoch")?,
        rate_per_s: number(hash, "rate_per_s")?,
        cap: number(hash, "cap")?,
        burst: number(hash, "burst")?,
        opens_at: Millis(number(hash, "opens_at")?),
        closes_at: Millis(number(hash, "closes_at")?),
        silence_s: number(hash, "silence_s")?,
        active_ttl_s: number(hash, "active_ttl_s")?,
        token_ttl_s: number(hash, "token_ttl_s")?,
        paused: flag("paused")?,
        sold_out: flag("sold_out")?,
        require_place: flag("require_place")?,
        // Written by releases that know it only.
        one_line_per_user: hash.get("one_line_per_user").is_some_and(|text| text == "1"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            sale: SaleId::from_u128(7),
            revision: 3,
            epoch: 2,
            rate_per_s: 10,
            cap: 100,
            burst: 5,
            opens_at: Millis(1_000),
            closes_at: Millis(9_000),
            silence_s: 30,
            active_ttl_s: 600,
            token_ttl_s: 600,
            paused: false,
            sold_out: true,
            require_place: true,
            one_line_per_user: true,
        }
    }

    #[test]
    fn limits_survive_their_stored_form() {
        let limits = limits();
        let mut hash: HashMap<String, String> = fields(&limits)
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_string()))
            .collect();
        hash.insert("epoch".into(), "2".into());
        hash.insert("revision".into(), "3".into());
        assert_eq!(parse(limits.sale, &hash).unwrap(), limits);
    }

    #[tokio::test]
    async fn newer_limits_hold_at_once_and_stale_ones_never() {
        let bed = crate::testing::TestBed::new().await;
        let redis = bed.ctx().redis().await.unwrap();
        let store = LimitsStore::new(redis.clone());
        let sale = SaleId::new_v4();
        assert_eq!(store.read(sale).await.unwrap(), None);
        let of = |epoch, revision, cap| Limits {
            sale,
            epoch,
            revision,
            cap,
            ..limits()
        };
        for (next, outcome, cap) in [
            (of(1, 5, 10), Written::Applied, 10),
            (of(1, 5, 20), Written::Stale, 10),
            (of(1, 4, 30), Written::Stale, 10),
            (of(1, 6, 40), Written::Applied, 40),
            (of(2, 1, 50), Written::Applied, 50),
            (of(1, 99, 60), Written::Stale, 50),
        ] {
            assert_eq!(store.write(&next).await.unwrap(), outcome, "{next:?}");
            assert_eq!(store.read(sale).await.unwrap().unwrap().cap, cap);
        }
        // Giving back what was lost overwrites nothing, however new it was.
        assert_eq!(store.restore(&of(9, 9, 70)).await.unwrap(), Written::Stale);
        let lost = Limits {
            sale: SaleId::new_v4(),
            ..limits()
        };
        assert_eq!(store.restore(&lost).await.unwrap(), Written::Applied);
        assert_eq!(store.read(lost.sale).await.unwrap(), Some(lost.clone()));
        let _: u64 = redis
            .conn()
            .srem(redis.key(ACTIVE_EVENTS_KEY), lost.sale.to_string())
            .await
            .unwrap();
        let listed: Vec<String> = redis.conn().smembers(redis.key(ACTIVE_EVENTS_KEY)).await.unwrap();
        assert_eq!(listed, [sale.to_string()]);
        let declared = redis.key(DECLARED_EVENTS_KEY);
        let declared: Vec<String> = redis.conn().smembers(declared).await.unwrap();
        assert_eq!(declared.len(), 2, "{declared:?}");
    }

    #[test]
    fn a_missing_field_is_named() {
        let error = parse(SaleId::nil(), &HashMap::new()).unwrap_err();
        assert!(matches!(error, StateError::Corrupt { field: "revision" }));
    }
}
