//! The lists of lines to tick: sets that all replicas share, so that a line is ticked by replicas
//! that nobody has asked about it, and no keys need to be searched (R-QUE-04).
//!
//! There are two. Declared sales are read whole. Beside them anybody may join any event, so of the list
//! that holds these too only some are drawn: strangers' lines must keep no opening waiting (law `on-time`).

use super::{Asker, Store, StoreError};
use redis::AsyncCommands as _;
use std::sync::PoisonError;
use urr_core::{sale::SaleId, time::Millis};
use urr_kit::{
    Redis,
    state::limits::{ACTIVE_EVENTS_KEY, DECLARED_EVENTS_KEY},
};

/// Sales this process remembers to have announced. Forgotten as a whole when full: the cost is
/// one `SADD` each.
const ANNOUNCED_MAX: usize = 1024;
/// How long an announcement is not repeated.
const ANNOUNCED_MS: i64 = 1000;

/// Sales that are off the list while admissions of theirs may be untold at `to`. What is in here leaves
/// when it is told, or with the log after a week.
pub(crate) fn untold_key(redis: &Redis, to: &str) -> String {
    redis.key(&format!("queue:untold:{to}"))
}

impl Store {
    /// Puts the sale on the list, at most once a second.
    pub(crate) async fn announce(&self, sale: SaleId, now: Millis) -> Result<(), StoreError> {
        {
            let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = |at: &Millis| (0..ANNOUNCED_MS).contains(&now.since(*at));
            if announced.get(&sale).is_some_and(fresh) {
                return Ok(());
            }
            if announced.len() >= ANNOUNCED_MAX {
                announced.clear();
            }
            announced.insert(sale, now);
        }
        self.list(sale).await
    }

    /// Puts the sale on the list.
    pub(crate) async fn list(&self, sale: SaleId) -> Result<(), StoreError> {
        let (mut conn, key) = (self.redis.conn(), self.redis.key(ACTIVE_EVENTS_KEY));
        self.ask(sale, Asker::Visitor, conn.sadd(key, sale.to_string()))
            .await
    }

    /// Puts the sale on the list of those that were declared, too.
    pub(crate) async fn list_as_declared(&self, sale: SaleId) -> Result<(), StoreError> {
        let (mut conn, key) = (self.redis.conn(), self.redis.key(DECLARED_EVENTS_KEY));
        self.ask(sale, Asker::Ticker, conn.sadd(key, sale.to_string()))
            .await
    }

    /// Takes the sale off the lists. Who is told of admissions may not have heard of all of them yet.
    pub(crate) async fn unlist(&self, sale: SaleId) -> Result<(), StoreError> {
        for to in self.tells {
            let (mut conn, key) = (self.redis.conn(), untold_key(&self.redis, to));
            let added = conn.sadd::<_, _, ()>(key, sale.to_string());
            self.ask(sale, Asker::Ticker, added).await?;
        }
        self.lines.forget(sale);
        for list in [DECLARED_EVENTS_KEY, ACTIVE_EVENTS_KEY] {
            let (mut conn, key) = (self.redis.conn(), self.redis.key(list));
            let removed = conn.srem::<_, _, ()>(key, sale.to_string());
            self.ask(sale, Asker::Ticker, removed).await?;
        }
        Ok(())
    }

    /// The declared sales. Who can read them knows that Redis is back.
    pub(crate) async fn declared(&self) -> Result<Vec<SaleId>, StoreError> {
        let key = self.redis.key(DECLARED_EVENTS_KEY);
        let members: Vec<String> = self.redis.conn().smembers(key).await?;
        self.breakers.all_answered();
        Ok(sales(&members))
    }

    /// At most `most` lines of all that are listed, drawn anew each time: the cost does not grow with
    /// the list.
    pub(crate) async fn listed(&self, most: usize) -> Result<Vec<SaleId>, StoreError> {
        let key = self.redis.key(ACTIVE_EVENTS_KEY);
        let most = isize::try_from(most).unwrap_or(isize::MAX);
        let members: Vec<String> = self.redis.conn().srandmember_multiple(key, most).await?;
        Ok(sales(&members))
    }
}

fn sales(members: &[String]) -> Vec<SaleId> {
    members.iter().filter_map(|member| member.parse().ok()).collect()
}
