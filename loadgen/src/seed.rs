//! Seeded dice: everything random in a run follows from the scenario's seed.
//!
//! Each visitor throws dice of their own, derived from (seed, index, purpose), so that what one
//! visitor decides never depends on how threads interleave. Eight bytes of state, because a
//! million visitors carry one each. Changing the arithmetic changes every recorded run.

/// SplitMix64: tiny, well mixed, one `u64` of state. Not for secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dice {
    state: u64,
}

/// What dice are thrown for; keeps unrelated decisions independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Who a visitor is.
    Persona = 1,
    /// What a visitor does.
    Journey = 2,
    /// When visitors of a Poisson curve come.
    Arrivals = 3,
    /// A visitor's account.
    Account = 4,
    /// The seed of one of several sales.
    Sale = 5,
    /// How many seats a visitor wants.
    Party = 6,
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Dice {
    /// The dice of visitor `index` for `purpose`.
    #[must_use]
    pub const fn new(seed: u64, index: u64, purpose: Purpose) -> Self {
        let mut dice = Self {
            state: seed ^ index.wrapping_mul(GOLDEN) ^ (purpose as u64).wrapping_mul(0xD1B5_4A32_D192_ED03),
        };
        dice.next();
        dice
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, 1.
    pub fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
        let bits = (self.next() >> 11) as f64;
        bits / 9_007_199_254_740_992.0
    }

    /// From 0 up to, not including, `n`; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 {
            return 0;
        }
        let wide = u128::from(self.next()) * (n as u128);
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// Around `mean_ms`: uniform between half of it and one and a half.
    pub fn around_ms(&mut self, mean_ms: u32) -> u64 {
        let mean = u64::from(mean_ms);
        mean / 2 + ((u128::from(self.next()) * u128::from(mean)) >> 64) as u64
    }

    /// 128 bits, for ids.
    pub fn wide(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_throws_and_other_visitors_throw_otherwise() {
        let throws = |seed, index| {
            let mut dice = Dice::new(seed, index, Purpose::Journey);
            [dice.next(), dice.next(), dice.next()]
        };
        assert_eq!(throws(7, 1), throws(7, 1));
        assert_ne!(throws(7, 1), throws(7, 2));
        assert_ne!(throws(7, 1), throws(8, 1));
    }

    #[test]
    fn throws_stay_in_range_and_spread() {
        let mut dice = Dice::new(1, 1, Purpose::Journey);
        let mut sum = 0.0;
        for _ in 0..10_000 {
            let unit = dice.unit();
            assert!((0.0..1.0).contains(&unit));
            sum += unit;
            assert!(dice.below(7) < 7);
            let think = dice.around_ms(1000);
            assert!((500..1500).contains(&think), "{think}");
        }
        assert!((4800.0..5200.0).contains(&sum), "{sum}");
    }
}
