//! What became of each kind of visitor: people by persona, scripts apart from people.

use crate::measure::Outcome;
use crate::observe::Observations;
use crate::scenario::{Persona, Share};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts by persona while a run lasts; anybody may count.
#[derive(Debug, Default)]
pub struct Tally {
    kinds: Vec<Kind>,
}

#[derive(Debug, Default)]
struct Kind {
    came: AtomicU64,
    admitted: AtomicU64,
    seats: AtomicU64,
    outcomes: [AtomicU64; Outcome::ALL.len()],
}

/// What became of one kind of visitor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonaResult {
    /// The word scenario files use, e.g. `pays-late`.
    pub name: String,
    /// Whether it is a script.
    pub bot: bool,
    /// Its share of the crowd, in the scenario, percent.
    pub share_percent: f64,
    /// How many came.
    pub came: u64,
    /// How many were let in.
    pub admitted: u64,
    /// Seats they paid for.
    pub seats: u64,
    /// How their journeys ended, in the order of [`Outcome::ALL`].
    pub outcomes: Vec<u64>,
    /// Median wait of those let in, ms; `None` when none was.
    pub wait_p50_ms: Option<u64>,
    /// 95th percentile of it.
    pub wait_p95_ms: Option<u64>,
}

impl Tally {
    /// Nobody yet, of so many kinds.
    #[must_use]
    pub fn new(kinds: usize) -> Self {
        Self {
            kinds: (0..kinds).map(|_| Kind::default()).collect(),
        }
    }

    fn add(&self, persona: u16, n: u64, pick: impl Fn(&Kind) -> &AtomicU64) {
        if let Some(kind) = self.kinds.get(usize::from(persona)) {
            pick(kind).fetch_add(n, Ordering::Relaxed);
        }
    }

    /// One came.
    pub fn came(&self, persona: u16) {
        self.add(persona, 1, |kind| &kind.came);
    }

    /// One was let in.
    pub fn admitted(&self, persona: u16) {
        self.add(persona, 1, |kind| &kind.admitted);
    }

    /// One paid for `seats`.
    pub fn bought(&self, persona: u16, seats: u64) {
        self.add(persona, seats, |kind| &kind.seats);
    }

    /// The journey of one ended.
    pub fn ended(&self, persona: u16, outcome: Outcome) {
        self.add(persona, 1, |kind| &kind.outcomes[outcome as usize]);
    }

    /// All counts now, in the order of the scenario; waits are added by [`add_waits`].
    #[must_use]
    pub fn results(&self, personas: &[Persona]) -> Vec<PersonaResult> {
        let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
        self.kinds
            .iter()
            .zip(personas)
            .map(|(kind, persona)| PersonaResult {
                name: persona.behaviour.name().to_owned(),
                bot: persona.behaviour.is_bot(),
                share_percent: f64::from(persona.share.ppm) * 100.0 / f64::from(Share::WHOLE_PPM),
                came: read(&kind.came),
                admitted: read(&kind.admitted),
                seats: read(&kind.seats),
                outcomes: kind.outcomes.iter().map(read).collect(),
                wait_p50_ms: None,
                wait_p95_ms: None,
            })
            .collect()
    }
}

impl PersonaResult {
    /// Adds what another worker counted of the same kind.
    pub fn merge(&mut self, other: &Self) {
        self.came += other.came;
        self.admitted += other.admitted;
        self.seats += other.seats;
        self.outcomes.resize(Outcome::ALL.len(), 0);
        for (mine, theirs) in self.outcomes.iter_mut().zip(&other.outcomes) {
            *mine += theirs;
        }
    }
}

/// Fills in how long each kind waited, from what was seen of everybody let in.
pub fn add_waits(personas: &mut [PersonaResult], observations: &Observations) {
    let mut waits: Vec<Vec<u32>> = vec![Vec::new(); personas.len()];
    for wait in &observations.waits {
        if let Some(of_kind) = waits.get_mut(usize::from(wait.persona)) {
            of_kind.push(wait.waited_ms);
        }
    }
    for (persona, mut waited) in personas.iter_mut().zip(waits) {
        waited.sort_unstable();
        let at = |percent: usize| {
            let last = waited.len().checked_sub(1)?;
            waited.get(last * percent / 100).copied().map(u64::from)
        };
        (persona.wait_p50_ms, persona.wait_p95_ms) = (at(50), at(95));
    }
}

/// What scripts won, against their share of the crowd.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BotShare {
    /// Scripts among those who came.
    pub bots: u64,
    /// Everybody who came.
    pub came: u64,
    /// Seats that scripts paid for.
    pub bot_seats: u64,
    /// Seats that anybody paid for.
    pub seats: u64,
    /// Scripts' share of the seats over their share of the crowd: 1 is what chance gives.
    pub advantage: f64,
}

/// How scripts fared; `None` when none came.
#[must_use]
pub fn bot_share(personas: &[PersonaResult]) -> Option<BotShare> {
    let sum = |pick: fn(&PersonaResult) -> u64, bot: bool| -> u64 {
        personas.iter().filter(|p| !bot || p.bot).map(pick).sum()
    };
    let (bots, came) = (sum(|p| p.came, true), sum(|p| p.came, false));
    let (bot_seats, seats) = (sum(|p| p.seats, true), sum(|p| p.seats, false));
    (bots > 0).then(|| BotShare {
        bots,
        came,
        bot_seats,
        seats,
        advantage: ratio(bot_seats, seats) / ratio(bots, came),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of people and seats stay below 2^53"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::WaitSeen;
    use crate::scenario::Behaviour;

    fn personas() -> Vec<Persona> {
        let persona = |ppm, behaviour| Persona {
            share: Share { ppm },
            behaviour,
            arrivals: Vec::new(),
        };
        vec![
            persona(900_000, Behaviour::Buys { think_ms: 1 }),
            persona(
                100_000,
                Behaviour::Grabs {
                    every_ms: 100,
                    reaches: 2,
                },
            ),
        ]
    }

    #[test]
    fn scripts_that_win_twice_their_share_have_an_advantage_of_two() {
        let tally = Tally::new(2);
        (0..90).for_each(|_| tally.came(0));
        (0..10).for_each(|_| tally.came(1));
        tally.bought(0, 8);
        tally.bought(1, 2);
        tally.ended(1, Outcome::Bought);
        let results = tally.results(&personas());
        assert_eq!(results[1].outcomes[Outcome::Bought as usize], 1);
        let share = bot_share(&results).unwrap();
        assert!((share.advantage - 2.0).abs() < 1e-9, "{share:?}");
        assert_eq!(bot_share(&results[..1]), None);
    }

    #[test]
    fn two_workers_counts_add_up_and_waits_go_to_their_kind() {
        let tally = Tally::new(2);
        tally.came(0);
        tally.admitted(0);
        let mut both = tally.results(&personas());
        let other = tally.results(&personas());
        both.iter_mut()
            .zip(&other)
            .for_each(|(mine, theirs)| mine.merge(theirs));
        assert_eq!((both[0].came, both[0].admitted, both[1].came), (2, 2, 0));
        let wait = |persona, waited_ms| WaitSeen {
            arrived_us: 0,
            waited_ms,
            position: 1,
            persona,
        };
        let observations = Observations {
            waits: vec![wait(0, 10), wait(0, 30), wait(0, 20)],
            ..Observations::default()
        };
        add_waits(&mut both, &observations);
        assert_eq!((both[0].wait_p50_ms, both[1].wait_p50_ms), (Some(20), None));
    }
}
