//! The simulator: nobody is lost, no limit is passed, the same seed gives the same opening; and
//! where a textbook has a formula, the model agrees with it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use proptest::prelude::*;
use urr_core::sale::Ordering;
use urr_core::simulate::{
    Arrivals, Asks, Buying, Forecast, Opening, Patience, Persona, Polls, Spread, Usual, Visit, simulate,
};
use urr_core::testing::{OPENS_AT, sale};

fn buyers() -> Buying {
    Buying {
        groups: vec![(1, 1.0)],
        look: Spread::steps(1, 300),
        reach: Spread::steps(1, 300),
        pay: Spread::steps(2, 300),
        abandons: 0.0,
        declined: 0.0,
    }
}

fn persona(visit: Visit) -> Persona {
    Persona::patient(1.0, visit)
}

/// `visitors` buyers within five seconds of the opening of the tests' sale.
fn opening(visitors: u32, seed: u64) -> Opening {
    Opening {
        sale: sale(),
        ready_replicas: 4,
        arrivals: Arrivals::along(visitors, -2000, 3000, |_| 1.0),
        personas: vec![persona(Visit::Buys(buyers()))],
        polls: Polls::Paced,
        seed,
    }
}

prop_compose! {
    fn openings()(
        visitors in 0u32..1500,
        seats in 1u32..400,
        rate in 1u32..60,
        cap in 1u32..80,
        burst in 0u32..30,
        hold_s in 1u32..20,
        group in 1u8..5,
        patience_ms in 500u32..60_000,
        abandons in 0.0..0.5,
        declined in 0.0..0.5,
        drawn: bool,
        paced: bool,
        seed: u64,
    ) -> Opening {
        let mut opening = opening(visitors, seed);
        opening.sale.seats = seats;
        opening.sale.schedule.closes_at = OPENS_AT.plus_s(120);
        opening.sale.admission.rate_per_s = rate;
        opening.sale.admission.cap = cap;
        opening.sale.admission.burst = burst;
        opening.sale.admission.hold_ttl_s = hold_s;
        opening.ready_replicas = 12;
        opening.sale.ordering = if drawn { Ordering::Shuffle } else { Ordering::Fifo };
        opening.polls = if paced { Polls::Paced } else { Polls::Instant };
        let buys = Visit::Buys(Buying { groups: vec![(1, 1.0), (group, 2.0)], abandons, declined, ..buyers() });
        opening.personas = vec![
            Persona { patience: Patience::Lasts(Spread::steps(1, patience_ms)), ..persona(buys.clone()) },
            Persona { share: 2.0, ..persona(buys.clone()) },
            Persona { patience: Patience::Shown(vec![(5_000, 0.2), (30_000, 0.9)]), ..persona(buys.clone()) },
            Persona { asks: Asks::Awake { on_ms: 3000, off_ms: 9000 }, ..persona(buys.clone()) },
            Persona {
                asks: Asks::Every(200),
                arrivals: Some(Arrivals::Instants(vec![-500, 0, 700, 700, 90_000])),
                ..persona(buys)
            },
            Persona { share: 0.2, ..persona(Visit::Looks(Spread::exponential(2000))) },
            Persona { share: 0.1, ..persona(Visit::Elsewhere) },
        ];
        opening
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nobody_and_no_seat_is_lost_and_no_limit_is_passed(opening in openings()) {
        let forecast = simulate(&opening);
        // Conservation.
        prop_assert_eq!(forecast.visitors, opening.arrivals.visitors() + 5);
        prop_assert_eq!(forecast.fates.total(), forecast.visitors);
        prop_assert!(forecast.sold_seats <= forecast.seats);
        prop_assert_eq!(forecast.sold_out_ms.is_some(), forecast.sold_seats == forecast.seats);
        // Law hard-cap.
        prop_assert!(forecast.peak_active <= u64::from(opening.sale.admission.cap));
        let last = forecast.points.last().copied();
        prop_assert!(last.is_none_or(|p| p.active == 0 && p.held == 0 && p.sold == forecast.sold_seats));
        let burst = u64::from(opening.sale.admission.burst.max(1));
        for pair in forecast.points.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            // What only rises.
            prop_assert!(after.arrived >= before.arrived && after.admitted >= before.admitted);
            prop_assert!(after.sold >= before.sold);
            prop_assert!(after.sold + after.held <= forecast.seats);
            // Rate and burst, over any stretch.
            let rate = u64::from(opening.rate_per_s());
            let ms = u64::try_from(after.at_ms - before.at_ms).unwrap();
            prop_assert!(after.admitted - before.admitted <= burst + (rate * ms).div_ceil(1000) + 1);
            // Law on-time: nobody goes in before the opening.
            prop_assert!(after.admitted == 0 || after.at_ms > 0);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_opening(opening in openings()) {
        prop_assert_eq!(simulate(&opening), simulate(&opening));
    }

    #[test]
    fn more_rate_never_sells_out_later(visitors in 300u32..1500, rate in 2u32..30, seed: u64) {
        let mut opening = opening(visitors, seed);
        opening.sale.admission.cap = 1000;
        opening.ready_replicas = 100;
        let mut sells_out_at = |rate| {
            opening.sale.admission.rate_per_s = rate;
            simulate(&opening).sold_out_ms.unwrap()
        };
        // Two seconds: who is let in earlier may still be slower to pay.
        prop_assert!(sells_out_at(rate * 2) <= sells_out_at(rate) + 2000);
    }
}

#[test]
fn another_seed_is_another_opening_of_the_same_kind() {
    let (a, b) = (simulate(&opening(1000, 1)), simulate(&opening(1000, 2)));
    assert_ne!(a, b);
    let (a, b) = (a.sold_out_ms.unwrap() as f64, b.sold_out_ms.unwrap() as f64);
    assert!((a / b - 1.0).abs() < 0.1, "{a} and {b}");
}

#[test]
fn a_thousand_people_for_a_hundred_seats_at_ten_a_second_take_ten_seconds() {
    let forecast = simulate(&opening(1000, 7));
    let sold_out_ms = forecast.sold_out_ms.unwrap();
    // 100 buyers at 10/s less the burst of 5, then a second and a half to pay.
    assert!((10_000..13_500).contains(&sold_out_ms), "{sold_out_ms}");
    assert_eq!(forecast.fates.bought, 100);
}

#[test]
fn a_draw_gives_the_early_no_advantage_over_each_other_and_fifo_does() {
    let slope = |drawn| {
        let mut opening = opening(2000, 3);
        opening.arrivals = Arrivals::along(2000, -60_000, 0, |_| 1.0);
        opening.sale.seats = 100_000;
        opening.sale.admission.cap = 10_000;
        opening.sale.ordering = if drawn { Ordering::Shuffle } else { Ordering::Fifo };
        let tenths = simulate(&opening).wait_by_arrival;
        // In line from arrival to turn: the first came a minute earlier than the last.
        let served = |t: &urr_core::simulate::WaitTenth| t.from_ms + i64::try_from(t.p50_ms).unwrap();
        served(&tenths[9]) - served(&tenths[0])
    };
    assert!(slope(false) > 150_000, "{}", slope(false));
    assert!(slope(true).abs() < 60_000, "{}", slope(true));
}

#[test]
fn holds_that_are_not_paid_come_back_and_are_sold_to_others() {
    let mut opening = opening(3000, 5);
    opening.sale.admission.hold_ttl_s = 5;
    opening.sale.admission.silence_s = 2;
    opening.personas[0].visit = Visit::Buys(Buying {
        abandons: 0.5,
        ..buyers()
    });
    let forecast = simulate(&opening);
    assert_eq!(forecast.sold_seats, 100);
    assert!(forecast.fates.abandoned > 50, "{:?}", forecast.fates);

    let late = Buying {
        pay: Spread::fixed(6000),
        ..buyers()
    };
    opening.personas[0].visit = Visit::Buys(late);
    let forecast = simulate(&opening);
    assert_eq!(forecast.sold_seats, 0, "everybody comes to pay after the hold");
    assert!(forecast.fates.hold_lost > 0);
}

// === where a textbook has the answer ===

/// People as a Poisson process of `rate` a second for `s` seconds, who stay for `stay`.
fn queue(rate: f64, s: i64, stay: Spread, seed: u64) -> Opening {
    let mut opening = opening(0, seed);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let visitors = (rate * s as f64) as u32;
    opening.arrivals = Arrivals::along(visitors, 0, s * 1000, |_| 1.0);
    // Counts within a bucket of everything: independent throws, hence Poisson.
    if let Arrivals::Counts {
        bucket_ms, counts, ..
    } = &mut opening.arrivals
    {
        *bucket_ms = u32::try_from(s * 1000).unwrap();
        *counts = vec![visitors];
    }
    opening.personas = vec![persona(Visit::Looks(stay))];
    opening.polls = Polls::Instant;
    opening.sale.schedule.closes_at = OPENS_AT.plus_s(s + 600);
    opening.sale.admission.active_ttl_s = 86_400;
    opening.ready_replicas = 10_000;
    opening
}

fn mean_wait_ms(forecast: &Forecast) -> f64 {
    let tenths = &forecast.wait_by_arrival;
    tenths.iter().map(|t| t.p50_ms as f64).sum::<f64>() / tenths.len() as f64
}

/// The area between two curves of `points`, in people times ms.
fn area(forecast: &Forecast, of: impl Fn(&urr_core::simulate::Point) -> u64) -> f64 {
    let points = &forecast.points;
    points
        .windows(2)
        .map(|pair| of(&pair[1]) as f64 * (pair[1].at_ms - pair[0].at_ms) as f64)
        .sum()
}

#[test]
fn littles_law_holds_inside() {
    // L = lambda W: people inside on average = let in per second x how long they stay.
    let mut opening = queue(20.0, 600, Spread::exponential(5000), 11);
    opening.sale.admission.rate_per_s = 1000;
    opening.sale.admission.burst = 1000;
    opening.sale.admission.cap = 10_000;
    let forecast = simulate(&opening);
    let people_ms = area(&forecast, |point| point.active);
    let expected = forecast.fates.looked as f64 * 5000.0;
    assert!(
        (people_ms / expected - 1.0).abs() < 0.05,
        "{people_ms} and {expected}"
    );
}

#[test]
fn a_line_served_at_a_constant_rate_waits_as_pollaczek_and_khinchine_say() {
    // M/D/1: W = 1/mu + rho / (2 mu (1 - rho)).
    let (lambda, mu) = (40.0, 50.0);
    let mut opening = queue(lambda, 3000, Spread::fixed(1), 13);
    opening.sale.admission.rate_per_s = 50;
    opening.sale.admission.burst = 0;
    opening.sale.admission.cap = 10_000;
    let forecast = simulate(&opening);
    let rho: f64 = lambda / mu;
    let expected_ms = 1000.0 * (1.0 / mu + rho / (2.0 * mu * (1.0 - rho)));
    let line_ms = area(&forecast, |point| point.waiting) / forecast.visitors as f64;
    // Tier 2's own token may add up to 1/mu, and the points are seconds apart.
    assert!(
        (expected_ms * 0.9..expected_ms * 1.3).contains(&line_ms),
        "{line_ms} and {expected_ms}"
    );
}

#[test]
fn a_full_house_is_erlangs() {
    // M/M/c: with c places inside and load a, the mean wait is C(c, a) / (c mu - lambda).
    let (lambda, mean_s, places) = (9.0, 2.0, 20_u32);
    let load = lambda * mean_s;
    let mut opening = queue(lambda, 6000, Spread::exponential(2000), 17);
    opening.sale.admission.rate_per_s = 2000;
    opening.sale.admission.burst = 2000;
    opening.sale.admission.cap = places;
    let forecast = simulate(&opening);
    assert!(forecast.peak_active <= u64::from(places));

    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..places {
        term *= load / f64::from(k);
        sum += term;
    }
    let last = term * load / f64::from(places);
    let tail = last / (1.0 - load / f64::from(places));
    let waits_at_all = tail / (sum + tail);
    let expected_ms = 1000.0 * waits_at_all / (f64::from(places) / mean_s - lambda);
    let line_ms = area(&forecast, |point| point.waiting) / forecast.visitors as f64;
    // Admission runs in ticks, half of which is added to a wait for a slot.
    assert!(
        (expected_ms * 0.75..expected_ms * 1.35 + 300.0).contains(&line_ms),
        "{line_ms} and {expected_ms}"
    );
}

#[test]
fn a_crowd_at_once_waits_by_place() {
    let mut opening = opening(1, 1);
    opening.arrivals = Arrivals::Instants(vec![0; 1001]);
    opening.polls = Polls::Instant;
    opening.sale.seats = 5000;
    opening.sale.admission.cap = 5000;
    let forecast = simulate(&opening);
    let wait = forecast.wait.unwrap();
    // Place 500 of a line that moves 10 places a second.
    assert!((49_000..51_500).contains(&wait.p50), "{wait:?}");
    assert!((99_000..101_500).contains(&wait.max), "{wait:?}");
    assert!(mean_wait_ms(&forecast) > 0.0);
}

#[test]
fn who_is_shown_too_long_a_wait_leaves_at_once_and_the_line_is_no_shorter_for_it() {
    let mut opening = opening(2000, 9);
    opening.sale.seats = 5000;
    opening.personas[0].patience = Patience::Shown(vec![(60_000, 0.0), (60_001, 1.0)]);
    let forecast = simulate(&opening);
    // 200 seconds of line; whoever is shown more than a minute is gone.
    assert!(
        (1350..1450).contains(&forecast.fates.gave_up),
        "{:?}",
        forecast.fates
    );
}

#[test]
fn who_presses_refresh_hears_sooner_and_who_sleeps_later() {
    let wait = |asks| {
        let mut opening = opening(1000, 4);
        opening.sale.seats = 5000;
        opening.personas[0].asks = asks;
        simulate(&opening).wait.unwrap().p50
    };
    let off_and_on = Asks::Awake {
        on_ms: 5_000,
        off_ms: 55_000,
    };
    let (mashing, told, asleep) = (wait(Asks::Every(100)), wait(Asks::WhenTold), wait(off_and_on));
    assert!(
        mashing <= told && told + 5_000 < asleep,
        "{mashing} {told} {asleep}"
    );
}

#[test]
fn a_sale_nobody_has_described_is_simulated_with_the_usual_people() {
    let mut sale = sale();
    sale.expected_visitors = 5000;
    let forecast = simulate(&Opening::usual(sale, Usual::default(), 1));
    assert_eq!(forecast.visitors, 5000);
    assert_eq!(forecast.sold_seats, 100);
}

#[test]
fn a_million_visitors_take_seconds_at_most() {
    // `make bench` publishes the figure of a release build (`simulate_million_s`); here only that
    // nothing is quadratic: an unoptimised build on a busy machine is twenty times slower.
    let mut sale = sale();
    sale.seats = 60_000;
    sale.expected_visitors = 100_000;
    sale.admission.rate_per_s = 1200;
    sale.admission.cap = 20_000;
    sale.capacity.rate_per_replica = 1200;
    let forecast = simulate(&Opening::usual(sale, Usual::default(), 1));
    assert_eq!(forecast.visitors, 100_000);
    assert_eq!(forecast.sold_seats, 60_000);
}
