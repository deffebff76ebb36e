//! Who comes when as whom: the whole crowd, settled by the seed before anybody moves.
//!
//! A visitor's index decides everything about it (persona, instant, key, decisions), so a worker that
//! takes every eighth index walks the same visitors as one machine that takes them all.

use crate::arrivals::{Curve, schedule};
use crate::scenario::{Arrival, Persona, Scenario, Share};
use crate::seed::{Dice, Purpose};

/// Somebody who will come. Sixteen bytes, because a million are drawn up front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comer {
    /// When, µs from the opening.
    pub arrives_us: i64,
    /// Which of the crowd.
    pub index: u32,
    /// As which persona of the scenario.
    pub persona: u16,
}

/// The crowd of `scenario`, in order of arrival.
#[must_use]
pub fn crowd(scenario: &Scenario) -> Vec<Comer> {
    draw(scenario, 0, scenario.crowd.visitors)
}

/// Its browsers, in order of arrival; their indices follow on the crowd's.
#[must_use]
pub fn browsers(scenario: &Scenario) -> Vec<Comer> {
    draw(scenario, scenario.crowd.visitors, scenario.browsers)
}

/// The `count` visitors from index `first` on.
fn draw(scenario: &Scenario, first: u32, count: u32) -> Vec<Comer> {
    let personas = &scenario.crowd.personas;
    // Who comes with the crowd, and who by curves of its own.
    let mut groups: Vec<Vec<(u32, u16)>> = vec![Vec::new(); personas.len() + 1];
    for index in first..first.saturating_add(count) {
        let persona = persona_of(personas, scenario.seed, u64::from(index));
        let own = personas.get(persona).is_some_and(|p| !p.arrivals.is_empty());
        let group = if own { persona + 1 } else { 0 };
        groups[group].push((index, u16::try_from(persona).unwrap_or(u16::MAX)));
    }
    let mut comers = Vec::with_capacity(count as usize);
    for (group, members) in groups.into_iter().enumerate() {
        let (arrivals, seed) = match group.checked_sub(1) {
            None => (&scenario.crowd.arrivals, scenario.seed),
            // Another seed, so that two independent curves do not bring people in pairs.
            Some(nth) => (
                &personas[nth].arrivals,
                Dice::new(scenario.seed, nth as u64, Purpose::Persona).next(),
            ),
        };
        let people = u32::try_from(members.len()).unwrap_or(u32::MAX);
        let instants = schedule(people, &curves(arrivals), seed);
        comers.extend(
            members
                .into_iter()
                .zip(instants)
                .map(|((index, persona), arrives_us)| Comer {
                    arrives_us,
                    index,
                    persona,
                }),
        );
    }
    comers.sort_by_key(|comer| (comer.arrives_us, comer.index));
    comers
}

fn curves(arrivals: &[Arrival]) -> Vec<(Share, Curve)> {
    arrivals
        .iter()
        .map(|arrival| (arrival.share, arrival.curve))
        .collect()
}

/// Which persona visitor `index` is, by the personas' shares.
#[must_use]
pub fn persona_of(personas: &[Persona], seed: u64, index: u64) -> usize {
    let mut dice = Dice::new(seed, index, Purpose::Persona);
    let mut throw = u32::try_from(dice.below(Share::WHOLE_PPM as usize)).unwrap_or(0);
    for (nth, persona) in personas.iter().enumerate() {
        if throw < persona.share.ppm {
            return nth;
        }
        throw -= persona.share.ppm;
    }
    personas.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario() -> Scenario {
        let text = include_str!("../tests/good.yaml")
            .replace("visitors: 100", "visitors: 5000")
            .replace(
                "- browses: { share: 20%, think: 500ms, looks: 2 }",
                "- grabs: { share: 20%, every: 100ms, reaches: 2, arrivals: [at-once: { share: 100%, at: -3s }] }",
            );
        Scenario::parse("good.yaml", &text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn scripts_with_arrivals_of_their_own_come_then_and_the_others_with_the_crowd() {
        let comers = crowd(&scenario());
        assert_eq!(comers.len(), 5000);
        assert!(comers.is_sorted_by_key(|comer| comer.arrives_us));
        let bots: Vec<_> = comers.iter().filter(|comer| comer.persona == 1).collect();
        assert!((900..1100).contains(&bots.len()), "{}", bots.len());
        assert!(bots.iter().all(|bot| bot.arrives_us == -3_000_000));
        let people = comers.iter().filter(|comer| comer.persona != 1);
        assert!(people.clone().all(|comer| comer.arrives_us >= 0));
        assert!(people.is_sorted_by_key(|comer| comer.index));
    }

    #[test]
    fn everybody_comes_once_and_is_whom_the_seed_says_in_every_segment() {
        let scenario = scenario();
        let comers = crowd(&scenario);
        let mut indices: Vec<u32> = comers.iter().map(|comer| comer.index).collect();
        indices.sort_unstable();
        assert!(indices.iter().copied().eq(0..5000));
        for comer in &comers {
            let alone = persona_of(&scenario.crowd.personas, scenario.seed, u64::from(comer.index));
            assert_eq!(usize::from(comer.persona), alone);
        }
        assert_eq!(comers, crowd(&scenario));
        let ten = Scenario {
            browsers: 10,
            ..scenario
        };
        assert!(
            browsers(&ten)
                .iter()
                .all(|comer| (5000..5010).contains(&comer.index))
        );
    }
}
