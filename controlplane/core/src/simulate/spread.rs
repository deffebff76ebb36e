//! How long something takes: a base and some steps, each drawn alike.

use super::dice::Dice;

/// A span of time that differs from person to person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// What it takes at least, ms.
    pub base_ms: u32,
    /// How many steps follow.
    pub steps: u8,
    /// Mean of each step, ms.
    pub step_ms: u32,
    /// How steps differ.
    pub shape: Shape,
}

/// How a step differs from its mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Evenly between half the mean and one and a half of it, as scenarios think.
    Even,
    /// Memoryless.
    Exponential,
}

/// Longest span: a quarter of a year. Beyond it times would not fit their 32 bits.
const LONGEST_MS: i64 = 90 * 86_400_000 / 4;

impl Spread {
    /// Always the same.
    #[must_use]
    pub const fn fixed(ms: u32) -> Self {
        Self {
            base_ms: ms,
            steps: 0,
            step_ms: 0,
            shape: Shape::Even,
        }
    }

    /// `steps` of about `mean_ms` each.
    #[must_use]
    pub const fn steps(steps: u8, mean_ms: u32) -> Self {
        Self {
            base_ms: 0,
            steps,
            step_ms: mean_ms,
            shape: Shape::Even,
        }
    }

    /// Memoryless, `mean_ms` on average.
    #[must_use]
    pub const fn exponential(mean_ms: u32) -> Self {
        Self {
            base_ms: 0,
            steps: 1,
            step_ms: mean_ms,
            shape: Shape::Exponential,
        }
    }

    /// The same, and `ms` longer.
    #[must_use]
    pub const fn plus_ms(self, ms: u32) -> Self {
        Self {
            base_ms: self.base_ms.saturating_add(ms),
            ..self
        }
    }

    /// The mean, ms.
    #[must_use]
    pub fn mean_ms(self) -> f64 {
        f64::from(self.base_ms) + f64::from(self.steps) * f64::from(self.step_ms)
    }

    pub(super) fn draw(self, dice: &mut Dice) -> i64 {
        let mean = f64::from(self.step_ms);
        let mut ms = f64::from(self.base_ms);
        for _ in 0..self.steps {
            ms += match self.shape {
                Shape::Even => mean * (0.5 + dice.unit()),
                Shape::Exponential => -mean * (1.0 - dice.unit()).ln(),
            };
        }
        #[expect(clippy::cast_possible_truncation, reason = "saturates, then clamped")]
        let ms = ms.round() as i64;
        ms.clamp(0, LONGEST_MS)
    }
}
