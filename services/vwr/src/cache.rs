//! The process's copy of the rooms people ask about, at most a second old.
//!
//! Why it exists: a poll compares two numbers, one from the visitor's request id, one from here,
//! and touches neither a store nor a lock (law `free-poll`). The reads are per sale and second,
//! not per visitor. When DynamoDB is away the last copy stays: the line goes on by its own clock
//! (law `on-time`), never beyond the numbers this process knows to be issued.
//!
//! What breaks if this changes: `serving` must never go back within a process (law
//! `monotone-serving`), though copies arrive out of order and rates change; see
//! [`Watched::absorb`] and [`Watched::serving`].

use crate::store::Store;
use arc_swap::{ArcSwap, ArcSwapOption};
use futures::{StreamExt as _, stream};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use urr_core::{room::Room, sale::SaleId, time::Millis};
use urr_kit::{SharedClock, error::chain, state::StateError};

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

/// A sale nobody asked about for this many refreshes (10 minutes at the default) is let go.
const IDLE_REFRESHES_MAX: u32 = 800;

/// Bits of [`Watched::served`] that hold the position; the epoch is above. 2^40 people is more
/// than there are, and 2^24 epochs more than a sale is reopened.
const POSITION_BITS: u32 = 40;

/// The store could not say whether the sale has a room.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("too many sales were asked for at once")]
    Busy,
    #[error("the room could not be read")]
    Store(#[source] StateError),
}

/// One sale's room and how far its line was seen.
pub(crate) struct Watched {
    room: ArcSwapOption<Room>,
    /// Epoch and highest serving counter ever told, packed (see [`POSITION_BITS`]).
    served: AtomicU64,
    asked: AtomicBool,
    idle_refreshes: AtomicU32,
}

impl Watched {
    fn new(room: Room) -> Self {
        Self {
            room: ArcSwapOption::from_pointee(room),
            served: AtomicU64::new(0),
            asked: AtomicBool::new(true),
            idle_refreshes: AtomicU32::new(0),
        }
    }

    /// The newest known copy.
    pub(crate) fn room(&self) -> Option<Arc<Room>> {
        self.room.load_full()
    }

    /// The serving counter, never less than this process has told before for this epoch. Rates
    /// change continuously, but a copy that is up to a second old may have run ahead of a pause.
    pub(crate) fn serving(&self, room: &Room, now: Millis) -> u64 {
        const MASK: u64 = (1 << POSITION_BITS) - 1;
        let told = u64::from(room.epoch) << POSITION_BITS | room.serving(now).min(MASK);
        let before = self.served.load(Ordering::Acquire);
        // Written only when it rises: most polls see a counter another poll has just told.
        let highest = if told > before {
            self.served.fetch_max(told, Ordering::AcqRel).max(told)
        } else {
            before
        };
        highest & MASK
    }

    /// Takes a copy in. Copies race (a refresh against the answer of a join), so the newest wins
    /// by (epoch, revision), and `issued` never falls within an epoch.
    fn absorb(&self, new: &Room) {
        self.room.rcu(|old| match old {
            None => Some(Arc::new(new.clone())),
            Some(old) => match new.epoch.cmp(&old.epoch) {
                std::cmp::Ordering::Less => Some(Arc::clone(old)),
                std::cmp::Ordering::Greater => Some(Arc::new(new.clone())),
                std::cmp::Ordering::Equal => {
                    let newest = if new.revision >= old.revision { new } else { &**old };
                    let issued = new.issued.max(old.issued);
                    Some(Arc::new(Room {
                        issued,
                        ..newest.clone()
                    }))
                }
            },
        });
    }
}

/// All rooms this process watches.
pub(crate) struct RoomCache {
    store: Arc<Store>,
    clock: SharedClock,
    // Copied on insertion (rare), read without a lock (every request).
    watched: ArcSwap<HashMap<SaleId, Arc<Watched>>>,
    unknown: Mutex<HashMap<SaleId, Millis>>,
    first_reads: Semaphore,
    failing: AtomicBool,
}

impl RoomCache {
    pub(crate) fn new(store: Arc<Store>, clock: SharedClock) -> Self {
        Self {
            store,
            clock,
            watched: ArcSwap::default(),
            unknown: Mutex::default(),
            first_reads: Semaphore::new(FIRST_READS_AT_ONCE),
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
        if !watched.asked.load(Ordering::Relaxed) {
            watched.asked.store(true, Ordering::Relaxed);
        }
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
        match self.store.room(sale).await.map_err(Unavailable::Store)? {
            Some(room) => self.watch(&room).ok_or(Unavailable::Busy).map(Some),
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
            .is_some_and(|at| self.clock.now().since(*at) < UNKNOWN_MS)
    }

    fn remember_unknown(&self, sale: SaleId) {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() >= UNKNOWN_MAX {
            unknown.clear();
        }
        unknown.insert(sale, self.clock.now());
    }

    /// Refreshes every watched sale each `every` until `shutdown`.
    pub(crate) async fn keep_fresh(&self, every: Duration, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => self.refresh().await,
            }
        }
    }

    /// Reads each watched sale once.
    pub(crate) async fn refresh(&self) {
        let sales: Vec<_> = self
            .watched
            .load()
            .iter()
            .map(|(sale, watched)| (*sale, Arc::clone(watched)))
            .collect();
        stream::iter(sales)
            .for_each_concurrent(FIRST_READS_AT_ONCE, |(sale, watched)| async move {
                if watched.asked.swap(false, Ordering::Relaxed) {
                    watched.idle_refreshes.store(0, Ordering::Relaxed);
                } else if watched.idle_refreshes.fetch_add(1, Ordering::Relaxed) >= IDLE_REFRESHES_MAX {
                    return self.forget(sale);
                }
                match self.store.room(sale).await {
                    Ok(Some(room)) => {
                        watched.absorb(&room);
                        self.failing.store(false, Ordering::Relaxed);
                    }
                    Ok(None) => self.forget(sale),
                    // Said once per outage; the line goes on by its own clock.
                    Err(error) if !self.failing.swap(true, Ordering::Relaxed) => {
                        tracing::error!(%sale, error = chain(&error), "a waiting room's copy is ageing");
                    }
                    Err(_) => {}
                }
            })
            .await;
    }

    fn forget(&self, sale: SaleId) {
        self.watched.rcu(|map| {
            let mut map = HashMap::clone(map);
            map.remove(&sale);
            map
        });
    }
}
