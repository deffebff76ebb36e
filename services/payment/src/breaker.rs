//! A circuit breaker for the provider (R-RES-01): while it is down, payers are told at once instead
//! of each holding a connection for 10 seconds.
//!
//! Only availability counts: an answer that says no is an answer. Pure: `now` is passed in.

use std::collections::VecDeque;

use urr_core::time::Millis;

/// Calls looked back at.
const WINDOW: usize = 10;
/// How long the breaker stays open before it lets trials through.
const OPEN_MS: i64 = 10_000;
/// Trials let through at once when half open; all must succeed.
const TRIALS: usize = 3;
/// A call slower than this counts as slow.
const SLOW_MS: i64 = 3_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Millis,
    },
    HalfOpen {
        started: usize,
        passed: usize,
        since: Millis,
    },
}

/// How one call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    /// The provider answered, whatever it said.
    pub(crate) answered: bool,
    /// How long it took.
    pub(crate) took_ms: i64,
}

/// Counts the last calls and decides whether the next is worth making.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: State,
    calls: VecDeque<Call>,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Closed,
            calls: VecDeque::with_capacity(WINDOW),
        }
    }

    /// Whether a call may be made now. A `true` when half open takes one of the trials.
    pub(crate) fn allows(&mut self, now: Millis) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { until } if now < until => false,
            State::Open { .. } => {
                self.state = State::HalfOpen {
                    started: 1,
                    passed: 0,
                    since: now,
                };
                true
            }
            State::HalfOpen {
                started,
                passed,
                since,
            } if started < TRIALS => {
                self.state = State::HalfOpen {
                    started: started + 1,
                    passed,
                    since,
                };
                true
            }
            // A trial whose outcome never came (its task was dropped) must not close the door for
            // good: after as long as the breaker stays open, trials start anew.
            State::HalfOpen { since, .. } if now.since(since) >= OPEN_MS => {
                self.state = State::HalfOpen {
                    started: 1,
                    passed: 0,
                    since: now,
                };
                true
            }
            State::HalfOpen { .. } => false,
        }
    }

    /// Takes note of a call's outcome.
    pub(crate) fn record(&mut self, call: Call, now: Millis) {
        match self.state {
            State::Open { .. } => {}
            State::HalfOpen { .. } if !call.answered => self.open(now),
            State::HalfOpen {
                started,
                passed,
                since,
            } => {
                self.state = if passed + 1 >= TRIALS {
                    self.calls.clear();
                    State::Closed
                } else {
                    State::HalfOpen {
                        started,
                        passed: passed + 1,
                        since,
                    }
                };
            }
            State::Closed => {
                if self.calls.len() == WINDOW {
                    self.calls.pop_front();
                }
                self.calls.push_back(call);
                let unanswered = self.calls.iter().filter(|c| !c.answered).count();
                let slow = self.calls.iter().filter(|c| c.took_ms > SLOW_MS).count();
                if self.calls.len() == WINDOW && (unanswered * 2 >= WINDOW || slow * 5 >= WINDOW * 4) {
                    self.open(now);
                }
            }
        }
    }

    fn open(&mut self, now: Millis) {
        self.calls.clear();
        self.state = State::Open {
            until: now.plus_ms(OPEN_MS),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, Call, Millis, OPEN_MS, TRIALS, WINDOW};

    const OK: Call = Call {
        answered: true,
        took_ms: 50,
    };
    const LOST: Call = Call {
        answered: false,
        took_ms: 50,
    };
    const SLOW: Call = Call {
        answered: true,
        took_ms: 4_000,
    };

    fn after(calls: &[Call]) -> Breaker {
        let mut breaker = Breaker::new();
        for call in calls {
            breaker.record(*call, Millis(0));
        }
        breaker
    }

    #[test]
    fn it_opens_at_half_of_the_calls_unanswered_and_not_before() {
        let mut half = vec![OK; WINDOW / 2];
        half.extend([LOST; WINDOW / 2 - 1]);
        let mut breaker = after(&half);
        assert!(breaker.allows(Millis(0)));
        breaker.record(LOST, Millis(0));
        assert!(!breaker.allows(Millis(OPEN_MS - 1)));
    }

    #[test]
    fn it_opens_when_four_of_five_calls_are_slow() {
        let mut calls = vec![OK, OK];
        calls.extend([SLOW; 8]);
        assert!(!after(&calls).allows(Millis(0)));
    }

    #[test]
    fn three_good_trials_close_it_and_a_bad_one_opens_it_again() {
        let mut breaker = after(&[LOST; WINDOW]);
        let later = Millis(OPEN_MS);
        for _ in 0..TRIALS {
            assert!(breaker.allows(later));
        }
        assert!(!breaker.allows(later), "a fourth trial passed");
        for _ in 0..TRIALS {
            breaker.record(OK, later);
        }
        assert!(breaker.allows(later));

        let mut breaker = after(&[LOST; WINDOW]);
        assert!(breaker.allows(later));
        breaker.record(LOST, later);
        assert!(!breaker.allows(later));
    }

    #[test]
    fn trials_that_never_report_do_not_keep_it_closed_to_payers_for_ever() {
        let mut breaker = after(&[LOST; WINDOW]);
        while breaker.allows(Millis(OPEN_MS)) {}
        assert!(breaker.allows(Millis(2 * OPEN_MS)));
    }
}
