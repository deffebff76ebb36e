//! At which shown wait people lose heart.
//!
//! A hazard curve says which part of the people has left once the wait they are shown is that
//! long. Each person's own limit is drawn from it once, by the seed: what they do does not depend
//! on how often they look.

use super::units::Share;

/// A curve through points of rising shown wait and rising share; straight in between, nobody
/// before the first point, and no more after the last. Without points nobody ever leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hazard {
    points: Vec<HazardPoint>,
}

/// One point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HazardPoint {
    /// The wait that is shown, ms.
    pub shown_ms: u32,
    /// The part that has left by then.
    pub left: Share,
}

impl Hazard {
    /// The curve through `points`; `None` unless there is one and both columns rise.
    #[must_use]
    pub fn new(points: Vec<HazardPoint>) -> Option<Self> {
        let rising = points
            .windows(2)
            .all(|pair| pair[0].shown_ms < pair[1].shown_ms && pair[0].left <= pair[1].left);
        (!points.is_empty() && rising).then_some(Self { points })
    }

    /// The shown wait beyond which the person who threw `unit` (0..1) leaves; `None` for one who
    /// stays whatever is shown.
    #[must_use]
    pub fn limit_ms(&self, unit: f64) -> Option<u64> {
        let mut before = HazardPoint {
            shown_ms: self.points.first()?.shown_ms,
            left: Share { ppm: 0 },
        };
        for point in &self.points {
            let (low, high) = (before.left.fraction(), point.left.fraction());
            if unit < high {
                let part = ((unit - low) / (high - low)).clamp(0.0, 1.0);
                let span = f64::from(point.shown_ms - before.shown_ms);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "between two u32"
                )]
                return Some((f64::from(before.shown_ms) + part * span) as u64);
            }
            before = *point;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(shown_ms: u32, percent: u32) -> HazardPoint {
        HazardPoint {
            shown_ms,
            left: Share {
                ppm: percent * 10_000,
            },
        }
    }

    #[test]
    fn people_leave_in_the_order_of_their_limits_and_some_never() {
        let hazard = Hazard::new(vec![point(10_000, 0), point(60_000, 50), point(120_000, 75)]).unwrap();
        assert_eq!(hazard.limit_ms(0.0), Some(10_000));
        assert_eq!(hazard.limit_ms(0.25), Some(35_000));
        assert_eq!(hazard.limit_ms(0.5), Some(60_000));
        assert_eq!(hazard.limit_ms(0.7), Some(108_000));
        assert_eq!(hazard.limit_ms(0.75), None);
        // A first point above zero is a part that leaves right there.
        let step = Hazard::new(vec![point(5000, 30)]).unwrap();
        assert_eq!(
            [step.limit_ms(0.1), step.limit_ms(0.29), step.limit_ms(0.3)],
            [Some(5000), Some(5000), None]
        );
    }

    #[test]
    fn a_curve_that_falls_is_no_hazard() {
        assert_eq!(Hazard::new(vec![]), None);
        assert_eq!(Hazard::new(vec![point(10, 50), point(10, 60)]), None);
        assert_eq!(Hazard::new(vec![point(10, 50), point(20, 40)]), None);
    }

    proptest! {
        #[test]
        fn who_leaves_at_a_shown_wait_are_as_many_as_the_curve_says(shown_ms in 0u64..200_000) {
            let hazard = Hazard::new(vec![point(10_000, 5), point(60_000, 50), point(120_000, 80)]).unwrap();
            let people = 10_000;
            let left = (0..people)
                .filter(|n| {
                    let unit = (f64::from(*n) + 0.5) / f64::from(people);
                    hazard.limit_ms(unit).is_some_and(|limit| limit <= shown_ms)
                })
                .count();
            let expected = match shown_ms {
                0..10_000 => 0.0,
                10_000..60_000 => 0.05 + 0.45 * (shown_ms as f64 - 10_000.0) / 50_000.0,
                60_000..120_000 => 0.5 + 0.3 * (shown_ms as f64 - 60_000.0) / 60_000.0,
                _ => 0.8,
            };
            prop_assert!((left as f64 / f64::from(people) - expected).abs() < 0.001, "{left} {expected}");
        }
    }
}
