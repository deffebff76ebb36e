//! The adaptive rate: within its bounds, fast down, slow up, at rest where nothing changes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use proptest::prelude::*;
use urr_core::adaptive::{FALL_EVERY_MS, Pace, RISE_EVERY_MS, Sight, next};
use urr_core::pulse::Signs;
use urr_core::sale::Adaptive;
use urr_core::time::Millis;

const fn p99(ms: u32) -> Signs {
    Signs {
        reservation_p99_ms: Some(ms),
        pool_percent: None,
        errors_per_thousand: None,
    }
}

/// Services that answer in time up to `bears` a second and get slower beyond it, at once or by and by.
#[derive(Debug, Clone, Copy)]
struct Plant {
    bears: u32,
    is_cliff: bool,
}

impl Plant {
    fn signs(self, rate: u32) -> Signs {
        let ms = match (self.is_cliff, rate <= self.bears) {
            (true, true) => 100,
            (true, false) => 4000,
            // 1000 ms at what it bears.
            (false, _) => u64::from(rate) * u64::from(rate) * 1000 / (u64::from(self.bears).pow(2)),
        };
        p99(u32::try_from(ms).unwrap_or(u32::MAX))
    }
}

/// The rates of so many seconds, one a second.
fn run(settings: &Adaptive, start_per_s: u32, plant: Plant, bearable_per_s: u32, seconds: i64) -> Vec<u32> {
    let mut pace: Option<Pace> = None;
    let mut rates = Vec::new();
    for second in 0..seconds {
        let rate = pace.as_ref().map_or(start_per_s, |pace| pace.rate_per_s);
        let sight = Sight {
            start_per_s,
            bearable_per_s,
            signs: Some(plant.signs(rate.min(bearable_per_s))),
            now: Millis(1_000_000 + second * 1000),
        };
        pace = next(settings, pace.as_ref(), &sight).or(pace);
        rates.push(pace.as_ref().map_or(start_per_s, |pace| pace.rate_per_s));
    }
    rates
}

fn some_signs() -> impl Strategy<Value = Option<Signs>> {
    let sign = || prop::option::of(0..5000_u32);
    prop::option::of((sign(), sign(), sign()).prop_map(
        |(reservation_p99_ms, pool_percent, errors_per_thousand)| Signs {
            reservation_p99_ms,
            pool_percent,
            errors_per_thousand,
        },
    ))
}

fn plant() -> impl Strategy<Value = Plant> {
    (5..400_u32, any::<bool>()).prop_map(|(bears, is_cliff)| Plant { bears, is_cliff })
}

proptest! {
    /// Whatever the services say, in whatever order.
    #[test]
    fn it_stays_within_its_bounds_and_never_rises_above_ready_capacity(
        bounds in (1..200_u32, 0..400_u32), start in 1..1000_u32,
        turns in prop::collection::vec((some_signs(), 0..900_u32, 0..120_i64), 1..60),
    ) {
        let settings = Adaptive::between(bounds.0, bounds.0 + bounds.1);
        let (mut pace, mut now) = (None::<Pace>, Millis(0));
        for (signs, bearable_per_s, wait_s) in turns {
            now = now.plus_s(wait_s);
            let before = pace.as_ref().map_or(start, |pace| pace.rate_per_s);
            let sight = Sight { start_per_s: start, bearable_per_s, signs, now };
            if let Some(step) = next(&settings, pace.as_ref(), &sight) {
                prop_assert!((settings.min_rate_per_s..=settings.max_rate_per_s).contains(&step.rate_per_s));
                let is_set_right = !(settings.min_rate_per_s..=settings.max_rate_per_s).contains(&before);
                prop_assert!(
                    step.rate_per_s < before || step.rate_per_s <= bearable_per_s || is_set_right,
                    "{} after {} where {} is borne", step.rate_per_s, before, bearable_per_s
                );
                prop_assert!(is_set_right || signs.is_some(), "what is not known changes nothing");
                pace = Some(step);
            }
        }
    }

    /// From anywhere down to what is borne: each step takes a tenth at least, every six seconds.
    #[test]
    fn it_falls_fast_and_rises_slowly(plant in plant(), start in 1..400_u32) {
        let settings = Adaptive::between(1, 400);
        let rates = run(&settings, start, plant, 1000, 1800);
        let fell = rates.iter().position(|rate| *rate <= plant.bears);
        prop_assert!(fell.is_some_and(|second| second <= 45 * 6), "{:?}", fell);
        for (before, after) in rates.iter().zip(&rates[1..]) {
            prop_assert!(after.saturating_sub(*before) <= 20, "a twentieth of the way at most");
        }
        let changes: Vec<usize> = (1..rates.len()).filter(|at| rates[*at] > rates[*at - 1]).collect();
        for pair in changes.windows(2) {
            prop_assert!((pair[1] - pair[0]) as i64 * 1000 >= RISE_EVERY_MS);
        }
    }

    /// The same services, the same crowd: once it has found what they bear it stays there, but for a look
    /// now and then whether they bear more by now.
    #[test]
    fn it_comes_to_rest_where_nothing_changes(plant in plant(), start in 1..400_u32) {
        let settings = Adaptive::between(1, 400);
        let rates = run(&settings, start, plant, 1000, 2 * 3600);
        let settled = &rates[3600..];
        let (least, most) = (*settled.iter().min().unwrap(), *settled.iter().max().unwrap());
        let bears = plant.bears.min(400);
        prop_assert!(most <= bears + (bears / 4).max(1), "{most} where {bears} are borne");
        prop_assert!(least * 10 >= bears * 6, "{least} where {bears} are borne");
        let too_much = settled.iter().filter(|rate| **rate > bears).count();
        prop_assert!(too_much * 20 <= settled.len(), "{too_much} seconds of {}", settled.len());
        let moves = settled.windows(2).filter(|pair| pair[0] != pair[1]).count();
        prop_assert!(moves <= 4 * 8, "{moves} moves in an hour: more than eight in a quarter of one");
    }
}

fn sight(signs: Option<Signs>, now: Millis) -> Sight {
    Sight {
        start_per_s: 100,
        bearable_per_s: 1000,
        signs,
        now,
    }
}

#[test]
fn a_step_says_why_and_remembers_what_was_too_much() {
    let settings = Adaptive::between(10, 200);
    let now = Millis(1_000_000);
    let fell = next(&settings, None, &sight(Some(p99(1300)), now)).unwrap();
    assert_eq!((fell.rate_per_s, fell.since), (76, now));
    assert_eq!(fell.ceiling.unwrap().rate_per_s, 100);
    assert_eq!(
        fell.reason,
        "76/s instead of 100/s: reservations take 1300 ms at the 99th percentile, 1000 are allowed"
    );
    let too_soon = sight(Some(p99(1300)), now.plus_ms(FALL_EVERY_MS - 1));
    assert_eq!(next(&settings, Some(&fell), &too_soon), None);
}

#[test]
fn every_sign_slows_down_and_the_worst_one_is_named() {
    let settings = Adaptive::between(10, 200);
    let slower = |signs: Signs| next(&settings, None, &sight(Some(signs), Millis(0))).map(|pace| pace.reason);
    let full = Signs {
        pool_percent: Some(96),
        ..p99(100)
    };
    assert!(slower(full).unwrap().contains("pools are 96 % full"));
    let failing = Signs {
        errors_per_thousand: Some(30),
        ..full
    };
    assert!(slower(failing).unwrap().contains("30 of 1000 requests fail"));
    assert_eq!(slower(p99(900)), None, "near the limit it stays as it is");
}

#[test]
fn it_never_goes_up_without_evidence() {
    let settings = Adaptive::between(10, 200);
    let rise = |signs| next(&settings, None, &sight(signs, Millis(0))).map(|pace| pace.rate_per_s);
    assert_eq!(rise(None), None);
    let idle = Signs {
        reservation_p99_ms: None,
        pool_percent: Some(0),
        errors_per_thousand: None,
    };
    assert_eq!(rise(Some(idle)), None, "nobody reserves: nothing is proven");
    assert_eq!(rise(Some(p99(100))), Some(109));
    let short = Sight {
        bearable_per_s: 60,
        ..sight(Some(p99(100)), Millis(0))
    };
    assert_eq!(next(&settings, None, &short), None, "capacity is what bounds it");
}

#[test]
fn bounds_that_are_edited_count_at_once() {
    let pace = next(
        &Adaptive::between(10, 200),
        None,
        &sight(Some(p99(100)), Millis(0)),
    )
    .unwrap();
    let bounded = next(&Adaptive::between(10, 50), Some(&pace), &sight(None, Millis(1))).unwrap();
    assert_eq!(bounded.rate_per_s, 50);
}
