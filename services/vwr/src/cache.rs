//! The process's copy of the rooms people ask about, at most a second old.
//!
//! Why it exists: a poll compares two numbers, one from the visitor's request id, one from here,
//! and touches neither a store nor a lock (law `free-poll`). The reads are per sale and second,
//! not per visitor. When DynamoDB is away the last copy stays: the line goes on by its own clock
//! (law `on-time`), never beyond the numbers this process knows to be issued.

use crate::{line::Shared, watched::Watched};
use arc_swap::ArcSwap;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use urr_core::{room::Room, sale::SaleId, time::Millis};
use urr_kit::{error::chain, state::StateError};

/// Sales one process can watch; ten at once is what the requirements ask for (R-QUE-10).
const WATCHED_MAX: usize = 1024;

/// Sales remembered as unknown. When full it is forgotten as a whole: the worst that follows is
/// one read per junk id.
const UNKNOWN_MAX: usize = 4096;

/// How long an unknown sale stays unknown.
const UNKNOWN_MS: i64 = 1000;

/// First reads of sales this process does not know that run at once: junk ids must not take the
/// store's capacity from joins.
const FIRST_READS_AT_ONCE: usize = 8;

/// A request for an unknown sale waits this long for its turn to read: longer than the reads ahead
/// take on a starved machine, shorter than the client waits.
const FIRST_READ_WAIT: Duration = Duration::from_secs(5);

/// Sales whose records are read at once by the clock: more than are ever open together, so that one
/// whose store is stuck takes nobody's turn.
const REFRESHES_AT_ONCE: usize = 64;

/// Between two refreshes, however much is due: a store that fails is not asked in a circle.
const PAUSE_MIN: Duration = Duration::from_millis(20);

/// A sale nobody asked about for this many refreshes (10 minutes at the default) is let go.
const IDLE_REFRESHES_MAX: u32 = 800;

/// The store could not say whether the sale has a room.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("too many sales were asked for at once")]
    Busy,
    #[error("the room could not be read")]
    Store(#[source] StateError),
}

/// All rooms this process watches.
pub(crate) struct RoomCache {
    shared: Arc<Shared>,
    /// Somebody found something due that cannot wait for the next refresh.
    due: Notify,
    // Copied on insertion (rare), read without a lock (every request).
    watched: ArcSwap<HashMap<SaleId, Arc<Watched>>>,
    unknown: Mutex<HashMap<SaleId, Millis>>,
    first_reads: Semaphore,
    refreshes: Semaphore,
    failing: AtomicBool,
}

impl RoomCache {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            due: Notify::new(),
            watched: ArcSwap::default(),
            unknown: Mutex::default(),
            first_reads: Semaphore::new(FIRST_READS_AT_ONCE),
            refreshes: Semaphore::new(REFRESHES_AT_ONCE),
            failing: AtomicBool::new(false),
        }
    }

    /// The sale's room, from memory if this process has ever seen it; else read once. `None`: it
    /// has none, or had none a second ago.
    pub(crate) async fn get(&self, sale: SaleId) -> Result<Option<Arc<Watched>>, Unavailable> {
        match self.known(sale) {
            Some(watched) => Ok(Some(watched)),
            None => self.first_read(sale).await,
        }
    }

    fn known(&self, sale: SaleId) -> Option<Arc<Watched>> {
        let watched = self.watched.load().get(&sale).cloned()?;
        watched.touch();
        Some(watched)
    }

    /// A crowd may ask for a sale this process has not seen yet: a few read, the rest find what
    /// they read.
    async fn first_read(&self, sale: SaleId) -> Result<Option<Arc<Watched>>, Unavailable> {
        if self.is_unknown(sale) {
            return Ok(None);
        }
        let _turn = tokio::time::timeout(FIRST_READ_WAIT, self.first_reads.acquire())
            .await
            .map_err(|_| Unavailable::Busy)?
            .map_err(|_| Unavailable::Busy)?;
        if let Some(watched) = self.known(sale) {
            return Ok(Some(watched));
        }
        if self.is_unknown(sale) {
            return Ok(None);
        }
        match self.shared.store.room(sale).await.map_err(Unavailable::Store)? {
            Some(room) => {
                let watched = self.watch(&room).ok_or(Unavailable::Busy)?;
                watched.tend(&self.shared).await;
                Ok(Some(watched))
            }
            None => {
                self.remember_unknown(sale);
                Ok(None)
            }
        }
    }

    /// Takes in a record that was just read or written.
    pub(crate) fn absorb(&self, room: &Room) {
        match self.watched.load().get(&room.sale) {
            Some(watched) => watched.absorb(room),
            None => {
                self.unknown
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&room.sale);
                self.watch(room);
            }
        }
    }

    /// Starts to watch; `None` when the process watches as many sales as it can.
    fn watch(&self, room: &Room) -> Option<Arc<Watched>> {
        let sale = room.sale;
        let fresh = Arc::new(Watched::new(room.clone()));
        self.watched.rcu(|map| {
            if map.contains_key(&sale) || map.len() >= WATCHED_MAX {
                return Arc::clone(map);
            }
            let mut map = HashMap::clone(map);
            map.insert(sale, Arc::clone(&fresh));
            Arc::new(map)
        });
        let watched = self.watched.load().get(&sale).cloned();
        match &watched {
            Some(watched) => watched.absorb(room),
            None => tracing::error!(%sale, "too many sales are watched by one process"),
        }
        watched
    }

    fn is_unknown(&self, sale: SaleId) -> bool {
        let unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        unknown
            .get(&sale)
            .is_some_and(|at| self.shared.clock.now().since(*at) < UNKNOWN_MS)
    }

    fn remember_unknown(&self, sale: SaleId) {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() >= UNKNOWN_MAX {
            unknown.clear();
        }
        unknown.insert(sale, self.shared.clock.now());
    }

    /// Has what is due done now instead of at the next refresh.
    pub(crate) fn hurry(&self) {
        self.due.notify_one();
    }

    /// Refreshes every watched sale each `every` until `shutdown`, and at every opening with a
    /// draw. Each sale by itself: a store that is slow for one ages that one's copy and no other.
    pub(crate) async fn keep_fresh(self: Arc<Self>, every: Duration, shutdown: CancellationToken) {
        loop {
            let pause = self.until_draw().map_or(every, |draw| draw.min(every));
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                () = self.due.notified() => {}
            }
            for watched in self.all() {
                // Still at it since the last time: the store answers, or its client gives up.
                let Some(turn) = watched.begin_refresh() else {
                    continue;
                };
                let cache = Arc::clone(&self);
                tokio::spawn(async move {
                    cache.refresh_one(&watched).await;
                    drop(turn);
                    // Behind the record and not in its way: a long ledger takes seconds.
                    watched.follow(&cache.shared).await;
                });
            }
            tokio::time::sleep(PAUSE_MIN).await;
        }
    }

    fn all(&self) -> Vec<Arc<Watched>> {
        self.watched.load().values().map(Arc::clone).collect()
    }

    /// How long until the next draw is due; `None` without one ahead.
    fn until_draw(&self) -> Option<Duration> {
        let now = self.shared.clock.now();
        let watched = self.watched.load();
        let ahead = watched.values().filter_map(|watched| {
            let known = watched.known();
            let ms = known.room.opens_at.since(now);
            (known.room.is_undrawn() && ms > 0).then_some(ms)
        });
        ahead
            .min()
            .map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
    }

    /// As [`RoomCache::keep_fresh`] does once, and waits for the end of it.
    #[cfg(test)]
    pub(crate) async fn refresh(&self) {
        futures::future::join_all(self.all().iter().map(|watched| async move {
            self.refresh_one(watched).await;
            watched.follow(&self.shared).await;
        }))
        .await;
    }

    /// Reads the sale's record and does what is due for it.
    async fn refresh_one(&self, watched: &Watched) {
        let sale = watched.sale;
        let Ok(_turn) = self.refreshes.acquire().await else {
            return;
        };
        if watched.count_idle() > IDLE_REFRESHES_MAX && watched.line.is_idle() {
            return self.forget(sale);
        }
        // At the opening the draw comes first: its own write brings the record.
        let now = self.shared.clock.now();
        let was_due = watched.known().room.draw_is_due(now);
        if was_due && let Err(error) = watched.tend_draw(&self.shared, now).await {
            tracing::debug!(%sale, error = chain(&error), "the draw is tried again");
        }
        match self.shared.store.room(sale).await {
            Ok(Some(room)) => {
                watched.absorb(&room);
                self.failing.store(false, Ordering::Relaxed);
                watched.tend(&self.shared).await;
            }
            // No one deletes a record. If the store lost it, the line goes on by this copy
            // until the control plane has made another.
            Ok(None) if !self.failing.swap(true, Ordering::Relaxed) => {
                tracing::error!(%sale, "the record of a waiting room is gone from the store");
            }
            Ok(None) => {}
            // Said once per outage; the line goes on by its own clock.
            Err(error) if !self.failing.swap(true, Ordering::Relaxed) => {
                tracing::error!(%sale, error = chain(&error), "a waiting room's copy is ageing");
            }
            Err(_) => {}
        }
        // The opening came while this was underway, and whoever said so was not heard.
        if !was_due && watched.known().room.draw_is_due(self.shared.clock.now()) {
            self.hurry();
        }
    }

    fn forget(&self, sale: SaleId) {
        self.watched.rcu(|map| {
            let mut map = HashMap::clone(map);
            map.remove(&sale);
            map
        });
    }
}
