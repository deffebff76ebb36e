//! Named curves, each with its area and the inverse of it in closed form.

use crate::scenario::Share;

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
    /// A rate that changes evenly from its start to its end.
    Ramp {
        /// Start.
        from_ms: i64,
        /// End.
        to_ms: i64,
        /// The rate at the start, against that at the end.
        start: Share,
        /// The rate at the end, against that at the start.
        end: Share,
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
    /// Start and end, ms from the opening; both the same for [`Curve::AtOnce`].
    #[must_use]
    pub const fn window_ms(&self) -> (i64, i64) {
        match *self {
            Self::AtOnce { at_ms } => (at_ms, at_ms),
            Self::Steady { from_ms, to_ms }
            | Self::Ramp { from_ms, to_ms, .. }
            | Self::Rush { from_ms, to_ms }
            | Self::Peak { from_ms, to_ms }
            | Self::Poisson { from_ms, to_ms }
            | Self::Stairs { from_ms, to_ms, .. } => (from_ms, to_ms),
        }
    }

    /// The fraction that has come when the part `x` (0..1) of the window is over: the area so far.
    #[must_use]
    pub fn come_by(&self, x: f64) -> f64 {
        let x = x.clamp(0.0, 1.0);
        match *self {
            Self::AtOnce { .. } => 1.0,
            Self::Steady { .. } | Self::Poisson { .. } => x,
            Self::Ramp { start, end, .. } => {
                let (a, b) = (start.fraction(), end.fraction());
                x * (2.0 * a + (b - a) * x) / (a + b)
            }
            Self::Rush { .. } => (1.0 - (-RUSH_DECAY * x).exp()) / (1.0 - (-RUSH_DECAY).exp()),
            Self::Peak { .. } => {
                let (low, high) = peak_ends();
                (logistic(PEAK_STEEPNESS * (x - 0.5)) - low) / (high - low)
            }
            Self::Stairs { steps, .. } => stairs(x, steps),
        }
    }

    /// The part of the window at whose end the fraction `u` (0..1) has come: the inverse of
    /// [`Curve::come_by`].
    #[must_use]
    pub fn come_at(&self, u: f64) -> f64 {
        let x = match *self {
            Self::AtOnce { .. } => 0.0,
            Self::Steady { .. } | Self::Poisson { .. } => u,
            Self::Ramp { start, end, .. } => {
                let (a, b) = (start.fraction(), end.fraction());
                let below = a + (a * a + (b - a) * (a + b) * u).max(0.0).sqrt();
                if below > 0.0 { u * (a + b) / below } else { 0.0 }
            }
            Self::Rush { .. } => -(1.0 - u * (1.0 - (-RUSH_DECAY).exp())).ln() / RUSH_DECAY,
            Self::Peak { .. } => {
                let (low, high) = peak_ends();
                let y = low + u * (high - low);
                (y / (1.0 - y)).ln() / PEAK_STEEPNESS + 0.5
            }
            Self::Stairs { steps, .. } => stairs_inverse(u, steps),
        };
        x.clamp(0.0, 1.0)
    }

    /// The instant, in µs from the opening, at the part `x` (0..1) of the window.
    #[must_use]
    pub fn at_us(&self, x: f64) -> i64 {
        let (from_ms, to_ms) = self.window_ms();
        #[expect(clippy::cast_precision_loss, reason = "a run is shorter than 2^53 µs")]
        let length_us = ((to_ms - from_ms) * 1000) as f64;
        #[expect(clippy::cast_possible_truncation, reason = "x is within 0..=1")]
        let offset_us = (x.clamp(0.0, 1.0) * length_us).round() as i64;
        from_ms * 1000 + offset_us
    }

    /// The part of the window that is over at `us` µs from the opening.
    #[must_use]
    pub fn part_at(&self, us: i64) -> f64 {
        let (from_ms, to_ms) = self.window_ms();
        if us >= to_ms * 1000 {
            return 1.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a run is shorter than 2^53 µs")]
        let part = (us - from_ms * 1000) as f64 / ((to_ms - from_ms) * 1000) as f64;
        part.clamp(0.0, 1.0)
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn peak_ends() -> (f64, f64) {
    (logistic(-PEAK_STEEPNESS / 2.0), logistic(PEAK_STEEPNESS / 2.0))
}

/// Area under `steps` stairs with heights 1, 2, ... and equal widths, of the whole.
fn stairs(x: f64, steps: u32) -> f64 {
    let steps = f64::from(steps);
    let step = (x * steps).floor().min(steps - 1.0);
    let before = step * (step + 1.0) / 2.0;
    (before + (x * steps - step) * (step + 1.0)) / (steps * (steps + 1.0) / 2.0)
}

/// Inverse of [`stairs`].
fn stairs_inverse(u: f64, steps: u32) -> f64 {
    let steps = f64::from(steps);
    let area = u * steps * (steps + 1.0) / 2.0;
    // The step `j` (from 0) in which `area` lies: j(j+1)/2 <= area < (j+1)(j+2)/2.
    let j = (((1.0 + 8.0 * area).sqrt() - 1.0) / 2.0)
        .floor()
        .clamp(0.0, steps - 1.0);
    let before = j * (j + 1.0) / 2.0;
    (j + (area - before) / (j + 1.0)) / steps
}
