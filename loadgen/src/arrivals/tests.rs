//! Curves have their shapes, totals are exact, and nothing depends on how arrivals are asked for.

use super::*;
use proptest::prelude::*;

const WINDOW: (i64, i64) = (-2000, 8000);
const WHOLE: Share = Share { ppm: 1_000_000 };
const NOTHING: Share = Share { ppm: 0 };

fn ramp(start: Share, end: Share) -> Curve {
    let (from_ms, to_ms) = WINDOW;
    Curve::Ramp {
        from_ms,
        to_ms,
        start,
        end,
    }
}

fn curves() -> Vec<Curve> {
    let (from_ms, to_ms) = WINDOW;
    vec![
        Curve::AtOnce { at_ms: 0 },
        Curve::Steady { from_ms, to_ms },
        ramp(NOTHING, WHOLE),
        ramp(WHOLE, Share { ppm: 250_000 }),
        ramp(WHOLE, NOTHING),
        Curve::Rush { from_ms, to_ms },
        Curve::Peak { from_ms, to_ms },
        Curve::Poisson { from_ms, to_ms },
        Curve::Stairs {
            from_ms,
            to_ms,
            steps: 4,
        },
    ]
}

/// Arrivals in each tenth of the window.
fn tenths(curve: Curve, n: u32) -> [u32; 10] {
    let mut counts = [0; 10];
    for us in schedule(n, &[(WHOLE, curve)], 1) {
        let tenth = (us + 2_000_000) / 1_000_000;
        counts[usize::try_from(tenth.clamp(0, 9)).unwrap()] += 1;
    }
    counts
}

#[test]
fn curves_have_the_shape_their_name_says() {
    let (from_ms, to_ms) = WINDOW;
    assert_eq!(tenths(Curve::Steady { from_ms, to_ms }, 1000), [100; 10]);
    let rises = tenths(ramp(NOTHING, WHOLE), 1000);
    assert_eq!(rises, [10, 30, 50, 70, 90, 110, 130, 150, 170, 190]);
    let falls = tenths(ramp(WHOLE, NOTHING), 1000);
    assert_eq!(falls, [190, 170, 150, 130, 110, 90, 70, 50, 30, 10]);
    assert_eq!(tenths(ramp(WHOLE, WHOLE), 1000), [100; 10]);
    let rush = tenths(Curve::Rush { from_ms, to_ms }, 1000);
    assert!(rush.is_sorted_by(|a, b| a > b) && rush[0] > 380, "{rush:?}");
    let peak = tenths(Curve::Peak { from_ms, to_ms }, 1000);
    assert!(peak[4] > 200 && peak[5] > 200 && peak[0] < 25, "{peak:?}");
    let stairs = Curve::Stairs {
        from_ms,
        to_ms,
        steps: 4,
    };
    let by_step = [0.1, 0.3, 0.6, 1.0].map(|u| stairs.at_us(stairs.come_at(u)));
    assert_eq!(by_step, [500_000, 3_000_000, 5_500_000, 8_000_000]);
}

#[test]
fn a_poisson_curve_is_as_uneven_as_independent_people_are() {
    let (from_ms, to_ms) = WINDOW;
    let counts = tenths(Curve::Poisson { from_ms, to_ms }, 10_000);
    let chi2: f64 = counts
        .iter()
        .map(|&c| (f64::from(c) - 1000.0).powi(2) / 1000.0)
        .sum();
    assert!((1.0..30.0).contains(&chi2), "{chi2} {counts:?}");
}

#[test]
fn a_million_arrivals_are_counted_without_drawing_them() {
    let (from_ms, to_ms) = WINDOW;
    let plan = [
        (Share { ppm: 600_000 }, Curve::Poisson { from_ms, to_ms }),
        (Share { ppm: 400_000 }, Curve::Rush { from_ms, to_ms }),
    ];
    let all = schedule(1_000_000, &plan, 7);
    for us in [-2_000_000, -1, 0, 1_234_567, 7_999_999] {
        let drawn = all.partition_point(|at| *at <= us);
        assert_eq!(come_by(1_000_000, &plan, 7, us) as usize, drawn, "{us}");
    }
}

proptest! {
    #[test]
    fn exactly_as_many_come_as_asked_and_within_the_window(n in 0u32..5000, cut in 0u32..=1_000_000, seed: u64) {
        let shares = [Share { ppm: cut }, Share { ppm: 1_000_000 - cut }];
        for curve in curves() {
            let plan = [(shares[0], curve), (shares[1], Curve::AtOnce { at_ms: 5 })];
            let instants = schedule(n, &plan, seed);
            prop_assert_eq!(instants.len(), n as usize);
            prop_assert!(instants.is_sorted());
            prop_assert!(instants.iter().all(|us| (-2_000_000..=8_000_000).contains(us)));
            prop_assert_eq!(instants, schedule(n, &plan, seed));
        }
    }

    #[test]
    fn the_count_up_to_an_instant_is_the_number_of_arrivals_up_to_it(
        n in 0u32..2000,
        cut in 0u32..=1_000_000,
        seed: u64,
        us in prop_oneof![-2_100_000i64..8_100_000, Just(-2_000_000), Just(0), Just(5000), Just(8_000_000)],
    ) {
        let shares = [Share { ppm: cut }, Share { ppm: 1_000_000 - cut }];
        for curve in curves() {
            let plan = [(shares[0], curve), (shares[1], Curve::AtOnce { at_ms: 5 })];
            let drawn = schedule(n, &plan, seed).partition_point(|at| *at <= us);
            prop_assert_eq!(come_by(n, &plan, seed, us) as usize, drawn, "{:?}", curve);
        }
    }

    #[test]
    fn nobody_who_has_come_goes_again(seed: u64, a in -2_100_000i64..8_100_000, b in -2_100_000i64..8_100_000) {
        for curve in curves() {
            let plan = [(WHOLE, curve)];
            prop_assert!(come_by(700, &plan, seed, a.min(b)) <= come_by(700, &plan, seed, a.max(b)));
        }
    }

    #[test]
    fn area_and_inverse_undo_each_other_and_are_monotone(u in 0.0f64..1.0, v in 0.0f64..1.0) {
        for curve in curves().into_iter().skip(1) {
            prop_assert!((curve.come_by(curve.come_at(u)) - u).abs() < 1e-9, "{curve:?} {u}");
            let (low, high) = if u < v { (u, v) } else { (v, u) };
            prop_assert!(curve.come_at(low) <= curve.come_at(high));
            prop_assert!(curve.come_by(low) <= curve.come_by(high));
        }
    }

    #[test]
    fn parts_add_up_to_the_whole(whole in 0u32..2_000_000, cut in 0u32..=1_000_000) {
        let shares = [Share { ppm: cut / 2 }, Share { ppm: cut - cut / 2 }, Share { ppm: 1_000_000 - cut }];
        prop_assert_eq!(apportion(whole, &shares).iter().sum::<u32>(), whole);
    }
}
