//! The opening over time: counts of what happened in each stretch, summed up at the end.

use super::{Point, people::People};

/// Stretches at most: enough for any chart, little enough to keep. When an opening lasts longer,
/// pairs of them become one, so that a week-long sale that sells out in a minute still shows it.
const POINTS_MAX: usize = 1200;
/// The shortest stretch.
const STEP_MS: i64 = 100;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Arrived,
    /// Joined the line; negative when leaving it.
    Waiting,
    /// Has a slot; negative when it comes back.
    Active,
    Admitted,
    Held,
    Sold,
}

/// Changes by stretch of time.
pub(super) struct Track {
    from_ms: i64,
    step_ms: i64,
    changes: Vec<[i64; 6]>,
    peak_active: u64,
    active: i64,
}

impl Track {
    pub(super) fn new(people: &People) -> Self {
        let first = people.arrive.first().map_or(0, |at| i64::from(*at));
        Self {
            from_ms: first.min(0).div_euclid(1000) * 1000,
            step_ms: STEP_MS,
            changes: vec![[0; 6]],
            peak_active: 0,
            active: 0,
        }
    }

    /// `by` more of `what` at `at_ms`.
    pub(super) fn add(&mut self, at_ms: i64, what: What, by: i64) {
        let mut index = self.index(at_ms);
        while index >= POINTS_MAX {
            self.halve();
            index = self.index(at_ms);
        }
        if index >= self.changes.len() {
            self.changes.resize(index + 1, [0; 6]);
        }
        self.changes[index][what as usize] += by;
        if what == What::Active {
            self.active += by;
            self.peak_active = self.peak_active.max(self.active.unsigned_abs());
        }
    }

    fn index(&self, at_ms: i64) -> usize {
        usize::try_from((at_ms - self.from_ms) / self.step_ms).unwrap_or(0)
    }

    fn halve(&mut self) {
        self.step_ms *= 2;
        let merged = self.changes.chunks(2).map(|pair| {
            let mut sum = pair[0];
            if let Some(second) = pair.get(1) {
                for (sum, change) in sum.iter_mut().zip(second) {
                    *sum += change;
                }
            }
            sum
        });
        self.changes = merged.collect();
    }

    /// Most people that were inside at once.
    pub(super) const fn peak_active(&self) -> u64 {
        self.peak_active
    }

    /// The sums at the end of each stretch, up to the last in which anything happened.
    pub(super) fn points(&self) -> Vec<Point> {
        let mut sums = [0_i64; 6];
        let count = |sum: i64| u64::try_from(sum).unwrap_or(0);
        (0_i64..)
            .zip(&self.changes)
            .map(|(index, changes)| {
                for (sum, change) in sums.iter_mut().zip(changes) {
                    *sum += change;
                }
                let [arrived, waiting, active, admitted, held, sold] = sums.map(count);
                Point {
                    at_ms: self.from_ms + (index + 1) * self.step_ms,
                    arrived,
                    waiting,
                    active,
                    admitted,
                    held,
                    sold,
                }
            })
            .collect()
    }
}
