//! The breaker of calls between services (R-RES-01): who keeps failing is left alone for a while,
//! so that its callers fail fast and it can get up.
//!
//! A pure state machine: instants come in, decisions go out. An answer with a 4xx is a success: the
//! other side works and says no (api-contract.md section 15, quirk 23).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// When a breaker opens and closes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls looked at.
    pub calls: usize,
    /// Open at this many failures among them.
    pub failures: usize,
    /// Open at this many slow calls among them.
    pub slow_calls: usize,
    /// Slow is longer than this.
    pub slow: Duration,
    /// How long it is left alone the first time; twice as long each time the trials fail.
    pub open: Duration,
    /// The longest it is left alone.
    pub open_max: Duration,
    /// Calls let through to see whether it is back.
    pub trials: u32,
}

/// Calls between services: 10 calls, 50 % failures, 80 % slow, 10 s, 3 trials (R-RES-01). The
/// client's own timeout is as long as slow is, so slow is mostly a timeout.
const INTERNAL: Limits = Limits {
    calls: 10,
    failures: 5,
    slow_calls: 8,
    slow: Duration::from_secs(3),
    open: Duration::from_secs(10),
    open_max: Duration::from_secs(10),
    trials: 3,
};

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It works, even if it said no.
    Answered,
    /// It does not.
    Failed,
}

#[derive(Debug)]
enum State {
    /// Calls go through.
    Closed,
    /// No call goes through before this instant.
    Open(Instant),
    /// So many trials may still begin; so many have succeeded.
    Trying { left: u32, succeeded: u32 },
}

/// One callee's breaker.
#[derive(Debug)]
pub struct Breaker {
    limits: Limits,
    state: State,
    /// (failed, slow) of the last calls while closed.
    window: VecDeque<(bool, bool)>,
    /// How long it will be left alone the next time.
    rest: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new(INTERNAL)
    }
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Closed,
            window: VecDeque::with_capacity(limits.calls),
            rest: limits.open,
        }
    }

    /// Whether a call may be made now. A `true` must be followed by [`Breaker::record`], unless the
    /// caller goes away; then the trial counts as lost and another is granted after [`Limits::open`].
    pub fn admits(&mut self, now: Instant) -> bool {
        if let State::Open(until) = self.state
            && now >= until
        {
            self.state = State::Trying {
                left: self.limits.trials,
                succeeded: 0,
            };
        }
        match &mut self.state {
            State::Closed => true,
            State::Open(_) => false,
            State::Trying { left: 0, .. } => {
                // All trials are out; if none comes back, try again later.
                self.state = State::Open(now + self.rest);
                false
            }
            State::Trying { left, .. } => {
                *left -= 1;
                true
            }
        }
    }

    /// What became of a call that was admitted, how long it took, and when it ended.
    pub fn record(&mut self, outcome: Outcome, took: Duration, now: Instant) {
        let (failed, slow) = (outcome == Outcome::Failed, took >= self.limits.slow);
        match &mut self.state {
            State::Closed => {
                if self.window.len() == self.limits.calls {
                    self.window.pop_front();
                }
                self.window.push_back((failed, slow));
                let failures = self.window.iter().filter(|(failed, _)| *failed).count();
                let slows = self.window.iter().filter(|(_, slow)| *slow).count();
                let full = self.window.len() == self.limits.calls;
                if full && (failures >= self.limits.failures || slows >= self.limits.slow_calls) {
                    self.open(now);
                }
            }
            State::Trying { .. } if failed || slow => self.open(now),
            State::Trying { succeeded, .. } => {
                *succeeded += 1;
                if *succeeded == self.limits.trials {
                    self.state = State::Closed;
                    self.rest = self.limits.open;
                }
            }
            // A straggler from before: if it succeeded it says nothing about now.
            State::Open(_) => {}
        }
    }

    fn open(&mut self, now: Instant) {
        self.window.clear();
        self.state = State::Open(now + self.rest);
        self.rest = (self.rest * 2).min(self.limits.open_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUICK: Duration = Duration::from_millis(5);

    fn opened(at: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..INTERNAL.calls {
            assert!(breaker.admits(at));
            breaker.record(Outcome::Failed, QUICK, at);
        }
        breaker
    }

    #[test]
    fn half_failures_among_ten_calls_open_it_and_fewer_do_not() {
        let now = Instant::now();
        for (failures, open) in [(4, false), (5, true)] {
            let mut breaker = Breaker::default();
            for call in 0..INTERNAL.calls {
                let outcome = if call < failures {
                    Outcome::Failed
                } else {
                    Outcome::Answered
                };
                breaker.record(outcome, QUICK, now);
            }
            assert_eq!(!breaker.admits(now), open, "{failures} failures");
        }
    }

    #[test]
    fn slow_answers_open_it_too() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..INTERNAL.calls {
            breaker.record(Outcome::Answered, INTERNAL.slow, now);
        }
        assert!(!breaker.admits(now));
    }

    #[test]
    fn after_ten_seconds_three_good_trials_close_it_and_one_bad_keeps_it_open() {
        let start = Instant::now();
        let mut breaker = opened(start);
        assert!(!breaker.admits(start + INTERNAL.open - QUICK));
        let later = start + INTERNAL.open;
        for _ in 0..INTERNAL.trials {
            assert!(breaker.admits(later));
        }
        assert!(!breaker.admits(later), "a fourth trial");
        let mut breaker = opened(start);
        for _ in 0..INTERNAL.trials {
            assert!(breaker.admits(later));
            breaker.record(Outcome::Answered, QUICK, later);
        }
        assert!(matches!(breaker.state, State::Closed));
        let mut breaker = opened(start);
        assert!(breaker.admits(later));
        breaker.record(Outcome::Failed, QUICK, later);
        assert!(!breaker.admits(later));
    }

    #[test]
    fn who_stays_down_is_left_alone_longer_each_time_up_to_the_longest() {
        let limits = Limits {
            open: Duration::from_secs(2),
            open_max: Duration::from_secs(10),
            trials: 1,
            ..INTERNAL
        };
        let mut now = Instant::now();
        let mut breaker = Breaker::new(limits);
        for _ in 0..limits.calls {
            breaker.record(Outcome::Failed, QUICK, now);
        }
        for rest_s in [2, 4, 8, 10, 10] {
            now += Duration::from_secs(rest_s) - QUICK;
            assert!(!breaker.admits(now), "before {rest_s} s");
            now += QUICK;
            assert!(breaker.admits(now), "after {rest_s} s");
            breaker.record(Outcome::Failed, QUICK, now);
        }
        now += Duration::from_secs(10);
        assert!(breaker.admits(now));
        breaker.record(Outcome::Answered, QUICK, now);
        assert_eq!(breaker.rest, limits.open);
    }

    proptest! {
        #[test]
        fn it_never_stays_shut_for_good(steps in prop::collection::vec((any::<bool>(), 0u64..5000), 0..200)) {
            // Whatever happened, after two waits a callee that works again is called again.
            let mut now = Instant::now();
            let mut breaker = Breaker::default();
            for (fails, ms) in steps {
                now += Duration::from_millis(ms);
                if breaker.admits(now) && ms % 7 != 0 {
                    let outcome = if fails { Outcome::Failed } else { Outcome::Answered };
                    breaker.record(outcome, QUICK, now);
                }
            }
            let mut admitted = false;
            for _ in 0..3 {
                admitted |= breaker.admits(now);
                now += INTERNAL.open;
            }
            prop_assert!(admitted);
        }
    }
}
