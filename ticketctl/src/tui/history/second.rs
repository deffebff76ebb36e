//! The counters of one instant, and what lies between two of them.

use crate::picture::LoadView;
use urr_core::{
    crowd::{BOUNDS_MS, BUCKETS},
    effect,
    slo::Tally,
    snapshot::Snapshot,
    time::Millis,
};

/// A stretch of time: a second, or several added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Second {
    /// People who joined.
    pub(crate) joined: u64,
    /// People let in.
    pub(crate) let_in: u64,
    /// Seats sold.
    pub(crate) sold: u64,
    /// People waiting at its end.
    pub(crate) waiting: u64,
    /// Latency by step, in the order in which steps were first seen.
    pub(crate) heat: Vec<Heat>,
}

/// Requests by latency. `u32`: a column of requests beyond four billion saturates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Heat {
    counts: [u32; BUCKETS],
    /// Requests that failed.
    pub(crate) failed: u32,
}

impl Heat {
    /// Requests in bucket `bucket`.
    pub(crate) fn count(&self, bucket: usize) -> u64 {
        self.counts.get(bucket).copied().map_or(0, u64::from)
    }

    /// Requests that did not fail.
    pub(crate) fn answered(&self) -> u64 {
        self.counts.iter().copied().map(u64::from).sum()
    }

    /// Against a promise of `bound_ms`.
    pub(crate) fn tally(&self, bound_ms: u32) -> Tally {
        let slow = BOUNDS_MS.iter().take_while(|bound| **bound <= bound_ms).count();
        let slow: u64 = self.counts.iter().skip(slow).copied().map(u64::from).sum();
        Tally {
            total: self.answered() + u64::from(self.failed),
            bad: slow + u64::from(self.failed),
        }
    }

    fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine = mine.saturating_add(theirs);
        }
        self.failed = self.failed.saturating_add(other.failed);
    }
}

impl Second {
    /// Adds a later stretch.
    pub(super) fn add(&mut self, later: &Self) {
        self.joined += later.joined;
        self.let_in += later.let_in;
        self.sold += later.sold;
        self.waiting = later.waiting;
        if self.heat.len() < later.heat.len() {
            self.heat.resize(later.heat.len(), Heat::default());
        }
        for (mine, theirs) in self.heat.iter_mut().zip(&later.heat) {
            mine.add(theirs);
        }
    }

    /// Those steps together whose number passes `counts`.
    pub(super) fn sum(&self, counts: impl Fn(usize) -> bool) -> Heat {
        let mut sum = Heat::default();
        let heats = self.heat.iter().enumerate();
        heats
            .filter(|(index, _)| counts(*index))
            .for_each(|(_, heat)| sum.add(heat));
        sum
    }
}

/// Counters that only rise, at one instant.
#[derive(Debug, Clone)]
pub(super) struct Counters {
    pub(super) at: Millis,
    pub(super) epoch: u32,
    issued: u64,
    admitted: u64,
    sold: u64,
    waiting: u64,
    latency: Vec<StepCounters>,
}

#[derive(Debug, Clone, Copy, Default)]
struct StepCounters {
    buckets: [u64; BUCKETS],
    failed: u64,
}

impl Counters {
    /// A part that is missing from this snapshot keeps its last value: not knowing is not zero.
    pub(super) fn of(
        snapshot: &Snapshot,
        load: Option<&LoadView>,
        steps: &[String],
        last: Option<&Self>,
    ) -> Option<Self> {
        let (room, queue, seats) = (&snapshot.room, &snapshot.queue, &snapshot.seats);
        if room.is_none() && queue.is_none() && seats.is_none() && load.is_none() {
            return None;
        }
        let else_last =
            |known: Option<u64>, pick: fn(&Self) -> u64| known.unwrap_or_else(|| last.map_or(0, pick));
        let latency = steps.iter().enumerate().map(|(index, name)| {
            let step = load.and_then(|load| load.latency.iter().find(|step| step.name == *name));
            let before = last.and_then(|last| last.latency.get(index)).copied();
            step.map_or_else(|| before.unwrap_or_default(), StepCounters::of)
        });
        Some(Self {
            at: snapshot.at,
            epoch: room
                .as_ref()
                .map_or_else(|| last.map_or(0, |l| l.epoch), |r| r.epoch),
            issued: else_last(room.as_ref().map(|r| r.issued), |l| l.issued),
            admitted: else_last(queue.as_ref().map(|q| q.admitted_total), |l| l.admitted),
            sold: else_last(seats.as_ref().map(|s| s.sold), |l| l.sold),
            waiting: effect::waiting(snapshot),
            latency: latency.collect(),
        })
    }

    /// An average second of the `elapsed_ms` since `before`.
    pub(super) fn since(&self, before: &Self, elapsed_ms: u64) -> Second {
        let seconds = (elapsed_ms / 1000).max(1);
        let per_s = |now: u64, before: u64| now.saturating_sub(before) * 1000 / elapsed_ms;
        // What is shown as heat are shares, so whole counts spread over a gap's seconds will do;
        // rounding up keeps a single request visible.
        let share = |now: u64, before: u64| {
            u32::try_from(now.saturating_sub(before).div_ceil(seconds)).unwrap_or(u32::MAX)
        };
        let nothing = StepCounters::default();
        let heat = self.latency.iter().enumerate().map(|(index, now)| {
            let before = before.latency.get(index).unwrap_or(&nothing);
            let mut heat = Heat {
                failed: share(now.failed, before.failed),
                ..Heat::default()
            };
            for (bucket, count) in heat.counts.iter_mut().enumerate() {
                *count = share(now.buckets[bucket], before.buckets[bucket]);
            }
            heat
        });
        Second {
            joined: per_s(self.issued, before.issued),
            let_in: per_s(self.admitted, before.admitted),
            sold: per_s(self.sold, before.sold),
            waiting: self.waiting,
            heat: heat.collect(),
        }
    }
}

impl StepCounters {
    fn of(step: &crate::picture::StepLatency) -> Self {
        let mut buckets = [0; BUCKETS];
        for (mine, theirs) in buckets.iter_mut().zip(&step.buckets) {
            *mine = *theirs;
        }
        Self {
            buckets,
            failed: step.errors,
        }
    }
}
