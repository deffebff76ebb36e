//! The breaker of calls between services (R-RES-01): who keeps failing is left alone for a while,
//! so that its callers fail fast and it can get up.
//!
//! A pure state machine: instants come in, decisions go out. An answer with a 4xx is a success: the
//! other side works and says no (api-contract.md section 15, quirk 23).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Calls looked at.
const WINDOW: usize = 10;
/// Open at this many failures among them: 50 %.
const FAILURES_MAX: usize = 5;
/// Open at this many slow calls among them: 80 %.
const SLOW_MAX: usize = 8;
/// Slow is longer than this. The client's own timeout is as long, so slow is mostly a timeout.
const SLOW: Duration = Duration::from_secs(3);
/// How long it is left alone.
const OPEN: Duration = Duration::from_secs(10);
/// Calls let through to see whether it is back.
const TRIALS: u32 = 3;

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
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
pub(super) struct Breaker {
    state: State,
    /// (failed, slow) of the last calls while closed.
    window: VecDeque<(bool, bool)>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: State::Closed,
            window: VecDeque::with_capacity(WINDOW),
        }
    }
}

impl Breaker {
    /// Whether a call may be made now. A `true` must be followed by [`Breaker::record`], unless the
    /// caller goes away; then the trial counts as lost and another is granted after [`OPEN`].
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        if let State::Open(until) = self.state
            && now >= until
        {
            self.state = State::Trying {
                left: TRIALS,
                succeeded: 0,
            };
        }
        match &mut self.state {
            State::Closed => true,
            State::Open(_) => false,
            State::Trying { left: 0, .. } => {
                // All trials are out; if none comes back, try again later.
                self.state = State::Open(now + OPEN);
                false
            }
            State::Trying { left, .. } => {
                *left -= 1;
                true
            }
        }
    }

    pub(super) fn record(&mut self, outcome: Outcome, took: Duration, now: Instant) {
        let (failed, slow) = (outcome == Outcome::Failed, took >= SLOW);
        match &mut self.state {
            State::Closed => {
                if self.window.len() == WINDOW {
                    self.window.pop_front();
                }
                self.window.push_back((failed, slow));
                let failures = self.window.iter().filter(|(failed, _)| *failed).count();
                let slows = self.window.iter().filter(|(_, slow)| *slow).count();
                let full = self.window.len() == WINDOW;
                if full && (failures >= FAILURES_MAX || slows >= SLOW_MAX) {
                    self.open(now);
                }
            }
            State::Trying { .. } if failed || slow => self.open(now),
            State::Trying { succeeded, .. } => {
                *succeeded += 1;
                if *succeeded == TRIALS {
                    self.state = State::Closed;
                }
            }
            // A straggler from before: if it succeeded it says nothing about now.
            State::Open(_) => {}
        }
    }

    fn open(&mut self, now: Instant) {
        self.window.clear();
        self.state = State::Open(now + OPEN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUICK: Duration = Duration::from_millis(5);

    fn opened(at: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..WINDOW {
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
            for call in 0..WINDOW {
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
        for _ in 0..WINDOW {
            breaker.record(Outcome::Answered, SLOW, now);
        }
        assert!(!breaker.admits(now));
    }

    #[test]
    fn after_ten_seconds_three_good_trials_close_it_and_one_bad_keeps_it_open() {
        let start = Instant::now();
        let mut breaker = opened(start);
        assert!(!breaker.admits(start + OPEN - QUICK));
        let later = start + OPEN;
        for _ in 0..TRIALS {
            assert!(breaker.admits(later));
        }
        assert!(!breaker.admits(later), "a fourth trial");
        let mut breaker = opened(start);
        for _ in 0..TRIALS {
            assert!(breaker.admits(later));
            breaker.record(Outcome::Answered, QUICK, later);
        }
        assert!(matches!(breaker.state, State::Closed));
        let mut breaker = opened(start);
        assert!(breaker.admits(later));
        breaker.record(Outcome::Failed, QUICK, later);
        assert!(!breaker.admits(later));
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
                now += OPEN;
            }
            prop_assert!(admitted);
        }
    }
}
