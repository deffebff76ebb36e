//! The list of lines to tick: a set that all replicas share, so that a line is ticked by replicas
//! that nobody has asked about it, and no keys need to be searched (R-QUE-04).

use super::{Asker, Store, StoreError};
use futures::{StreamExt as _, stream};
use redis::AsyncCommands as _;
use std::sync::PoisonError;
use urr_core::{sale::SaleId, time::Millis};
use urr_kit::{Redis, state::limits::ACTIVE_EVENTS_KEY};

/// Sales this process remembers to have announced. Forgotten as a whole when full: the cost is
/// one `SADD` each.
const ANNOUNCED_MAX: usize = 1024;
/// Limits of unknown lines read at once, where there are too many to tick.
const LOOKS_AT_ONCE: usize = 16;
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

    /// Takes the sale off the list. Who is told of admissions may not have heard of all of them yet.
    pub(crate) async fn unlist(&self, sale: SaleId) -> Result<(), StoreError> {
        for to in self.tells {
            let (mut conn, key) = (self.redis.conn(), untold_key(&self.redis, to));
            let added = conn.sadd::<_, _, ()>(key, sale.to_string());
            self.ask(sale, Asker::Ticker, added).await?;
        }
        self.lines.forget(sale);
        let (mut conn, key) = (self.redis.conn(), self.redis.key(ACTIVE_EVENTS_KEY));
        self.ask(sale, Asker::Ticker, conn.srem(key, sale.to_string()))
            .await
    }

    /// The list. Who can read it knows that Redis is back.
    pub(crate) async fn listed(&self) -> Result<Vec<SaleId>, StoreError> {
        let key = self.redis.key(ACTIVE_EVENTS_KEY);
        let members: Vec<String> = self.redis.conn().smembers(key).await?;
        self.breakers.all_answered();
        Ok(members.iter().filter_map(|member| member.parse().ok()).collect())
    }

    /// Declared sales before events that somebody merely joined: strangers' lines must not keep an opening
    /// from being ticked (law `on-time`).
    pub(crate) async fn declared_first(&self, sales: Vec<SaleId>) -> Vec<SaleId> {
        let judged: Vec<(SaleId, bool)> = stream::iter(sales)
            .map(async |sale| (sale, self.is_declared(sale).await))
            .buffer_unordered(LOOKS_AT_ONCE)
            .collect()
            .await;
        let (mut declared, others): (Vec<_>, Vec<_>) =
            judged.into_iter().partition(|(_, declared)| *declared);
        declared.extend(others);
        declared.into_iter().map(|(sale, _)| sale).collect()
    }

    async fn is_declared(&self, sale: SaleId) -> bool {
        if let Some(line) = self.lines.get(sale) {
            return line.has_limits();
        }
        let read = self.ask(sale, Asker::Ticker, self.limits.read(sale)).await;
        read.is_ok_and(|limits| limits.is_some())
    }
}
