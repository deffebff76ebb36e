//! Service levels of an opening, and how fast their error budgets burn.
//!
//! A level says that 95 % of a step's requests are answered within a bound (design.md section 5);
//! the other 5 % are its budget. Burn is the share that was too slow or failed, over that budget:
//! at 1 the budget lasts exactly as long as the opening, at 20 nothing is answered in time.

use crate::crowd::{BOUNDS_MS, StepLatency};

/// A promise about one step of the journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slo {
    /// The step's name, as the load generator and its thresholds spell it.
    pub step: &'static str,
    /// Answered within, in milliseconds; one of [`BOUNDS_MS`].
    pub bound_ms: u32,
    /// Requests out of a thousand that may take longer or fail.
    pub budget_permille: u32,
}

/// 5 %: what a promise about the 95th percentile leaves.
const P95: u32 = 50;

/// The promises of the house, in journey order.
pub const ALL: [Slo; 7] = [
    slo("join", 100),
    slo("poll", 50),
    slo("queue", 100),
    slo("queue-poll", 50),
    slo("seat-map", 300),
    slo("hold", 1_000),
    slo("confirm", 3_000),
];

const fn slo(step: &'static str, bound_ms: u32) -> Slo {
    Slo {
        step,
        bound_ms,
        budget_permille: P95,
    }
}

/// Requests, and how many of them broke the promise. Since the beginning, or between two instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// All.
    pub total: u64,
    /// Too slow, or failed.
    pub bad: u64,
}

impl Slo {
    /// The promise about the step called `name`, if there is one.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        ALL.into_iter().find(|slo| slo.step == name)
    }

    /// All requests of the step so far; `None` when their latencies were not counted.
    #[must_use]
    pub fn tally(&self, latency: &StepLatency) -> Option<Tally> {
        if latency.buckets.is_empty() {
            return None;
        }
        let within = BOUNDS_MS
            .iter()
            .take_while(|bound| **bound <= self.bound_ms)
            .count();
        let slow: u64 = latency.buckets.iter().skip(within).sum();
        let answered: u64 = latency.buckets.iter().sum();
        Some(Tally {
            total: answered.saturating_add(latency.errors),
            bad: slow.saturating_add(latency.errors),
        })
    }

    /// How fast `tally` burns the budget, in thousandths (1000: exactly sustainable); `None` when
    /// nothing was asked.
    #[must_use]
    pub fn burn_milli(&self, tally: Tally) -> Option<u64> {
        let allowed = u128::from(tally.total) * u128::from(self.budget_permille);
        let burn = (u128::from(tally.bad) * 1_000_000).checked_div(allowed)?;
        Some(u64::try_from(burn).unwrap_or(u64::MAX))
    }

    /// Percent of the budget of `tally` that is left; 0 when it is overdrawn.
    #[must_use]
    pub fn budget_left_percent(&self, tally: Tally) -> Option<u64> {
        let burnt = self.burn_milli(tally)?.div_ceil(10);
        Some(100u64.saturating_sub(burnt))
    }
}

impl Tally {
    /// What happened after `before`. Counters that fell (another run) count from nothing.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        if self.total < before.total || self.bad < before.bad {
            return self;
        }
        Self {
            total: self.total - before.total,
            bad: self.bad - before.bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crowd::BUCKETS;

    fn join(fast: u64, slow: u64, errors: u64) -> StepLatency {
        let mut buckets = vec![0; BUCKETS];
        buckets[6] = fast; // up to 100 ms
        buckets[7] = slow; // up to 200 ms
        StepLatency {
            name: "join".to_owned(),
            count: fast + slow + errors,
            errors,
            p50_ms: 0.0,
            p95_ms: 0.0,
            p99_ms: 0.0,
            buckets,
        }
    }

    #[test]
    fn every_bound_is_the_bound_of_a_bucket() {
        for slo in ALL {
            assert!(BOUNDS_MS.contains(&slo.bound_ms), "{slo:?}");
        }
    }

    #[test]
    fn slow_and_failed_requests_burn_the_budget_and_the_rest_does_not() {
        let slo = Slo::of("join").unwrap();
        let tally = slo.tally(&join(950, 40, 10)).unwrap();
        assert_eq!(tally, Tally { total: 1000, bad: 50 });
        assert_eq!(slo.burn_milli(tally), Some(1000));
        assert_eq!(slo.budget_left_percent(tally), Some(0));
        let tally = slo.tally(&join(990, 10, 0)).unwrap();
        assert_eq!(slo.burn_milli(tally), Some(200));
        assert_eq!(slo.budget_left_percent(tally), Some(80));
    }

    #[test]
    fn a_window_is_a_difference_and_nothing_asked_is_no_number() {
        let slo = Slo::of("join").unwrap();
        let before = slo.tally(&join(900, 100, 0)).unwrap();
        let after = slo.tally(&join(1900, 100, 0)).unwrap();
        assert_eq!(slo.burn_milli(after.since(before)), Some(0));
        assert_eq!(slo.burn_milli(after.since(after)), None);
        assert_eq!(before.since(after), before, "a new run begins at nothing");
        assert_eq!(
            slo.tally(&StepLatency {
                buckets: Vec::new(),
                ..join(1, 0, 0)
            }),
            None
        );
    }
}
