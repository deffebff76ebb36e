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
    /// The next n refunds are refused with a 403, as a card company refuses, and are not made. A repeat of
    /// the same request is refused for good, by its idempotency key.
    pub forbid_cancel_next: u32,
    /// What a query says of a charge that was lost on the way in: a payment by the widget is known before it
    /// is charged. Absent: 404, as of a payment by no widget.
    pub lost_waits_as: Option<Waiting>,
    /// Every call fails with a server error, and does nothing.
    pub unavailable: bool,
}

/// A payment that the widget has made known and nobody has asked to charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Waiting {
    /// The payer has not authenticated yet.
    Ready,
    /// The payer has.
    InProgress,
}

/// What happens to one refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelFate {
    /// Made, as far as the ledger allows.
    Tried,
    /// A server error; not made.
    Failed,
    /// Refused; not made.
    Forbidden,
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

    /// Decides the next refund and uses up the counter that decided it.
    pub fn cancel_fate(&mut self) -> CancelFate {
        let next = &mut self.behaviour;
        for (counter, fate) in [
            (&mut next.refuse_cancel_next, CancelFate::Failed),
            (&mut next.forbid_cancel_next, CancelFate::Forbidden),
        ] {
            if *counter > 0 {
                *counter -= 1;
                return fate;
            }
        }
        CancelFate::Tried
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
