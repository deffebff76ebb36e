//! Faults around the real emulator: what a network and a loaded DynamoDB do, on demand. And exact
//! counts of calls, because tests hold promises to them.

use super::Op;
use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use urr_core::{room::Room, sale::SaleId};
use urr_kit::state::StateError;

/// What happens to one append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The store asks to be asked less; nothing is written.
    Throttled,
    /// The store fails before it writes.
    Failed,
    /// It is written, and the answer is lost on the way.
    AnswerLost,
    /// It is written, and whoever asked is dead before the answer comes.
    KilledAfter,
    /// The wire delivers it twice: once now, and then as if nothing had happened.
    Twice,
}

/// The faults to come, in order, and what was counted.
#[derive(Default)]
pub(crate) struct Faults {
    coming: Mutex<VecDeque<Fault>>,
    stuck: Mutex<Vec<(Op, SaleId)>>,
    calls: AtomicU64,
    by_op: [AtomicU64; super::OPS.len()],
    item_writes: AtomicU64,
}

impl Faults {
    /// The next appends meet these.
    pub(crate) fn expect(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut coming = self.coming.lock().unwrap_or_else(PoisonError::into_inner);
        coming.extend(faults);
    }

    /// Every call of this kind for this sale is stuck from now on.
    pub(crate) fn stick(&self, op: Op, sale: SaleId) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        stuck.push((op, sale));
    }

    /// Does not come back if the call is stuck.
    pub(super) async fn pass(&self, op: Op, sale: SaleId) {
        let is_stuck = {
            let stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
            stuck.contains(&(op, sale))
        };
        if is_stuck {
            std::future::pending::<()>().await;
        }
    }

    /// Calls so far, of all kinds.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Calls of one kind so far.
    pub(crate) fn calls_of(&self, op: Op) -> u64 {
        self.by_op[op as usize].load(Ordering::Relaxed)
    }

    /// Items written or tried to be so far.
    pub(crate) fn item_writes(&self) -> u64 {
        self.item_writes.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, op: Op) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.by_op[op as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_writes(&self, items: u64) {
        self.item_writes.fetch_add(items, Ordering::Relaxed);
    }

    /// Does to the append what is due; `Ok` lets the caller go on to the store.
    pub(super) async fn around_append<F>(&self, seen: &Room, append: impl Fn() -> F) -> Result<(), StateError>
    where
        F: Future<Output = Result<Room, StateError>>,
    {
        self.pass(Op::Append, seen.sale).await;
        let next = self
            .coming
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let failed = || StateError::Dynamo {
            what: "append to the ledger",
            source: "the connection was reset".into(),
        };
        match next {
            None => Ok(()),
            Some(Fault::Throttled) => Err(StateError::Busy {
                what: "append to the ledger",
            }),
            Some(Fault::Failed) => Err(failed()),
            Some(Fault::AnswerLost) => {
                append().await?;
                Err(failed())
            }
            Some(Fault::KilledAfter) => {
                append().await?;
                std::future::pending().await
            }
            Some(Fault::Twice) => append().await.map(drop),
        }
    }
}
