//! Seeds, arrivals, personas and what is concluded from the counts.

use super::*;
use crate::measure::Funnel;
use crate::result::GooseSummary;
use proptest::prelude::*;

fn scenario(seed: u64, visitors: u32) -> Scenario {
    let text = include_str!("../../tests/good.yaml")
        .replace("seed: 7", &format!("seed: {seed}"))
        .replace("visitors: 100", &format!("visitors: {visitors}"));
    Scenario::parse("good.yaml", &text).unwrap()
}

/// Everybody who comes: when, and as whom.
fn crowd_of(seed: u64, visitors: u32) -> Vec<(i64, usize)> {
    let crowd = Crowd::draw(&scenario(seed, visitors));
    (0_u64..)
        .zip(&crowd.instants)
        .map(|(index, us)| (*us, persona_of(&crowd.personas, crowd.seed, index)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_same_seed_brings_the_same_people_at_the_same_instants(seed in 0u64..1_000_000, visitors in 2u32..500) {
        prop_assert_eq!(crowd_of(seed, visitors), crowd_of(seed, visitors));
    }
}

#[test]
fn another_seed_brings_other_people() {
    assert_ne!(crowd_of(1, 500), crowd_of(2, 500));
}

#[test]
fn personas_come_in_their_shares() {
    let people = crowd_of(7, 20_000);
    let share = |persona: usize| people.iter().filter(|(_, who)| *who == persona).count();
    assert!((13_700..=14_300).contains(&share(0)), "{}", share(0));
    assert!((3_750..=4_250).contains(&share(1)), "{}", share(1));
    assert!((1_800..=2_200).contains(&share(2)), "{}", share(2));
}

fn reasons(funnel: &Funnel, goose: &GooseSummary, cut_short: Option<&str>) -> Vec<String> {
    let live = Live::new();
    live.record(&crate::measure::Sample {
        step: crate::measure::Step::Join,
        lane: crate::measure::Lane::Crowd,
        response: Duration::ZERO,
        service: Duration::ZERO,
        status: 200,
        verdict: crate::measure::Verdict::Fine,
    });
    validity(
        &scenario(7, 100).limits,
        funnel,
        &live.summaries(),
        goose,
        cut_short,
    )
    .reasons
}

#[test]
fn a_saturated_generator_makes_its_run_invalid_and_says_why() {
    let fine = Funnel {
        requests: 1000,
        late: 50,
        ..Funnel::default()
    };
    let goose = GooseSummary {
        requests: 1,
        ..GooseSummary::default()
    };
    assert_eq!(reasons(&fine, &goose, None), [""; 0]);
    let late = Funnel {
        requests: 1000,
        late: 51,
        ..Funnel::default()
    };
    assert!(reasons(&late, &goose, None)[0].contains("5.1%"));
    let mut outcomes = vec![0; Outcome::ALL.len()];
    outcomes[Outcome::Dropped as usize] = 3;
    let dropped = Funnel {
        outcomes,
        ..Funnel::default()
    };
    assert!(reasons(&dropped, &goose, None)[0].contains("3 visitors never came"));
    let deaf = GooseSummary::default();
    assert!(reasons(&fine, &deaf, None)[0].contains("goose counted 0 of 1"));
    let broken = GooseSummary {
        error: Some("no".to_owned()),
        ..GooseSummary::default()
    };
    assert!(reasons(&fine, &broken, None)[0].contains("goose could not judge"));
    assert!(reasons(&fine, &goose, Some("it rained"))[0].contains("it rained"));
}
