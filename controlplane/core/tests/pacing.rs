//! Pacing never costs more than its budget and never lets somebody oversleep the opening.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use proptest::prelude::*;
use urr_core::pacing::{
    Crowd, estimated_wait_s, expected_polls_per_s, longest_ms, next_poll_before_draw_ms, next_poll_ms,
    tier2_next_poll_s,
};

fn crowd() -> impl Strategy<Value = Crowd> {
    (0..60_000_u64, 0..3_000_u32, 0..20_000_u32, -60_000..600_000_i64).prop_map(
        |(waiting, rate_per_s, budget_per_s, until_open_ms)| Crowd {
            waiting,
            rate_per_s,
            budget_per_s,
            until_open_ms,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_whole_crowd_never_costs_more_than_the_budget(crowd in crowd()) {
        let cost = expected_polls_per_s(&crowd);
        prop_assert!(cost <= f64::from(crowd.budget_per_s.max(1)) * 1.001, "{} polls/s", cost);
    }

    #[test]
    fn jitter_only_lengthens_and_at_most_doubles(crowd in crowd(), distance in 0..60_000_u64, jitter in 0.0..1.0_f64) {
        let (least, drawn) = (next_poll_ms(distance, &crowd, 0.0), next_poll_ms(distance, &crowd, jitter));
        prop_assert!(least <= drawn && drawn <= 2 * least, "{} then {}", least, drawn);
        prop_assert!(least >= 1000);
    }

    #[test]
    fn with_room_in_the_budget_polls_are_1_to_60_s_apart(
        distance in 0..100_000_u64, jitter in 0.0..1.0_f64, rate_per_s in 0..100_u32, until_open_ms in -60_000..6_000_000_i64,
    ) {
        let crowd = Crowd { waiting: 100_000, rate_per_s, budget_per_s: 10_000, until_open_ms };
        let ms = next_poll_ms(distance, &crowd, jitter);
        prop_assert!((1_000..=60_000).contains(&ms), "{}", ms);
    }

    /// Following the advice, whoever is served within the first minute asks at that very moment.
    #[test]
    fn the_front_is_woken_for_the_opening(
        distance in 1..600_u64, until_open_ms in 1..900_000_i64, jitters in prop::collection::vec(0.0..1.0_f64, 60),
    ) {
        let rate_per_s = 10;
        let served_at = until_open_ms + i64::try_from(distance).unwrap() * 1000 / i64::from(rate_per_s);
        let mut elapsed = 0_i64;
        for jitter in jitters {
            let crowd = Crowd { waiting: 50_000, rate_per_s, budget_per_s: 5_000, until_open_ms: until_open_ms - elapsed };
            // Served positions no longer count: before the opening nobody is served.
            let served = (elapsed - until_open_ms).max(0) * i64::from(rate_per_s) / 1000;
            let ahead = distance.saturating_sub(u64::try_from(served).unwrap());
            if ahead == 0 { break; }
            elapsed += i64::try_from(next_poll_ms(ahead, &crowd, jitter)).unwrap();
        }
        prop_assert!(elapsed >= served_at, "gave up at {} of {}", elapsed, served_at);
        prop_assert!(elapsed - served_at <= 2_001, "{} ms late", elapsed - served_at);
    }

    /// A held line, and one that has no rate as yet: whoever is first is there when it goes on.
    #[test]
    fn the_front_of_a_standing_line_is_awake(
        distance in 0..20_u64, waiting in 1_000..2_000_000_u64, budget_per_s in 1_000..20_000_u32, jitter in 0.0..1.0_f64,
    ) {
        let crowd = Crowd { waiting, rate_per_s: 0, budget_per_s, until_open_ms: 0 };
        prop_assert!(next_poll_ms(distance, &crowd, jitter) <= 2_000);
    }

    /// A line without a rate does not oversleep its opening: the rate may come before it.
    #[test]
    fn a_line_without_a_rate_is_woken_for_the_opening(
        distance in 1..200_u64, until_open_ms in 1..55_000_i64, jitter in 0.0..1.0_f64,
    ) {
        let crowd = Crowd { waiting: 50_000, rate_per_s: 0, budget_per_s: 5_000, until_open_ms };
        let ms = i64::try_from(next_poll_ms(distance, &crowd, jitter)).unwrap();
        prop_assert!(ms >= until_open_ms && ms <= until_open_ms + 3_000, "{} of {}", ms, until_open_ms);
    }

    #[test]
    fn nobody_is_told_to_be_silent_for_longer_than_the_longest(
        crowd in crowd(), distance in 0..60_000_u64, jitter in 0.0..1.0_f64,
    ) {
        let longest = longest_ms(&crowd);
        // Who is in line, and whoever stands before a draw.
        let distance = distance.min(crowd.waiting);
        prop_assert!(next_poll_ms(distance, &crowd, jitter) <= longest);
        prop_assert!(next_poll_before_draw_ms(&crowd, jitter) <= longest);
    }

    #[test]
    fn estimates_are_rounded_up_and_total(distance: u64, rate_per_s: u32) {
        let wait = estimated_wait_s(distance, rate_per_s);
        prop_assert!(wait.saturating_mul(u64::from(rate_per_s.max(1))) >= distance);
    }
}

#[test]
fn fourteen_million_cost_what_a_hundred_thousand_cost() {
    let at = |waiting| Crowd {
        waiting,
        rate_per_s: 100,
        budget_per_s: 5_000,
        until_open_ms: 0,
    };
    // Far from the front the interval grows with the crowd...
    let far_ms = next_poll_ms(14_000_000, &at(14_000_000), 0.0);
    assert!(14_000_000_000 / far_ms <= 5_000, "{far_ms}");
    // ... and near it, it does not.
    assert_eq!(
        next_poll_ms(150, &at(14_000_000), 0.0),
        next_poll_ms(150, &at(100_000), 0.0)
    );
}

#[test]
fn extremes_have_an_answer() {
    for until_open_ms in [i64::MIN, 0, i64::MAX] {
        let crowd = Crowd {
            waiting: u64::MAX,
            rate_per_s: u32::MAX,
            budget_per_s: 0,
            until_open_ms,
        };
        for distance in [0, u64::MAX] {
            assert!((1_000..=86_400_000).contains(&next_poll_ms(distance, &crowd, f64::NAN)));
        }
    }
}

/// api-contract.md section 6.
#[test]
fn tier_2_polls_by_the_contracts_table() {
    let table = [
        (0, 3),
        (1, 1),
        (1_000, 1),
        (1_001, 5),
        (5_000, 5),
        (10_000, 10),
        (10_001, 30),
        (100_000, 30),
        (100_001, 60),
    ];
    for (position, seconds) in table {
        assert_eq!(tier2_next_poll_s(position), seconds, "{position}");
    }
}
