//! How personas wait: when somebody really comes back, when a page is opened once more, and when a
//! shown wait is too long.
//!
//! What a visitor decides follows from the seed and its index alone; only how late it is told, and
//! so how soon it acts, is the system's doing.

use super::{Journey, Stage};
use crate::measure::Outcome;
use crate::scenario::Behaviour;
use crate::seed::{Dice, Purpose};
use std::time::{Duration, Instant};

/// Moments relative to a visitor's arrival, ms.
fn since_ms(arrival: Instant, at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(arrival).as_millis()).unwrap_or(u64::MAX)
}

impl Journey {
    /// The one throw that decides how much this visitor bears, 0..1: asked twice, it is the same.
    pub(super) fn nerve(&self) -> Dice {
        let mut dice = Dice::new(self.world.seed, self.index(), Purpose::Persona);
        dice.next();
        dice
    }

    /// When somebody comes back who was told to at `told`.
    pub(super) fn comes_back(&mut self, told: Instant) -> Instant {
        let (arrival, now) = (self.arrival(), Instant::now());
        match *self.behaviour() {
            Behaviour::Mashes { every_ms, .. } | Behaviour::Grabs { every_ms, .. } => {
                now + Duration::from_millis(self.standing.dice.around_ms(every_ms))
            }
            Behaviour::OpensTabs { tabs, apart_ms, .. } => {
                let open = u32::from(self.standing.reopened) + 1;
                // Each tab comes back as told; together they come so much more often.
                let one_of_them = now + told.saturating_duration_since(now) / open;
                if open < u32::from(tabs) {
                    let next_tab = arrival + Duration::from_millis(u64::from(apart_ms) * u64::from(open));
                    one_of_them.min(next_tab.max(now))
                } else {
                    one_of_them
                }
            }
            Behaviour::Sleeps {
                awake_ms, asleep_ms, ..
            } => {
                let (awake, period) = (u64::from(awake_ms), u64::from(awake_ms) + u64::from(asleep_ms));
                let told_ms = since_ms(arrival, told);
                if told_ms % period < awake {
                    told
                } else {
                    arrival + Duration::from_millis((told_ms / period + 1) * period)
                }
            }
            _ => told,
        }
    }

    /// Whether the turn at `due` opens the page once more, in another tab or after a sleep: whoever
    /// opens it joins, and must be told the same place.
    pub(super) fn reopens(&mut self, due: Instant) -> bool {
        let since_ms = since_ms(self.arrival(), due);
        let pages = match *self.behaviour() {
            Behaviour::OpensTabs { tabs, apart_ms, .. } => (since_ms / u64::from(apart_ms.max(1)))
                .min(u64::from(tabs) - 1)
                // One at a time, however late the turn comes.
                .min(u64::from(self.standing.reopened) + 1),
            Behaviour::Sleeps {
                awake_ms, asleep_ms, ..
            } => since_ms / (u64::from(awake_ms) + u64::from(asleep_ms)),
            _ => return false,
        };
        let pages = u8::try_from(pages).unwrap_or(u8::MAX);
        let more = pages > self.standing.reopened;
        self.standing.reopened = self.standing.reopened.max(pages);
        more
    }

    /// Ends the journey of somebody who is shown a wait longer than it can bear.
    pub(super) fn bears(&self, shown_s: Option<u64>) -> Stage<()> {
        let (Behaviour::LosesHeart { hazard, .. }, Some(shown_s)) = (self.behaviour(), shown_s) else {
            return Ok(());
        };
        let limit_ms = hazard.limit_ms(self.nerve().unit());
        if limit_ms.is_some_and(|limit_ms| shown_s.saturating_mul(1000) > limit_ms) {
            return Err(Outcome::GaveUp);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journey::tests::{good, journey, world_of};
    use crate::journey::{Journey, World};
    use crate::scenario::{Hazard, HazardPoint, Share};
    use std::sync::Arc;

    fn world(behaviour: Behaviour) -> Arc<World> {
        let mut scenario = good();
        scenario.crowd.personas[0].behaviour = behaviour;
        world_of(&scenario)
    }

    fn after(journey: &Journey, ms: u64) -> Instant {
        journey.arrival() + Duration::from_millis(ms)
    }

    #[test]
    fn who_obeys_comes_back_when_told_and_who_mashes_does_not() {
        let mut obeys = journey(&world(Behaviour::Buys { think_ms: 1 }), 1);
        let told = after(&obeys, 30_000);
        assert_eq!(obeys.comes_back(told), told);
        let mashes = Behaviour::Mashes {
            think_ms: 1,
            every_ms: 400,
        };
        let mut mashes = journey(&world(mashes), 1);
        let back = mashes.comes_back(told).saturating_duration_since(Instant::now());
        assert!(back <= Duration::from_millis(600), "{back:?}");
    }

    #[test]
    fn a_sleeping_phone_comes_back_when_it_wakes_and_loads_the_page_once() {
        let behaviour = Behaviour::Sleeps {
            think_ms: 1,
            awake_ms: 1000,
            asleep_ms: 4000,
        };
        let mut phone = journey(&world(behaviour), 1);
        for (told_ms, back_ms) in [
            (500, 500),
            (1000, 5000),
            (4999, 5000),
            (5500, 5500),
            (6000, 10_000),
        ] {
            let back = phone.comes_back(after(&phone, told_ms));
            assert_eq!(back, after(&phone, back_ms), "told {told_ms}");
        }
        let wakes = [500, 5000, 5500, 10_000, 10_500].map(|ms| phone.reopens(after(&phone, ms)));
        assert_eq!(wakes, [false, true, false, true, false]);
    }

    #[test]
    fn tabs_open_one_after_another_and_then_ask_that_much_more_often() {
        let behaviour = Behaviour::OpensTabs {
            think_ms: 1,
            tabs: 3,
            apart_ms: 1000,
        };
        let mut tabs = journey(&world(behaviour), 1);
        let told = after(&tabs, 60_000);
        assert_eq!(
            tabs.comes_back(told),
            after(&tabs, 1000),
            "the second tab is next"
        );
        assert!(!tabs.reopens(after(&tabs, 999)));
        let opened = [1000, 1001, 5000, 5001, 9000].map(|ms| tabs.reopens(after(&tabs, ms)));
        assert_eq!(opened, [true, false, true, false, false]);
        let now = Instant::now();
        let back = tabs.comes_back(now + Duration::from_secs(30));
        let wait = back.saturating_duration_since(now);
        assert!((9900..=10_100).contains(&wait.as_millis()), "{wait:?}");
    }

    #[test]
    fn how_much_a_visitor_bears_is_decided_once_and_by_the_seed() {
        let point = |shown_ms, percent: u32| HazardPoint {
            shown_ms,
            left: Share {
                ppm: percent * 10_000,
            },
        };
        let hazard = Hazard::new(vec![point(10_000, 0), point(110_000, 100)]).unwrap();
        let world = world(Behaviour::LosesHeart { think_ms: 1, hazard });
        let leaves = |index: u64, shown_s| journey(&world, index).bears(Some(shown_s)).is_err();
        let gone = |shown_s| (0..1000).filter(|index| leaves(*index, shown_s)).count();
        assert_eq!((gone(9), gone(120)), (0, 1000));
        assert!((450..550).contains(&gone(60)), "{}", gone(60));
        for index in 0..50 {
            let mut same = journey(&world, index);
            let first = same.bears(Some(60)).is_err();
            same.standing.dice.next();
            assert_eq!(same.bears(Some(60)).is_err(), first);
        }
        assert!(
            journey(&world, 1).bears(None).is_ok(),
            "nothing shown, nothing feared"
        );
    }
}
