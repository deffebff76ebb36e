//! When people come, as counts or as instants. Core knows no scenarios: whoever has a curve
//! integrates it here or hands over the instants it will use itself.

use super::dice::{Dice, Purpose};

/// Arrivals, in ms from the opening; negative before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrivals {
    /// Every single one, in any order.
    Instants(Vec<i64>),
    /// Counts per bucket of time; within a bucket people come at random.
    Counts {
        /// Start of the first bucket.
        from_ms: i64,
        /// Length of each bucket, at least 1.
        bucket_ms: u32,
        /// How many come in each.
        counts: Vec<u32>,
    },
}

impl Arrivals {
    /// `visitors` people along `curve`, a rate (of any scale) over the time from the opening in
    /// ms, in buckets of 100 ms from `from_ms` to `to_ms`. Exactly as many come as asked.
    #[must_use]
    pub fn along(visitors: u32, from_ms: i64, to_ms: i64, curve: impl Fn(f64) -> f64) -> Self {
        const BUCKET_MS: u32 = 100;
        let length_ms = to_ms.saturating_sub(from_ms).max(1).unsigned_abs();
        let buckets = length_ms.div_ceil(u64::from(BUCKET_MS));
        let heights: Vec<f64> = (0..buckets)
            .map(|bucket| curve(from_ms as f64 + (bucket as f64 + 0.5) * f64::from(BUCKET_MS)).max(0.0))
            .collect();
        let area: f64 = heights.iter().sum();
        let mut come = 0;
        let mut below = 0.0;
        let counts = heights
            .iter()
            .map(|height| {
                below += height;
                // Of no area at all everybody comes in the first bucket.
                let share = if area > 0.0 { below / area } else { 1.0 };
                #[expect(clippy::cast_possible_truncation, reason = "at most `visitors`, a u32")]
                let by_now = (share * f64::from(visitors)).round().min(f64::from(visitors)) as u32;
                let count = by_now.saturating_sub(come);
                come = come.max(by_now);
                count
            })
            .collect();
        Self::Counts {
            from_ms,
            bucket_ms: BUCKET_MS,
            counts,
        }
    }

    /// How many come.
    #[must_use]
    pub fn visitors(&self) -> u64 {
        match self {
            Self::Instants(instants) => instants.len() as u64,
            Self::Counts { counts, .. } => counts.iter().map(|count| u64::from(*count)).sum(),
        }
    }

    /// Every arrival in ms from the opening, sorted; `nth` keeps curves apart. Beyond 24 days either way is cut off there.
    pub(super) fn instants(&self, seed: u64, nth: usize) -> Vec<i32> {
        let fit = |ms: i64| i32::try_from(ms).unwrap_or(if ms < 0 { i32::MIN } else { i32::MAX });
        let mut instants: Vec<i32> = match self {
            Self::Instants(instants) => instants.iter().map(|ms| fit(*ms)).collect(),
            Self::Counts {
                from_ms,
                bucket_ms,
                counts,
            } => {
                let mut instants = Vec::with_capacity(usize::try_from(self.visitors()).unwrap_or(0));
                let mut dice = Dice::of(seed, nth, Purpose::Arrivals);
                let mut start_ms = *from_ms;
                for count in counts {
                    for _ in 0..*count {
                        let within = dice.below(*bucket_ms as usize) as i64;
                        instants.push(fit(start_ms.saturating_add(within)));
                    }
                    start_ms = start_ms.saturating_add(i64::from(*bucket_ms));
                }
                instants
            }
        };
        if !instants.is_sorted() {
            instants.sort_unstable();
        }
        instants
    }
}
