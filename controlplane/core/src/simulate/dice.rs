//! Seeded dice. Each visitor throws dice of their own, so no decision depends on the order in which
//! others are simulated. Changing the arithmetic changes every recorded forecast.

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64 (Steele, Lea, Flood 2014): one `u64` of state. Not for secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dice(u64);

/// What dice are thrown for; keeps unrelated decisions independent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Arrivals = 1,
    Persona = 2,
    Patience = 3,
    Draw = 4,
    Polls = 5,
    Visit = 6,
}

impl Dice {
    pub(super) fn of(seed: u64, visitor: usize, purpose: Purpose) -> Self {
        let mut dice = Self(
            seed ^ (visitor as u64).wrapping_mul(GOLDEN)
                ^ (purpose as u64).wrapping_mul(0xD1B5_4A32_D192_ED03),
        );
        // Seeds that differ in a bit must not begin alike.
        dice.next();
        dice
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, 1.
    pub(super) const fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// From 0 up to, not including, `n`; 0 when `n` is 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        let wide = u128::from(self.next()) * (n as u128);
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// True with probability `p`.
    pub(super) const fn happens(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// An index of `weights`, likelier where they are larger; 0 when none is positive.
    pub(super) fn weighted(&mut self, weights: impl Iterator<Item = f64> + Clone) -> usize {
        let total: f64 = weights.clone().filter(|w| *w > 0.0).sum();
        let mut left = self.unit() * total;
        let mut last = 0;
        for (index, weight) in weights.enumerate() {
            if weight > 0.0 {
                last = index;
                if left < weight {
                    return index;
                }
                left -= weight;
            }
        }
        // Rounding may leave a crumb behind the last weight.
        last
    }
}
