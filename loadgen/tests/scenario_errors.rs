//! What a person reads who made a mistake in a scenario: file, line, excerpt, remedy.
//!
//! Each test makes one mistake in a good file. The texts are snapshots because they are read, not
//! parsed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use insta::assert_snapshot;
use urr_loadgen::Scenario;

const GOOD: &str = include_str!("good.yaml");

/// What is said about the good file with `right` replaced by `wrong`.
fn complaint(right: &str, wrong: &str) -> String {
    assert!(GOOD.contains(right), "`{right}` is not in good.yaml");
    let text = GOOD.replacen(right, wrong, 1);
    match Scenario::parse("opening.yaml", &text) {
        Ok(_) => panic!("accepted `{wrong}`"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_good_file_is_good() {
    let scenario = Scenario::parse("opening.yaml", GOOD).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(scenario.seats(), 100);
    assert_eq!(scenario.thresholds.len(), 2);
}

macro_rules! mistakes {
    ($($name:ident: $right:expr => $wrong:expr;)*) => {$(
        #[test]
        fn $name() {
            assert_snapshot!(stringify!($name), complaint($right, $wrong));
        }
    )*};
}

mistakes! {
    an_unknown_key_is_refused_with_a_suggestion: "visitors: 100" => "visitor: 100";
    an_unknown_key_at_the_top_is_refused: "registrations: 2" => "registration: 2";
    an_unknown_curve_is_refused: "rush:" => "rsh:";
    an_unknown_persona_is_refused: "buys:" => "buyer:";
    an_unknown_trick_is_refused: "[no-token, forged-token]" => "[no-tokens]";
    an_unknown_process_is_refused: "processes: [booking]" => "processes: [bookings]";
    a_missing_key_is_named: "    cap: 40\n" => "";
    a_key_given_twice_is_refused: "seed: 7" => "seed: 7\nseed: 8";
    a_number_without_its_unit_is_refused: "opens_in: 5s" => "opens_in: 5";
    a_wrong_unit_is_refused: "rate: 50/s" => "rate: 50 s";
    a_foreign_currency_is_refused: "price: 99000 KRW" => "price: 99 USD";
    shares_must_add_up: "share: 70%, think" => "share: 60%, think";
    a_sale_that_closes_before_it_opens_is_refused: "duration: 20s" => "duration: -20s";
    a_pre_queue_before_the_run_is_refused: "pre_queue: 3s" => "pre_queue: 30s";
    a_cap_of_zero_is_refused: "cap: 40" => "cap: 0";
    a_rate_above_capacity_is_refused: "rate: 50/s" => "rate: 500/s";
    a_hall_without_seats_is_refused:
        "sections:\n      - { names: [A], rows: 10, seats_per_row: 10, price: 99000 KRW }" => "sections: []";
    a_section_named_twice_is_refused: "names: [A]" => "names: [A, A]";
    a_curve_that_ends_before_it_starts_is_refused: "from: 0s, to: 5s" => "from: 5s, to: 0s";
    an_arrival_outside_the_run_is_refused: "from: 0s, to: 5s" => "from: 0s, to: 50s";
    a_threshold_on_an_unknown_step_is_refused: "poll p95 < 50ms" => "pol p95 < 50ms";
    a_threshold_that_can_never_hold_is_refused: "dropped <= 0" => "dropped < 0";
    a_threshold_without_a_time_is_refused: "poll p95 < 50ms" => "poll p95 < 50";
    a_kill_of_something_that_is_no_process_is_refused: "kill: booking" => "kill: queue";
    more_registrations_than_visitors_are_refused: "registrations: 2" => "registrations: 101";
    a_run_that_ends_before_the_opening_is_refused: "run_at_most: 40s" => "run_at_most: 4s";
    an_unknown_version_is_refused: "version: 1" => "version: 2";
    a_file_that_is_not_yaml_is_refused: "seed: 7" => "seed: [7";
    an_empty_crowd_is_refused: "visitors: 100" => "visitors: 0";
    an_unknown_ordering_is_refused: "pre_queue: 3s" => "pre_queue: 3s\n  ordering: shufle";
    a_draw_without_a_pre_queue_is_refused: "pre_queue: 3s" => "pre_queue: 0s\n  ordering: shuffle";
    a_threshold_on_a_draw_that_is_none_is_refused: "dropped <= 0" => "draw-tau < 0.05";
    a_threshold_on_a_rate_that_stands_is_refused: "dropped <= 0" => "rate-steps down <= 2";
    a_rate_that_steps_aside_is_refused: "dropped <= 0" => "rate-steps aside <= 2";
    a_decile_that_does_not_exist_is_refused: "dropped <= 0" => "decile-11 p50 < 1s";
    a_tau_that_can_never_hold_is_refused: "dropped <= 0" => "tau > 1";
    a_first_curve_without_a_beginning_is_refused: "from: 0s, to: 5s" => "for: 5s";
    a_curve_without_an_end_is_refused: "from: 0s, to: 5s" => "from: 0s";
    a_curve_with_two_ends_is_refused: "from: 0s, to: 5s" => "from: 0s, to: 5s, for: 5s";
    a_hazard_that_falls_is_refused:
        "browses: { share: 20%, think: 500ms, looks: 2 }" =>
        "loses-heart: { share: 20%, think: 500ms, hazard: [{ shown: 1m, left: 50% }, { shown: 2m, left: 40% }] }";
    a_script_that_asks_too_often_is_refused:
        "browses: { share: 20%, think: 500ms, looks: 2 }" => "grabs: { share: 20%, every: 1ms, reaches: 4 }";
    one_tab_is_not_several:
        "browses: { share: 20%, think: 500ms, looks: 2 }" =>
        "opens-tabs: { share: 20%, think: 500ms, tabs: 1, apart: 1s }";
    an_empty_list_of_sales_is_refused: "registrations: 2" => "registrations: 2\nsales: []";
    two_sales_of_one_name_are_refused:
        "registrations: 2" => "registrations: 2\nsales:\n  - { name: night }\n  - { name: night }";
    an_unknown_key_of_a_sale_is_refused:
        "registrations: 2" => "registrations: 2\nsales:\n  - { name: night, visitor: 5 }";
    a_sale_that_lets_in_more_than_is_borne_is_refused:
        "registrations: 2" => "registrations: 2\nsales:\n  - { name: night, rate: 500/s }";
    more_sales_than_one_run_can_look_after_are_refused:
        "registrations: 2" => "registrations: 2\nsales:\n  - { name: day, times: 30 }\n  - { name: night, times: 30 }";
    browsers_of_all_sales_together_are_bounded:
        "registrations: 2" => "browsers: 300\nsales:\n  - { name: day, times: 10 }";
    a_party_larger_than_a_booking_is_refused:
        "  arrivals:" => "  party: { 1: 50%, 2: 50% }\n  arrivals:";
    a_rate_that_opens_out_of_its_bounds_is_refused:
        "    cap: 40" => "    adaptive: { min_rate: 5/s, max_rate: 40/s }\n    cap: 40";
    bounds_beyond_capacity_are_refused:
        "    cap: 40" => "    adaptive: { min_rate: 5/s, max_rate: 5000/s }\n    cap: 40";
    a_limit_of_nothing_is_refused:
        "    cap: 40" => "    adaptive: { min_rate: 5/s, max_rate: 60/s, errors: 0% }\n    cap: 40";
    a_fault_that_harms_nobody_is_refused: "kill: booking" => "for: 5s";
    slow_without_an_amount_is_refused: "kill: booking" => "slow: booking, for: 5s";
    something_slow_without_a_database_is_refused: "kill: booking" => "slow: gateway, by: 1s, for: 5s";
    parties_must_add_up: "  arrivals:" => "  party: { 1: 50% }\n  arrivals:";
}

#[test]
fn a_sale_out_of_the_bounds_of_all_is_refused() {
    let text = GOOD
        .replace(
            "    cap: 40",
            "    adaptive: { min_rate: 40/s, max_rate: 60/s }\n    cap: 40",
        )
        .replace(
            "registrations: 2",
            "registrations: 2\nsales:\n  - { name: night, rate: 10/s }",
        );
    let error = Scenario::parse("opening.yaml", &text).unwrap_err().to_string();
    assert_snapshot!("a_sale_out_of_the_bounds_of_all_is_refused", error);
}

#[test]
fn a_threshold_on_scripts_that_do_not_come_is_refused() {
    let text = GOOD
        .replace(
            "intrudes: { share: 10%, tricks: [no-token, forged-token] }",
            "buys: { share: 10%, think: 1s }",
        )
        .replace("dropped <= 0", "bot-advantage < 1.2");
    let error = Scenario::parse("opening.yaml", &text).unwrap_err().to_string();
    assert_snapshot!("a_threshold_on_scripts_that_do_not_come_is_refused", error);
}

#[test]
fn curves_follow_each_other_unless_they_say_otherwise() {
    let text = GOOD.replace(
        "    - rush: { share: 100%, from: 0s, to: 5s }\n",
        "    - ramp: { share: 20%, from: -2s, to: 0s }
    - steady: { share: 30%, for: 1s }
    - at-once: { share: 10% }
    - ramp: { share: 40%, start: 100%, end: 0%, for: 2500ms }\n",
    );
    let scenario = Scenario::parse("opening.yaml", &text).unwrap_or_else(|error| panic!("{error}"));
    let windows: Vec<(i64, i64)> = scenario
        .crowd
        .arrivals
        .iter()
        .map(|a| a.curve.window_ms())
        .collect();
    assert_eq!(windows, [(-2000, 0), (0, 1000), (1000, 1000), (1000, 3500)]);
}

#[test]
fn all_impossible_numbers_are_reported_at_once() {
    let text = GOOD
        .replace("cap: 40", "cap: 0")
        .replace("rows: 10", "rows: 0")
        .replace("share: 70%", "share: 7%");
    let error = Scenario::parse("opening.yaml", &text).unwrap_err().to_string();
    assert_eq!(error.matches("= help:").count(), 3, "{error}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = Scenario::load(std::path::Path::new("/nonexistent/opening.yaml")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read scenario /nonexistent/opening.yaml"
    );
    assert!(std::error::Error::source(&error).is_some());
}
