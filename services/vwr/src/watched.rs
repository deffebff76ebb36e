//! One sale as this process knows it: the newest copy of its record and how far its line was
//! seen.
//!
//! What breaks if this changes: `serving` must never go back within a process (law
//! `monotone-serving`), though copies arrive out of order and rates change; see
//! [`Watched::absorb`] and [`Watched::serving`].

use crate::line::Line;
use arc_swap::{ArcSwap, Guard};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};
use tokio::sync::{Mutex, OwnedMutexGuard};
use urr_core::{draw::Places, room::Room, sale::SaleId, time::Millis};

/// Bits of [`Watched::served`] that hold the position; the epoch is above. Ids carry no more.
const POSITION_BITS: u32 = 32;
const POSITION_MASK: u64 = (1 << POSITION_BITS) - 1;

/// Orders first by epoch, then by position.
fn packed(epoch: u32, position: u64) -> u64 {
    u64::from(epoch) << POSITION_BITS | position.min(POSITION_MASK)
}

/// A copy of a record, with what follows from it.
pub(crate) struct Known {
    pub(crate) room: Room,
    /// How numbers become places; made once per draw, for it holds a key schedule.
    pub(crate) places: Arc<Places>,
}

impl Known {
    fn of(room: Room) -> Self {
        Self {
            places: Arc::new(room.places()),
            room,
        }
    }
}

/// One sale's room, its line in this process, and how far it was seen.
pub(crate) struct Watched {
    pub(crate) sale: SaleId,
    pub(crate) line: Line,
    known: ArcSwap<Known>,
    /// Epoch and highest serving counter ever told, packed (see [`POSITION_BITS`]).
    served: AtomicU64,
    /// Highest number that somebody showed and the record did not know, below the epoch of the copy
    /// that did not know it, packed alike: what one line did not know says nothing about the next.
    unheard: AtomicU64,
    asked: AtomicBool,
    idle_refreshes: AtomicU32,
    refreshing: Arc<Mutex<()>>,
}

impl Watched {
    pub(crate) fn new(room: Room) -> Self {
        Self {
            sale: room.sale,
            line: Line::new(),
            known: ArcSwap::from_pointee(Known::of(room)),
            served: AtomicU64::new(0),
            unheard: AtomicU64::new(0),
            asked: AtomicBool::new(true),
            idle_refreshes: AtomicU32::new(0),
            refreshing: Arc::default(),
        }
    }

    /// The newest copy, for a moment: costs no reference count.
    pub(crate) fn known(&self) -> Guard<Arc<Known>> {
        self.known.load()
    }

    /// The newest copy, to keep while waiting for something.
    pub(crate) fn known_arc(&self) -> Arc<Known> {
        self.known.load_full()
    }

    /// The serving counter, never less than this process has told before for this epoch. Rates
    /// change continuously, but a copy that is up to a second old may have run ahead of a pause.
    pub(crate) fn serving(&self, room: &Room, now: Millis) -> u64 {
        let told = packed(room.epoch, room.serving(now));
        let before = self.served.load(Ordering::Acquire);
        // Written only when it rises: most polls see a counter another poll has just told.
        let highest = if told > before {
            self.served.fetch_max(told, Ordering::AcqRel).max(told)
        } else {
            before
        };
        highest & POSITION_MASK
    }

    /// Takes a copy in. Copies race (a refresh against the answer of a join), so the newest wins
    /// by (epoch, revision), and `issued` and `blocks` never fall within an epoch.
    pub(crate) fn absorb(&self, new: &Room) {
        self.known.rcu(|old| match new.epoch.cmp(&old.room.epoch) {
            std::cmp::Ordering::Less => Arc::clone(old),
            std::cmp::Ordering::Greater => Arc::new(Known::of(new.clone())),
            std::cmp::Ordering::Equal => {
                let newest = if new.revision >= old.room.revision {
                    new
                } else {
                    &old.room
                };
                let room = Room {
                    issued: new.issued.max(old.room.issued),
                    blocks: new.blocks.max(old.room.blocks),
                    ..newest.clone()
                };
                Arc::new(
                    if (room.ordering, room.draw) == (old.room.ordering, old.room.draw) {
                        Known {
                            places: Arc::clone(&old.places),
                            room,
                        }
                    } else {
                        Known::of(room)
                    },
                )
            }
        });
    }

    /// Notes a genuine number that `room` does not know.
    pub(crate) fn hear(&self, room: &Room, number: u64) {
        self.unheard
            .fetch_max(packed(room.epoch, number), Ordering::Relaxed);
    }

    /// The highest number heard of beyond what `room` knows, by copies of this epoch. What copies
    /// of an earlier one did not know is shown again if it counts here: its holder goes on polling.
    pub(crate) fn unheard_by(&self, room: &Room) -> Option<u64> {
        let heard = self.unheard.load(Ordering::Relaxed);
        let is_of_this_line = heard >> POSITION_BITS == u64::from(room.epoch);
        Some(heard & POSITION_MASK).filter(|number| is_of_this_line && *number > room.issued)
    }

    /// Somebody asked about this sale.
    pub(crate) fn touch(&self) {
        if !self.asked.load(Ordering::Relaxed) {
            self.asked.store(true, Ordering::Relaxed);
        }
    }

    /// The turn to refresh this sale, unless somebody has it.
    pub(crate) fn begin_refresh(&self) -> Option<OwnedMutexGuard<()>> {
        Arc::clone(&self.refreshing).try_lock_owned().ok()
    }

    /// Refreshes since somebody last asked.
    pub(crate) fn count_idle(&self) -> u32 {
        if self.asked.swap(false, Ordering::Relaxed) {
            self.idle_refreshes.store(0, Ordering::Relaxed);
            return 0;
        }
        self.idle_refreshes.fetch_add(1, Ordering::Relaxed) + 1
    }
}
