//! When people come: named curves, integrated analytically.
//!
//! A curve is a rate over time; its area up to an instant is how many have come by then, so the
//! instant of the k-th arrival is the inverse of the area at `(k + ½) / n`. No stepping, no drift:
//! exactly the asked number comes, at the same instants on every machine. Arrivals are open-loop:
//! nobody waits for the system to be ready.

use crate::scenario::Share;
use crate::seed::{Dice, Purpose};

/// A curve, in ms relative to the opening. The rate outside `from..to` is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// All in one instant.
    AtOnce {
        /// When.
        at_ms: i64,
    },
    /// A constant rate.
    Steady {
        /// Start.
        from_ms: i64,
        /// End.
        to_ms: i64,
    },
    /// From nothing, growing evenly.
    Ramp {
        /// Start.
        from_ms: i64,
        /// End.
        to_ms: i64,
    },
    /// All press at the start; the rate falls exponentially (99.3 % lower at the end).
    Rush {
        /// Start.
        from_ms: i64,
        /// End.
        to_ms: i64,
    },
    /// A smooth hump with its top in the middle.
    Peak {
        /// Start.
        from_ms: i64,
        /// End.
        to_ms: i64,
    },
    /// A constant rate on average, each arrival independent of the others.
    Poisson {
        /// Start.
        from_ms: i64,
        /// End.
        to_ms: i64,
    },
    /// Steps of equal length, each as much higher than the one before.
    Stairs {
        /// Start.
        from_ms: i64,
        /// End.
        to_ms: i64,
        /// How many steps.
        steps: u32,
    },
}

/// How fast a rush dies down over its window.
const RUSH_DECAY: f64 = 5.0;
/// How steep a peak is: the logistic curve is cut at plus and minus half of this.
const PEAK_STEEPNESS: f64 = 10.0;

impl Curve {
    /// The instant, in µs from the opening, by which the fraction `u` (0..1) has come.
    #[must_use]
    pub fn instant_us(&self, u: f64) -> i64 {
        let (from_ms, to_ms, x) = match *self {
            Self::AtOnce { at_ms } => return at_ms * 1000,
            Self::Steady { from_ms, to_ms } | Self::Poisson { from_ms, to_ms } => (from_ms, to_ms, u),
            Self::Ramp { from_ms, to_ms } => (from_ms, to_ms, u.sqrt()),
            Self::Rush { from_ms, to_ms } => (
                from_ms,
                to_ms,
                -(1.0 - u * (1.0 - (-RUSH_DECAY).exp())).ln() / RUSH_DECAY,
            ),
            Self::Peak { from_ms, to_ms } => (from_ms, to_ms, peak_inverse(u)),
            Self::Stairs {
                from_ms,
                to_ms,
                steps,
            } => (from_ms, to_ms, stairs_inverse(u, steps)),
        };
        #[expect(clippy::cast_precision_loss, reason = "a run is shorter than 2^53 µs")]
        let length_us = ((to_ms - from_ms) * 1000) as f64;
        #[expect(clippy::cast_possible_truncation, reason = "x is within 0..=1")]
        let offset_us = (x.clamp(0.0, 1.0) * length_us).round() as i64;
        from_ms * 1000 + offset_us
    }
}

/// Inverse of the cut logistic curve.
fn peak_inverse(u: f64) -> f64 {
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (low, high) = (logistic(-PEAK_STEEPNESS / 2.0), logistic(PEAK_STEEPNESS / 2.0));
    let y = low + u * (high - low);
    (y / (1.0 - y)).ln() / PEAK_STEEPNESS + 0.5
}

/// Inverse of the area under `steps` stairs with heights 1, 2, ... and equal widths.
fn stairs_inverse(u: f64, steps: u32) -> f64 {
    let steps_f = f64::from(steps);
    let total = steps_f * (steps_f + 1.0) / 2.0;
    let area = u * total;
    // The step `j` (from 0) in which `area` lies: j(j+1)/2 <= area < (j+1)(j+2)/2.
    let j = (((1.0 + 8.0 * area).sqrt() - 1.0) / 2.0)
        .floor()
        .clamp(0.0, steps_f - 1.0);
    let before = j * (j + 1.0) / 2.0;
    (j + (area - before) / (j + 1.0)) / steps_f
}

/// Parts of `whole` by `shares`, adding up exactly: what rounding leaves goes to the largest
/// remainders.
#[must_use]
pub fn apportion(whole: u32, shares: &[Share]) -> Vec<u32> {
    let unit = u64::from(Share::WHOLE_PPM);
    let exact: Vec<u64> = shares
        .iter()
        .map(|share| u64::from(whole) * u64::from(share.ppm))
        .collect();
    let mut parts: Vec<u64> = exact.iter().map(|part| part / unit).collect();
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by_key(|&index| std::cmp::Reverse(exact[index] % unit));
    let left = u64::from(whole).saturating_sub(parts.iter().sum());
    for &index in by_remainder
        .iter()
        .cycle()
        .take(usize::try_from(left).unwrap_or(0))
    {
        parts[index] += 1;
    }
    parts
        .into_iter()
        .map(|part| u32::try_from(part).unwrap_or(u32::MAX))
        .collect()
}

/// Every arrival of `visitors` along `curves`, in µs from the opening, sorted.
#[must_use]
pub fn schedule(visitors: u32, curves: &[(Share, Curve)], seed: u64) -> Vec<i64> {
    let shares: Vec<Share> = curves.iter().map(|(share, _)| *share).collect();
    let mut instants = Vec::with_capacity(visitors as usize);
    for (segment, (count, (_, curve))) in apportion(visitors, &shares).into_iter().zip(curves).enumerate() {
        let mut dice = Dice::new(seed, segment as u64, Purpose::Arrivals);
        for k in 0..count {
            let u = match curve {
                // Given how many come, a Poisson process is that many independent throws.
                Curve::Poisson { .. } => dice.unit(),
                _ => (f64::from(k) + 0.5) / f64::from(count),
            };
            instants.push(curve.instant_us(u));
        }
    }
    instants.sort_unstable();
    instants
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: (i64, i64) = (-2000, 8000);

    fn curves() -> Vec<Curve> {
        let (from_ms, to_ms) = WINDOW;
        vec![
            Curve::AtOnce { at_ms: 0 },
            Curve::Steady { from_ms, to_ms },
            Curve::Ramp { from_ms, to_ms },
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
        for us in schedule(n, &[(Share { ppm: 1_000_000 }, curve)], 1) {
            let tenth = (us + 2_000_000) / 1_000_000;
            counts[usize::try_from(tenth.clamp(0, 9)).unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn curves_have_the_shape_their_name_says() {
        let (from_ms, to_ms) = WINDOW;
        assert_eq!(tenths(Curve::Steady { from_ms, to_ms }, 1000), [100; 10]);
        let ramp = tenths(Curve::Ramp { from_ms, to_ms }, 1000);
        assert_eq!(ramp, [10, 30, 50, 70, 90, 110, 130, 150, 170, 190]);
        let rush = tenths(Curve::Rush { from_ms, to_ms }, 1000);
        assert!(rush.is_sorted_by(|a, b| a > b) && rush[0] > 380, "{rush:?}");
        let peak = tenths(Curve::Peak { from_ms, to_ms }, 1000);
        assert!(peak[4] > 200 && peak[5] > 200 && peak[0] < 25, "{peak:?}");
        let stairs = Curve::Stairs {
            from_ms,
            to_ms,
            steps: 4,
        };
        let by_step: Vec<i64> = [0.1, 0.3, 0.6, 1.0].map(|u| stairs.instant_us(u)).to_vec();
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
        fn the_inverse_is_monotone(a in 0.0f64..1.0, b in 0.0f64..1.0) {
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            for curve in curves() {
                prop_assert!(curve.instant_us(low) <= curve.instant_us(high));
            }
        }
    }
}
