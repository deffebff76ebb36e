//! One line per user, where sales say so (R-QUE-11).
//!
//! A key per user names the sale in whose line he stands, and since when. It lies on another node
//! of a cluster than the lines, so no script sees both: an older key is only a hint, and whoever
//! meets one asks the line it names; a fresh one is believed, as that join may be under way. So
//! of two joins at the same instant one is turned away.

use super::{Act, Asker, Standing, Store, StoreError};
use redis::{AsyncCommands as _, Script};
use std::sync::LazyLock;
use urr_core::{sale::SaleId, time::Millis};
use uuid::Uuid;

/// A join is over after this long: far beyond the time after which a call to Redis has failed.
const UNDER_WAY_MS: i64 = 5000;

/// Takes the key if it is free, ours, or what the caller found to be out of date.
/// ARGV: our sale, now, seconds to keep it, what may be overwritten. Answers what stands there.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local there = redis.call('GET', KEYS[1])
if there and there ~= ARGV[4] and string.sub(there, 1, #ARGV[1]) ~= ARGV[1] then return there end
local ours = ARGV[1] .. ' ' .. ARGV[2]
redis.call('SET', KEYS[1], ours, 'EX', ARGV[3])
return ours
",
    )
});

/// Gives the key up, if it is ours.
static DROP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local there = redis.call('GET', KEYS[1])
if there and string.sub(there, 1, #ARGV[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
",
    )
});

impl Store {
    /// Notes that `user` is about to wait for `sale`. The sale he already waits for, if there is
    /// one: then nothing was noted.
    pub(crate) async fn wait_only_in(
        &self,
        sale: SaleId,
        user: Uuid,
        now: Millis,
    ) -> Result<Option<SaleId>, StoreError> {
        let mut outdated = String::new();
        loop {
            let mut take = TAKE.key(self.waits_key(user));
            take.arg(sale.to_string())
                .arg(now.0)
                .arg(self.defaults.seen_ttl_s)
                .arg(&outdated);
            let mut conn = self.redis.conn();
            let there: String = self
                .ask(sale, Asker::Visitor, take.invoke_async(&mut conn))
                .await?;
            let Some((other, since)) = parse(&there).filter(|(other, _)| *other != sale) else {
                return Ok(None);
            };
            // Ends at the latest here: what replaced a key that was out of date is fresh.
            if now.since(since) < UNDER_WAY_MS || there == outdated {
                return Ok(Some(other));
            }
            let standing = self.act(other, Act::LookFor(user), now).await?.standing;
            if matches!(standing, Standing::Queued { .. }) {
                return Ok(Some(other));
            }
            outdated = there;
        }
    }

    /// `user` waits for `sale` no longer.
    pub(crate) async fn wait_no_more(&self, sale: SaleId, user: Uuid) -> Result<(), StoreError> {
        let mut drop = DROP.key(self.waits_key(user));
        drop.arg(sale.to_string());
        let mut conn = self.redis.conn();
        self.ask(sale, Asker::Visitor, drop.invoke_async(&mut conn)).await
    }

    /// These users still wait where they wait.
    pub(super) async fn keep_waiting(&self, sale: SaleId, users: &[Uuid]) -> Result<(), StoreError> {
        let seconds = i64::from(self.defaults.seen_ttl_s);
        let kept = users.iter().map(async |user| {
            let mut conn = self.redis.conn();
            let expire = conn.expire::<_, ()>(self.waits_key(*user), seconds);
            self.ask(sale, Asker::Ticker, expire).await
        });
        futures::future::try_join_all(kept).await?;
        Ok(())
    }

    fn waits_key(&self, user: Uuid) -> String {
        self.redis.key(&format!("queue:waits:{user}"))
    }
}

fn parse(there: &str) -> Option<(SaleId, Millis)> {
    let (sale, since) = there.split_once(' ')?;
    Some((sale.parse().ok()?, Millis(since.parse().ok()?)))
}
