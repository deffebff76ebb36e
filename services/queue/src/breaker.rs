//! While Redis is away, nobody waits for it in vain (R-QUE-13).
//!
//! A call to a Redis that is gone, or stands still, costs its timeout; a crowd that polls would pay
//! it each time and hold its connections meanwhile. So after a few calls in a row without an answer, calls on
//! behalf of visitors are refused at once. The ticker goes on asking, several times a second, and its
//! first answer closes the breaker: recovery takes as long as without one. Where no ticker asks, one
//! visitor's call goes through every [`OPEN_MS`] and tries.
//!
//! A pure state machine in one atomic word, as it lies on the path of every call: `now` comes in, no lock,
//! no allocation.

use std::sync::atomic::{AtomicU64, Ordering};
use urr_core::sale::SaleId;

/// Open after so many calls in a row without an answer. Fewer would open on the hiccup of a busy
/// machine; more would be paid for by more visitors.
pub(crate) const FAILURES: u64 = 5;
/// Left alone for so long (R-QUE-13), unless the ticker knows better.
pub(crate) const OPEN_MS: u64 = 30_000;

/// Set while open; the other bits are then the instant of the next trial, else the failures in a row.
const OPEN: u64 = 1 << 63;

/// One breaker. Instants are milliseconds of a clock that never goes back.
#[derive(Debug, Default)]
pub(crate) struct Breaker(AtomicU64);

impl Breaker {
    /// Whether a visitor's call may be made. While open this grants one trial per [`OPEN_MS`].
    pub(crate) fn admits(&self, now_ms: u64) -> bool {
        let state = self.0.load(Ordering::Relaxed);
        if state & OPEN == 0 {
            return true;
        }
        let next = OPEN | (now_ms + OPEN_MS);
        // Of several who come at that instant one gets it.
        now_ms >= state & !OPEN
            && self
                .0
                .compare_exchange(state, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// A call was answered. Whether that closed the breaker.
    pub(crate) fn answered(&self) -> bool {
        // Reading is what everybody does all the time; writing would pass the word from core to core.
        self.0.load(Ordering::Relaxed) != 0 && self.0.swap(0, Ordering::Relaxed) & OPEN != 0
    }

    /// A call got no answer. Whether that opened the breaker.
    pub(crate) fn failed(&self, now_ms: u64) -> bool {
        let count = |state: u64| match state {
            // It stays open until the instant that is set.
            open if open & OPEN != 0 => None,
            failures if failures + 1 < FAILURES => Some(failures + 1),
            _ => Some(OPEN | (now_ms + OPEN_MS)),
        };
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        before.is_ok_and(|failures| failures + 1 >= FAILURES)
    }

    /// Whether visitors' calls are refused.
    #[cfg(test)]
    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed) & OPEN != 0
    }
}

/// Breakers over all sales. Lines of a cluster lie on different nodes, and one node's failure leaves the
/// others' lines alone; sales that fall on the same one share its fate for the moment.
#[derive(Debug)]
pub(crate) struct Breakers([Breaker; 64]);

impl Default for Breakers {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Breaker::default()))
    }
}

impl Breakers {
    /// The breaker of `sale`.
    pub(crate) fn of(&self, sale: SaleId) -> &Breaker {
        // The last byte of any kind of uuid is random.
        &self.0[usize::from(sale.as_bytes()[15]) % self.0.len()]
    }

    /// Redis answers; whose node does not will tell soon enough.
    pub(crate) fn all_answered(&self) {
        for breaker in &self.0 {
            breaker.answered();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn opened(at: u64) -> Breaker {
        let breaker = Breaker::default();
        for n in 1..=FAILURES {
            assert!(breaker.admits(at));
            assert_eq!(breaker.failed(at), n == FAILURES);
        }
        breaker
    }

    #[test]
    fn while_open_one_call_per_30_s_goes_through_and_its_answer_closes_it() {
        let breaker = opened(1000);
        assert!(!breaker.admits(1000) && !breaker.admits(1000 + OPEN_MS - 1));
        assert!(breaker.admits(1000 + OPEN_MS));
        assert!(!breaker.admits(1000 + OPEN_MS), "a second trial");
        assert!(!breaker.failed(1000 + OPEN_MS));
        assert!(!breaker.admits(1000 + 2 * OPEN_MS - 1));
        assert!(breaker.admits(1000 + 2 * OPEN_MS));
        breaker.answered();
        assert!(breaker.admits(1000 + 2 * OPEN_MS) && breaker.admits(1000 + 2 * OPEN_MS));
    }

    #[test]
    fn any_answer_closes_it_at_once_whoever_asked() {
        let breaker = opened(0);
        breaker.answered();
        assert!(breaker.admits(1) && !breaker.is_open());
    }

    #[test]
    fn a_line_on_a_node_that_answers_is_left_alone() {
        let breakers = Breakers::default();
        let [dead, alive] = [SaleId::from_u128(1), SaleId::from_u128(2)];
        for _ in 0..FAILURES {
            breakers.of(dead).failed(0);
        }
        assert!(!breakers.of(dead).admits(0) && breakers.of(alive).admits(0));
        breakers.all_answered();
        assert!(breakers.of(dead).admits(0));
    }

    /// What it is to do, said as plainly as possible.
    #[derive(Default)]
    struct Model {
        failures: u64,
        next_trial: Option<u64>,
    }

    impl Model {
        fn admits(&mut self, now: u64) -> bool {
            match self.next_trial {
                None => true,
                Some(at) if now < at => false,
                Some(_) => {
                    self.next_trial = Some(now + OPEN_MS);
                    true
                }
            }
        }

        fn failed(&mut self, now: u64) {
            self.failures += 1;
            if self.failures >= FAILURES && self.next_trial.is_none() {
                self.next_trial = Some(now + OPEN_MS);
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// A visitor asks; what became of it if it may.
        Visit { answered: bool },
        /// The ticker asks, whatever the breaker says.
        Tick { answered: bool },
    }

    proptest! {
        #[test]
        fn it_does_what_the_model_does(steps in prop::collection::vec(
            (prop_oneof![
                any::<bool>().prop_map(|answered| Step::Visit { answered }),
                any::<bool>().prop_map(|answered| Step::Tick { answered }),
                Just(Step::Visit { answered: false }),
            ], 0u64..20_000), 0..200))
        {
            let (breaker, mut model, mut now) = (Breaker::default(), Model::default(), 0);
            for (step, ms) in steps {
                now += ms;
                let (asks, answered) = match step {
                    Step::Visit { answered } => {
                        let admitted = breaker.admits(now);
                        prop_assert_eq!(admitted, model.admits(now));
                        (admitted, answered)
                    }
                    Step::Tick { answered } => (true, answered),
                };
                match (asks, answered) {
                    (true, true) => {
                        prop_assert_eq!(breaker.answered(), model.next_trial.is_some());
                        model = Model::default();
                    }
                    (true, false) => {
                        breaker.failed(now);
                        model.failed(now);
                    }
                    (false, _) => {}
                }
                prop_assert_eq!(breaker.is_open(), model.next_trial.is_some());
            }
        }
    }

    #[test]
    fn of_many_who_come_when_a_trial_is_due_one_gets_it() {
        let breaker = opened(0);
        let admitted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..1000).filter(|_| breaker.admits(OPEN_MS)).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 1);
    }
}
