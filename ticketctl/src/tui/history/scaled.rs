//! The same columns at several scales, each a ring. A second goes into all of them as it comes, so
//! changing the scale of a screen costs nothing and an hour-old minute is still there.

use super::Second;
use std::collections::VecDeque;

/// Seconds in a column, by scale.
pub(crate) const SCALES_S: [u64; 4] = [1, 5, 30, 300];

/// Columns kept at each scale: wider than any terminal. At the coarsest that is a day.
pub(super) const COLUMNS: usize = 300;

/// Rings at every scale.
#[derive(Debug, Clone)]
pub(crate) struct Scaled([Ring; SCALES_S.len()]);

#[derive(Debug, Clone)]
struct Ring {
    scale_s: u64,
    /// The column being filled, and how many seconds are in it.
    open: Second,
    open_s: u64,
    done: VecDeque<Second>,
}

impl Default for Scaled {
    fn default() -> Self {
        Self(SCALES_S.map(|scale_s| Ring {
            scale_s,
            open: Second::default(),
            open_s: 0,
            done: VecDeque::new(),
        }))
    }
}

impl Scaled {
    /// Adds `times` seconds like `second`. A gap longer than everything that is kept costs no more
    /// than filling the rings.
    pub(super) fn push(&mut self, second: &Second, times: u64) {
        for ring in &mut self.0 {
            let most = ring.scale_s * (COLUMNS as u64 + 1);
            for _ in 0..times.clamp(1, most) {
                ring.push(second);
            }
        }
    }

    /// The columns at `scale`, oldest first, with the seconds each holds; the last may be filling.
    pub(super) fn columns(&self, scale: usize) -> impl Iterator<Item = (u64, &Second)> {
        let ring = &self.0[scale.min(SCALES_S.len() - 1)];
        let open = (ring.open_s > 0).then_some((ring.open_s, &ring.open));
        ring.done.iter().map(|column| (ring.scale_s, column)).chain(open)
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.0.iter().map(|ring| ring.done.len()).sum()
    }
}

impl Ring {
    fn push(&mut self, second: &Second) {
        self.open.add(second);
        self.open_s += 1;
        if self.open_s == self.scale_s {
            if self.done.len() == COLUMNS {
                self.done.pop_front();
            }
            self.done.push_back(std::mem::take(&mut self.open));
            self.open_s = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(joined: u64) -> Second {
        Second {
            joined,
            waiting: joined,
            ..Second::default()
        }
    }

    #[test]
    fn five_seconds_are_one_column_at_the_next_scale() {
        let mut scaled = Scaled::default();
        for joined in 1..=7 {
            scaled.push(&second(joined), 1);
        }
        let five: Vec<_> = scaled.columns(1).map(|(s, c)| (s, c.joined, c.waiting)).collect();
        assert_eq!(five, [(5, 15, 5), (2, 13, 7)]);
        assert_eq!(scaled.columns(0).count(), 7);
    }

    #[test]
    fn every_ring_is_bounded_and_a_long_gap_is_cheap() {
        let mut scaled = Scaled::default();
        scaled.push(&second(1), u64::MAX);
        assert!(scaled.held() <= COLUMNS * SCALES_S.len());
        assert_eq!(scaled.columns(0).count(), COLUMNS);
    }
}
