//! When people come: named curves, integrated analytically.
//!
//! A curve is a rate over time; its area up to an instant is how many have come by then, so the
//! instant of the k-th arrival is the inverse of the area at `(k + ½) / n`. No stepping, no drift:
//! exactly the asked number comes, at the same instants on every machine and in whatever segments
//! the crowd is cut. Arrivals are open-loop: nobody waits for the system to be ready.

mod curve;
mod halving;

pub use curve::Curve;

use crate::scenario::Share;
use halving::Halving;

/// The part of a crowd that comes along one curve.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    curve: Curve,
    count: u32,
    independent: Option<Halving>,
}

impl Stream {
    /// `count` people along `curve`, the `nth` of the scenario with this seed.
    #[must_use]
    pub fn new(curve: Curve, count: u32, seed: u64, nth: u64) -> Self {
        let poisson = matches!(curve, Curve::Poisson { .. });
        Self {
            curve,
            count,
            independent: poisson.then(|| Halving::new(seed, nth, count)),
        }
    }

    /// How many come in all.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// How many have come at `us` µs from the opening, that instant included.
    #[must_use]
    pub fn come_by(&self, us: i64) -> u32 {
        if let Some(halving) = &self.independent {
            return halving.count_while(|x| self.curve.at_us(x) <= us);
        }
        let (from_ms, to_ms) = self.curve.window_ms();
        if us < from_ms * 1000 || self.count == 0 {
            return 0;
        }
        if us >= to_ms * 1000 {
            return self.count;
        }
        // The area says how many; instants are rounded to µs, so look whether a neighbour is in.
        let area = self.curve.come_by(self.curve.part_at(us)) * f64::from(self.count);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and count"
        )]
        let mut come = (area.round() as u32).min(self.count);
        while come < self.count && self.instant_us(come) <= us {
            come += 1;
        }
        while come > 0 && self.instant_us(come - 1) > us {
            come -= 1;
        }
        come
    }

    /// The instant of the `k`-th (from 0) of an even curve, µs from the opening.
    fn instant_us(&self, k: u32) -> i64 {
        let u = (f64::from(k) + 0.5) / f64::from(self.count);
        self.curve.at_us(self.curve.come_at(u))
    }

    /// Adds every arrival to `instants`, in order.
    fn draw(&self, instants: &mut Vec<i64>) {
        match &self.independent {
            Some(halving) => halving.draw(&mut |x| instants.push(self.curve.at_us(x))),
            None => instants.extend((0..self.count).map(|k| self.instant_us(k))),
        }
    }
}

/// `visitors` along `curves`, each curve with its share.
#[must_use]
pub fn streams(visitors: u32, curves: &[(Share, Curve)], seed: u64) -> Vec<Stream> {
    let shares: Vec<Share> = curves.iter().map(|(share, _)| *share).collect();
    apportion(visitors, &shares)
        .into_iter()
        .zip(curves)
        .zip(0..)
        .map(|((count, (_, curve)), nth)| Stream::new(*curve, count, seed, nth))
        .collect()
}

/// Every arrival of `visitors` along `curves`, in µs from the opening, sorted.
#[must_use]
pub fn schedule(visitors: u32, curves: &[(Share, Curve)], seed: u64) -> Vec<i64> {
    let mut instants = Vec::with_capacity(visitors as usize);
    for stream in streams(visitors, curves, seed) {
        stream.draw(&mut instants);
    }
    // Each curve is in order already, which this sort makes use of.
    instants.sort();
    instants
}

/// How many of `visitors` along `curves` have come at `us` µs from the opening; nobody is drawn
/// for it.
#[must_use]
pub fn come_by(visitors: u32, curves: &[(Share, Curve)], seed: u64, us: i64) -> u32 {
    streams(visitors, curves, seed)
        .iter()
        .map(|stream| stream.come_by(us))
        .sum()
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

#[cfg(test)]
mod tests;
