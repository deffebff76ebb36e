//! Answers kept for a moment (R-CAT-07, R-CAT-08).
//!
//! A few seconds are enough: at an opening the same page is asked for thousands of times a second,
//! and news still shows within five seconds without any replica telling another. One caller
//! refreshes an entry while the others wait for him, so an expiry is one query, not a stampede.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex as SyncMutex, PoisonError},
};
use tokio::sync::Mutex;
use urr_core::time::Millis;

/// How long an answer is good.
const FRESH_MS: i64 = 2_000;

/// Entries kept. The keys come from callers (search texts, ids), so they must be bounded; a
/// thousand cover every page anybody looks at during an opening.
const ENTRIES_MAX: usize = 1_000;

type Slot<V> = Arc<Mutex<Option<(Millis, Arc<V>)>>>;

pub(crate) struct Cache<K, V> {
    slots: SyncMutex<HashMap<K, Slot<V>>>,
}

impl<K: Eq + Hash + Clone, V> Cache<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            slots: SyncMutex::new(HashMap::new()),
        }
    }

    /// The answer for `key`, no older than [`FRESH_MS`]; loaded by the first who asks.
    pub(crate) async fn get<E>(
        &self,
        key: &K,
        now: Millis,
        load: impl Future<Output = Result<V, E>>,
    ) -> Result<Arc<V>, E> {
        let slot = self.slot(key);
        let mut held = slot.lock().await;
        if let Some((at, value)) = held.as_ref()
            && (0..FRESH_MS).contains(&now.since(*at))
        {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(load.await?);
        *held = Some((now, Arc::clone(&value)));
        Ok(value)
    }

    /// Forgets everything: somebody changed something here.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn slot(&self, key: &K) -> Slot<V> {
        let mut slots = self.lock();
        if slots.len() >= ENTRIES_MAX && !slots.contains_key(key) {
            slots.clear();
        }
        Arc::clone(slots.entry(key.clone()).or_default())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, Slot<V>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        convert::Infallible,
        sync::atomic::{AtomicU32, Ordering},
    };

    async fn load(loads: &AtomicU32) -> Result<u32, Infallible> {
        tokio::task::yield_now().await;
        Ok(loads.fetch_add(1, Ordering::Relaxed))
    }

    #[tokio::test]
    async fn an_expiry_is_one_load_however_many_ask() {
        let (cache, loads) = (Cache::new(), AtomicU32::new(0));
        let ask = |now| cache.get(&"k", Millis(now), load(&loads));
        let (a, b, c) = tokio::join!(ask(0), ask(0), ask(0));
        assert_eq!((*a.unwrap(), *b.unwrap(), *c.unwrap()), (0, 0, 0));
        assert_eq!(*ask(FRESH_MS - 1).await.unwrap(), 0);
        assert_eq!(*ask(FRESH_MS).await.unwrap(), 1);
        cache.clear();
        assert_eq!(*ask(FRESH_MS).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn keys_chosen_by_callers_do_not_grow_it_without_end() {
        let (cache, loads) = (Cache::new(), AtomicU32::new(0));
        for key in 0..3 * ENTRIES_MAX {
            cache.get(&key, Millis(0), load(&loads)).await.unwrap();
        }
        assert!(cache.lock().len() <= ENTRIES_MAX);
    }
}
