//! One sale's joins, appended to its ledger in groups (docs/decisions/0007).
//!
//! One DynamoDB item takes a thousand writes a second, so numbers are taken in blocks: the next
//! block is whoever came while the last one was being written. A block is a list of visitor keys
//! and is written in one transaction with the counter, under the condition that its writer has seen
//! every block before it. So at the moment of numbering this process knows of everybody in line: a
//! visitor cannot get a second place (law `one-place`), and there is nothing to look up, record or
//! repair afterwards. Joins are numbered in the order of their arrival (law `fair-order`).
//!
//! Nobody is told a place before it is written. A crash at any point loses no place anyone knows
//! of, and leaves no hole: either the block is there, and the retry finds it, or it is not, and the
//! number is the next visitor's.

mod inbox;
mod index;
mod ledger;
mod number;
mod pace;

pub(crate) use inbox::Numbered;

use crate::{store::Store, visitor::Visitor, watched::Watched};
use inbox::{Answer, Inbox};
use ledger::Ledger;
use metrics::{Counter, Histogram, counter, histogram};
use pace::Pace;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use urr_core::{room::Refusal, token::Keyring};
use urr_kit::SharedClock;

/// Why a join got no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPlace {
    /// The room takes nobody.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// More joins wait than can be answered in time, or the line is as long as it can be.
    #[error("too many joins wait")]
    Full,
    /// The store did not do it; logged where it happened. Whether a place was recorded is
    /// unknown, and the retry will find out.
    #[error("the store did not take the join")]
    Store,
}

/// Guards that tests switch off one by one, to see their law broken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guards {
    /// Who is in the ledger is told the place that is there.
    pub(crate) ledger: bool,
    /// One draw per line: the store lets one replica close it.
    pub(crate) one_draw: bool,
}

impl Guards {
    pub(crate) const ON: Self = Self {
        ledger: true,
        one_draw: true,
    };

    /// Numbers without a look at who has one.
    pub(crate) const NO_LEDGER: Self = Self {
        ledger: false,
        ..Self::ON
    };
}

/// What every line of this process shares.
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: SharedClock,
    pub(crate) keys: Keyring,
    /// Tells this process's blocks from others'.
    pub(crate) writer: u64,
    /// Joins one line may hold: beyond it a join would outwait its client.
    pub(crate) joins_max: usize,
    /// A join older than this is told that the store does not take it.
    pub(crate) patience: Duration,
    pub(crate) guards: Guards,
    pub(crate) meters: Meters,
}

/// Counters made once: looking one up costs more than counting.
pub(crate) struct Meters {
    joins: Counter,
    repeats: Counter,
    batches: Counter,
    batch_size: Histogram,
    conflicts: Counter,
    refusals: Counter,
    pub(crate) holes: Counter,
}

impl Meters {
    pub(crate) fn new() -> Self {
        Self {
            joins: counter!("urr_vwr_joins_total"),
            repeats: counter!("urr_vwr_repeated_joins_total"),
            batches: counter!("urr_vwr_batches_total"),
            batch_size: histogram!("urr_vwr_batch_size"),
            conflicts: counter!("urr_vwr_append_conflicts_total"),
            refusals: counter!("urr_vwr_append_refusals_total"),
            holes: counter!("urr_vwr_holes_total"),
        }
    }
}

/// The joins of one sale in this process.
pub(crate) struct Line {
    inbox: Mutex<Inbox>,
    ledger: RwLock<Ledger>,
    /// One reader of blocks at a time.
    reading: tokio::sync::Mutex<()>,
    pace: Mutex<Pace>,
    /// Somebody joined here, so the ledger is worth following.
    used: AtomicBool,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self {
            inbox: Mutex::default(),
            ledger: RwLock::new(Ledger::new()),
            reading: tokio::sync::Mutex::default(),
            pace: Mutex::default(),
            used: AtomicBool::new(false),
        }
    }

    /// Nothing in here panics while a lock is held; a poisoned one is as good as any.
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger(&self) -> RwLockReadGuard<'_, Ledger> {
        self.ledger.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger_mut(&self) -> RwLockWriteGuard<'_, Ledger> {
        self.ledger.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody is being numbered.
    pub(crate) fn is_idle(&self) -> bool {
        self.inbox().is_idle()
    }

    /// Whether anybody ever joined through this process.
    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Gives the memory of a line that takes nobody any more back. It can be read again.
    pub(crate) fn forget(&self) {
        if self.is_idle() && self.used.swap(false, Ordering::Relaxed) {
            *self.ledger_mut() = Ledger::new();
        }
    }

    /// Places in memory.
    pub(crate) fn places_held(&self) -> usize {
        self.ledger().len()
    }
}

impl Watched {
    /// Takes `visitor`'s place in the line, or finds the one they have.
    ///
    /// # Errors
    /// [`NoPlace`]. Dropping the future does not take the join back.
    pub(crate) async fn join(self: &Arc<Self>, shared: &Arc<Shared>, visitor: Visitor<'_>) -> Answer {
        let key = visitor.key(self.sale);
        let now = shared.clock.now();
        let answer = {
            let known = self.known();
            let room = &known.room;
            if shared.guards.ledger
                && let Some(number) = self.line.ledger().find(room.epoch, &key)
            {
                shared.meters.repeats.increment(1);
                return Ok(Numbered {
                    number,
                    epoch: room.epoch,
                });
            }
            match room.admits_joins(now) {
                // Takes nobody new, but who has a place is told it again; numbering refuses the
                // rest once it has seen the whole ledger.
                Err(Refusal::Draining | Refusal::Restoring) if visitor != Visitor::Anonymous => {}
                checked => checked?,
            }
            let (answer, must_number) = self.line.inbox().accept(key, now, shared.joins_max)?;
            if must_number {
                self.line.used.store(true, Ordering::Relaxed);
                tokio::spawn(Arc::clone(self).number_all(Arc::clone(shared)));
            }
            answer
        };
        shared.meters.joins.increment(1);
        answer.await.unwrap_or(Err(NoPlace::Store))
    }

    /// The number that the ledger has for `visitor`, read to its end first: for support.
    pub(crate) async fn look_up(
        &self,
        shared: &Shared,
        visitor: Visitor<'_>,
    ) -> Result<Option<Numbered>, urr_kit::state::StateError> {
        let known = self.known_arc();
        self.catch_up(shared, &known.room, crate::store::Op::BlocksFollow)
            .await?;
        let epoch = known.room.epoch;
        let number = self.line.ledger().find(epoch, &visitor.key(self.sale));
        Ok(number.map(|number| Numbered { number, epoch }))
    }
}
