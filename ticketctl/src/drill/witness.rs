//! What the drill itself saw and the stores do not keep: the snapshots, and from when to when the
//! capacity behind the door was ready. Evidence for the audit, pictures for the report.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use urr_core::{
    audit::{ReadySeen, SeatsSeen},
    snapshot::Snapshot,
    time::Millis,
};

/// An hour of two snapshots a second. A longer run is thinned out, never cut off: every second
/// picture goes, and half as many are taken from then on.
const SNAPSHOTS_KEPT: usize = 7_200;

/// Takes notes from everywhere. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Witness(Arc<Mutex<Notes>>);

#[derive(Debug, Clone)]
struct Notes {
    replicas: u32,
    ready: Vec<ReadySeen>,
    snapshots: Vec<Snapshot>,
    /// Of so many snapshots one is kept.
    every: usize,
    came: usize,
}

impl Witness {
    /// All `replicas` of the scenario's capacity are ready from `now` on.
    pub(super) fn new(now: Millis, replicas: u32) -> Self {
        Self(Arc::new(Mutex::new(Notes {
            replicas,
            ready: vec![ReadySeen { at: now, replicas }],
            snapshots: Vec::new(),
            every: 1,
            came: 0,
        })))
    }

    /// A service behind the door was killed: none is ready.
    pub(super) fn capacity_lost(&self, at: Millis) {
        self.notes().ready.push(ReadySeen { at, replicas: 0 });
    }

    /// It is back.
    pub(super) fn capacity_back(&self, at: Millis) {
        let mut notes = self.notes();
        let replicas = notes.replicas;
        notes.ready.push(ReadySeen { at, replicas });
    }

    /// A snapshot came.
    pub(super) fn snapshot(&self, snapshot: &Snapshot) {
        self.notes().take(snapshot);
    }

    /// Changes of readiness, in time order.
    pub(super) fn ready(&self) -> Vec<ReadySeen> {
        self.notes().ready.clone()
    }

    /// The snapshots, in time order.
    pub(super) fn snapshots(&self) -> Vec<Snapshot> {
        self.notes().snapshots.clone()
    }

    /// Seat totals, in time order.
    pub(super) fn seats(&self) -> Vec<SeatsSeen> {
        let notes = self.notes();
        let seen = notes.snapshots.iter().filter_map(|snapshot| {
            let seats = snapshot.seats.as_ref()?;
            Some(SeatsSeen {
                at: snapshot.at,
                capacity: seats.capacity,
                free: seats.free,
                held: seats.held,
                sold: seats.sold,
            })
        });
        seen.collect()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn take(&mut self, snapshot: &Snapshot) {
        let wanted = self.came.is_multiple_of(self.every);
        self.came += 1;
        if !wanted {
            return;
        }
        if self.snapshots.len() == SNAPSHOTS_KEPT {
            let mut nth = 0;
            self.snapshots.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
            self.every *= 2;
        }
        self.snapshots.push(snapshot.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use urr_core::sale::Phase;

    fn at(ms: i64) -> Snapshot {
        Snapshot {
            at: Millis(ms),
            phase: Phase::Open,
            closes_at: Millis(1),
            ..Snapshot::unknown(uuid::Uuid::nil())
        }
    }

    #[test]
    fn a_long_run_is_thinned_out_and_never_cut_off() {
        let witness = Witness::new(Millis(0), 1);
        let last = 5 * SNAPSHOTS_KEPT as i64;
        for ms in 0..last {
            witness.snapshot(&at(ms));
        }
        let kept = witness.snapshots();
        assert!(kept.len() <= SNAPSHOTS_KEPT);
        assert_eq!(kept[0].at, Millis(0));
        assert!(last - kept[kept.len() - 1].at.0 <= 16);
        assert!(kept.is_sorted_by_key(|s| s.at));
    }
}
