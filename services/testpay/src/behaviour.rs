//! How the provider misbehaves, and when.
//!
//! The faults are the ones a merchant must survive: a decline, an outage, a request lost on the
//! way in, and, worst, a charge whose answer never comes. Each is a counter ("the next n"), so a
//! test asks for exactly the fault it is about; shares are drawn from a seeded generator, so a
//! drill can be repeated.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::Config;

/// Settable at runtime with `PUT /admin/behaviour`; absent fields are zero or off.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Behaviour {
    /// Shortest delay of an answer, ms.
    pub latency_ms_min: u64,
    /// Longest delay of an answer, ms.
    pub latency_ms_max: u64,
    /// Share of charges declined, 0 to 1.
    pub failure_share: f64,
    /// The next n charges are declined.
    pub fail_next: u32,
    /// The next n charges are lost on the way in: not made, and not answered.
    pub hang_next: u32,
    /// The next n charges are made, and not answered.
    pub charge_then_hang_next: u32,
    /// The next n refunds fail with a server error, and are not made.
    pub refuse_cancel_next: u32,
    /// Every call fails with a server error, and does nothing.
    pub unavailable: bool,
}

/// What happens to one charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Made and answered.
    Charged,
    /// Declined and answered.
    Declined,
    /// Neither made nor answered.
    Lost,
    /// Made, not answered.
    ChargedSilently,
}

/// The behaviour in force and the generator it draws from.
#[derive(Debug)]
pub struct Dice {
    behaviour: Behaviour,
    rng: StdRng,
}

impl Dice {
    /// The behaviour a configuration asks for, seeded by it.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            behaviour: Behaviour {
                latency_ms_min: config.latency_ms_min,
                latency_ms_max: config.latency_ms_max,
                failure_share: config.failure_share,
                ..Behaviour::default()
            },
            rng: StdRng::seed_from_u64(config.seed),
        }
    }

    /// The behaviour in force, its counters as far as they are used up.
    #[must_use]
    pub fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// Puts another behaviour in force; the generator goes on.
    pub fn set(&mut self, behaviour: Behaviour) {
        self.behaviour = behaviour;
    }

    /// The delay of the next answer, ms.
    pub fn latency_ms(&mut self) -> u64 {
        let (low, high) = (self.behaviour.latency_ms_min, self.behaviour.latency_ms_max);
        if high <= low {
            low
        } else {
            self.rng.random_range(low..=high)
        }
    }

    /// Decides the next charge and uses up the counter that decided it.
    pub fn charge_fate(&mut self) -> Fate {
        let next = &mut self.behaviour;
        for (counter, fate) in [
            (&mut next.hang_next, Fate::Lost),
            (&mut next.charge_then_hang_next, Fate::ChargedSilently),
            (&mut next.fail_next, Fate::Declined),
        ] {
            if *counter > 0 {
                *counter -= 1;
                return fate;
            }
        }
        // Always drawn, so that the sequence does not depend on the share being zero.
        let draw: f64 = self.rng.random();
        if draw < self.behaviour.failure_share {
            Fate::Declined
        } else {
            Fate::Charged
        }
    }

    /// Whether the next refund fails.
    pub fn cancel_fails(&mut self) -> bool {
        let left = &mut self.behaviour.refuse_cancel_next;
        let fails = *left > 0;
        *left = left.saturating_sub(1);
        fails
    }
}

#[cfg(test)]
mod tests {
    use super::{Behaviour, Dice, Fate};
    use crate::Config;

    #[test]
    fn the_same_seed_gives_the_same_declines_and_delays() {
        let config = Config {
            latency_ms_min: 5,
            latency_ms_max: 500,
            failure_share: 0.3,
            seed: 42,
            ..Config::default()
        };
        let draws = |mut dice: Dice| -> Vec<(u64, Fate)> {
            (0..200)
                .map(|_| (dice.latency_ms(), dice.charge_fate()))
                .collect()
        };
        let first = draws(Dice::new(&config));
        assert_eq!(first, draws(Dice::new(&config)));
        let declined = first.iter().filter(|d| d.1 == Fate::Declined).count();
        assert!((30..=90).contains(&declined), "{declined} of 200 declined");
        assert!(first.iter().all(|d| (5..=500).contains(&d.0)));
    }

    #[test]
    fn counters_decide_before_shares_and_run_out() {
        let mut dice = Dice::new(&Config::default());
        dice.set(Behaviour {
            fail_next: 1,
            charge_then_hang_next: 1,
            hang_next: 1,
            ..Behaviour::default()
        });
        let fates: Vec<_> = (0..4).map(|_| dice.charge_fate()).collect();
        assert_eq!(
            fates,
            [Fate::Lost, Fate::ChargedSilently, Fate::Declined, Fate::Charged]
        );
    }
}
