//! The circuit breaker for the provider: while it is down, payers are told at once instead of each
//! holding a connection for 10 seconds.
//!
//! Only availability counts: an answer that says no is an answer (R-RES-01, C§15.23), or a few refused
//! refunds would stop the sale. The kit's breaker, which counts in instants, on the service's clock.

use std::time::{Duration, Instant};

use urr_core::time::Millis;
use urr_kit::internal::breaker::{Breaker, Limits, Outcome};

/// The gateway's (R-PAY-08): 100 calls, half of them lost, 10 trials. It rests for 2 s at first and 10 at
/// most, as the gateway's does: the 60 s of S4 are longer than the rush of an opening. Slow is no
/// failure here: a card company may take its ten seconds.
const LIMITS: Limits = Limits {
    calls: 100,
    failures: 50,
    slow_calls: usize::MAX,
    slow: Duration::MAX,
    open: Duration::from_secs(2),
    open_max: Duration::from_secs(10),
    trials: 10,
};

/// Counts the last calls and decides whether the next is worth making.
#[derive(Debug)]
pub(crate) struct ProviderBreaker {
    breaker: Breaker,
    /// An instant and what the clock showed then.
    started: (Instant, Millis),
}

impl ProviderBreaker {
    pub(crate) fn new(now: Millis) -> Self {
        Self {
            breaker: Breaker::new(LIMITS),
            started: (Instant::now(), now),
        }
    }

    /// Whether a call may be made now.
    pub(crate) fn allows(&mut self, now: Millis) -> bool {
        let now = self.instant(now);
        self.breaker.admits(now)
    }

    /// Takes note of a call that ended now: whether the provider answered it, whatever it said.
    pub(crate) fn record(&mut self, answered: bool, now: Millis) {
        let outcome = if answered {
            Outcome::Answered
        } else {
            Outcome::Failed
        };
        let now = self.instant(now);
        self.breaker.record(outcome, Duration::ZERO, now);
    }

    /// A clock that was set back counts as one that stood still.
    fn instant(&self, now: Millis) -> Instant {
        let (instant, then) = self.started;
        instant + Duration::from_millis(now.since(then).max(0).unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::{LIMITS, Millis, ProviderBreaker};

    fn after(lost: usize, answered: usize) -> ProviderBreaker {
        let mut breaker = ProviderBreaker::new(Millis(0));
        for _ in 0..answered {
            breaker.record(true, Millis(0));
        }
        for _ in 0..lost {
            breaker.record(false, Millis(0));
        }
        breaker
    }

    #[test]
    fn it_opens_when_half_of_a_hundred_calls_are_lost_and_not_before() {
        // R-PAY-08.
        assert!(after(49, 51).allows(Millis(0)));
        assert!(!after(50, 50).allows(Millis(0)));
        assert!(after(10, 0).allows(Millis(0)), "ten calls are internal's window");
    }

    #[test]
    fn ten_good_trials_close_it_and_a_lost_one_opens_it_again() {
        let later = Millis(2_000);
        let mut breaker = after(100, 0);
        assert!(!breaker.allows(Millis(1_999)));
        for _ in 0..LIMITS.trials {
            assert!(breaker.allows(later));
            breaker.record(true, later);
        }
        assert!(breaker.allows(later));

        let mut breaker = after(100, 0);
        assert!(breaker.allows(later));
        breaker.record(false, later);
        assert!(!breaker.allows(later));
    }
}
