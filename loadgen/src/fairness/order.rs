//! How far two orders of the same people agree: swaps counted exactly, Kendall's tau.
//!
//! Both in O(n log n), because a crowd is a million; each is held to its naive definition by a
//! property test.

use serde::{Deserialize, Serialize};

/// Somebody in two orders: by a stretch of time, and by a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// From then on it may have been numbered, µs.
    pub from_us: i64,
    /// By then it had been, µs; not before `from_us`.
    pub until_us: i64,
    /// The number.
    pub number: u64,
}

/// Pairs of whom the later stands ahead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inversions {
    /// How many pairs.
    pub pairs: u64,
    /// How many stand ahead of somebody who came before.
    pub people: u64,
    /// The largest head start that was lost, µs.
    pub worst_us: i64,
}

/// Counts the pairs in which one was numbered more than `window_us` before the other came and has
/// the larger number all the same.
#[must_use]
pub fn inversions(entries: &[Entry], window_us: i64) -> Inversions {
    let mut numbers: Vec<u64> = entries.iter().map(|entry| entry.number).collect();
    numbers.sort_unstable();
    let mut by_from: Vec<&Entry> = entries.iter().collect();
    by_from.sort_unstable_by_key(|entry| entry.from_us);
    let mut by_until = by_from.clone();
    by_until.sort_unstable_by_key(|entry| entry.until_us);
    let mut before = Numbered::new(entries.len());
    let mut earlier = by_until.into_iter().peekable();
    let mut found = Inversions::default();
    for later in by_from {
        let ended = later.from_us - window_us;
        while let Some(entry) = earlier.next_if(|entry| entry.until_us < ended) {
            let rank = numbers.partition_point(|number| *number < entry.number);
            before.add(rank, entry.until_us);
        }
        let above = numbers.partition_point(|number| *number <= later.number);
        let (overtaken, first_us) = before.at_or_above(above);
        found.pairs += overtaken;
        found.people += u64::from(overtaken > 0);
        if overtaken > 0 {
            found.worst_us = found.worst_us.max(later.from_us - first_us);
        }
    }
    found
}

/// Who has come, by rank of number: how many from a rank on, and the earliest of them. Two Fenwick
/// trees over the ranks from the top.
struct Numbered {
    counts: Vec<u32>,
    firsts: Vec<i64>,
}

impl Numbered {
    fn new(ranks: usize) -> Self {
        Self {
            counts: vec![0; ranks + 1],
            firsts: vec![i64::MAX; ranks + 1],
        }
    }

    fn add(&mut self, rank: usize, at_us: i64) {
        let mut node = self.counts.len() - 1 - rank;
        while node < self.counts.len() {
            self.counts[node] += 1;
            self.firsts[node] = self.firsts[node].min(at_us);
            node += node & node.wrapping_neg();
        }
    }

    fn at_or_above(&self, rank: usize) -> (u64, i64) {
        let mut node = self.counts.len() - 1 - rank;
        let (mut count, mut first) = (0, i64::MAX);
        while node > 0 {
            count += u64::from(self.counts[node]);
            first = first.min(self.firsts[node]);
            node &= node - 1;
        }
        (count, first)
    }
}

/// Kendall's tau-b of pairs (x, y): 1 when both orders agree, -1 when they are opposite, about 0
/// when they have nothing to do with each other. `None` when one of them orders nothing.
#[must_use]
pub fn kendall_tau(pairs: &[(i64, u64)]) -> Option<f64> {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    let tied_x = ties(&sorted, |a, b| a.0 == b.0);
    let tied_both = ties(&sorted, |a, b| a == b);
    let mut ys: Vec<u64> = sorted.into_iter().map(|(_, y)| y).collect();
    let swaps = sort_counting_swaps(&mut ys);
    let tied_y = ties(&ys, |a, b| a == b);
    let n = pairs.len() as u128;
    let all = n * n.saturating_sub(1) / 2;
    let (by_x, by_y) = (float(all - tied_x), float(all - tied_y));
    if by_x == 0.0 || by_y == 0.0 {
        return None;
    }
    // Pairs in the same order, less those in the opposite one.
    let agreeing = float(all + tied_both) - float(tied_x + tied_y) - 2.0 * float(swaps);
    Some(agreeing / (by_x.sqrt() * by_y.sqrt()))
}

/// How many standard deviations a tau of `n` unrelated pairs is from 0.
#[must_use]
pub fn tau_sigmas(tau: f64, n: usize) -> f64 {
    let n = float(n as u128);
    let variance = 2.0 * (2.0 * n + 5.0) / (9.0 * n * (n - 1.0));
    tau / variance.sqrt()
}

/// Pairs within runs of equals.
fn ties<T>(sorted: &[T], same: impl Fn(&T, &T) -> bool) -> u128 {
    sorted
        .chunk_by(|a, b| same(a, b))
        .map(|run| (run.len() as u128) * (run.len() as u128 - 1) / 2)
        .sum()
}

/// Merge sort; how many pairs were the wrong way round.
fn sort_counting_swaps(values: &mut Vec<u64>) -> u128 {
    let n = values.len();
    let mut merged = vec![0; n];
    let mut swaps = 0;
    let mut width = 1;
    while width < n {
        for start in (0..n).step_by(2 * width) {
            let (middle, end) = ((start + width).min(n), (start + 2 * width).min(n));
            let (mut left, mut right) = (start, middle);
            for slot in &mut merged[start..end] {
                let from_left = left < middle && (right == end || values[left] <= values[right]);
                if from_left {
                    *slot = values[left];
                    left += 1;
                } else {
                    *slot = values[right];
                    right += 1;
                    // It passes everybody still waiting on the left.
                    swaps += (middle - left) as u128;
                }
            }
        }
        std::mem::swap(values, &mut merged);
        width *= 2;
    }
    swaps
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio of pair counts; 15 digits are plenty"
)]
fn float(n: u128) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive_inversions(entries: &[Entry], window_us: i64) -> Inversions {
        let mut found = Inversions::default();
        for later in entries {
            let lost = entries
                .iter()
                .filter(|entry| entry.until_us < later.from_us - window_us && entry.number > later.number)
                .map(|entry| later.from_us - entry.until_us);
            let (mut pairs, mut worst) = (0, 0);
            for start in lost {
                pairs += 1;
                worst = worst.max(start);
            }
            found.pairs += pairs;
            found.people += u64::from(pairs > 0);
            found.worst_us = found.worst_us.max(worst);
        }
        found
    }

    fn naive_tau(pairs: &[(i64, u64)]) -> Option<f64> {
        let (mut agree, mut by_x, mut by_y) = (0_i64, 0_i64, 0_i64);
        for (i, a) in pairs.iter().enumerate() {
            for b in &pairs[i + 1..] {
                let (x, y) = (a.0.cmp(&b.0) as i64, a.1.cmp(&b.1) as i64);
                agree += x * y;
                by_x += x.abs();
                by_y += y.abs();
            }
        }
        (by_x > 0 && by_y > 0).then(|| agree as f64 / ((by_x as f64).sqrt() * (by_y as f64).sqrt()))
    }

    proptest! {
        #[test]
        fn inversions_are_the_pairs_that_looking_at_every_pair_finds(
            people in prop::collection::vec((0i64..300, 0i64..40, 0u64..60), 0..70),
            window_us in 0i64..60,
        ) {
            let entries: Vec<Entry> = people
                .into_iter()
                .map(|(from_us, took_us, number)| Entry { from_us, until_us: from_us + took_us, number })
                .collect();
            prop_assert_eq!(inversions(&entries, window_us), naive_inversions(&entries, window_us));
        }

        #[test]
        fn tau_is_what_its_definition_says(pairs in prop::collection::vec((0i64..50, 0u64..50), 0..70)) {
            match (kendall_tau(&pairs), naive_tau(&pairs)) {
                (Some(fast), Some(naive)) => prop_assert!((fast - naive).abs() < 1e-9, "{fast} {naive}"),
                (fast, naive) => prop_assert_eq!(fast, naive),
            }
        }
    }

    #[test]
    fn tau_is_one_for_the_same_order_and_minus_one_for_the_opposite() {
        let same: Vec<(i64, u64)> = (0..100_i64).map(|n| (n, n.unsigned_abs())).collect();
        let opposite: Vec<(i64, u64)> = (0..100_i64).map(|n| (n, 100 - n.unsigned_abs())).collect();
        assert!((kendall_tau(&same).unwrap() - 1.0).abs() < 1e-12);
        assert!((kendall_tau(&opposite).unwrap() + 1.0).abs() < 1e-12);
        assert_eq!(kendall_tau(&[]), None);
    }

    #[test]
    fn a_crowd_is_judged_without_looking_at_every_pair() {
        use crate::seed::{Dice, Purpose};
        let mut dice = Dice::new(1, 1, Purpose::Arrivals);
        let people: Vec<(i64, u64)> = (0..100_000).map(|n| (n, dice.next())).collect();
        let tau = kendall_tau(&people).unwrap();
        let entries: Vec<Entry> = people
            .iter()
            .map(|(at, number)| Entry {
                from_us: *at,
                until_us: *at + 10,
                number: *number,
            })
            .collect();
        let found = inversions(&entries, 50);
        assert!(tau_sigmas(tau, people.len()).abs() < 5.0, "{tau}");
        // Half of all five billion pairs.
        let all = 1e5 * (1e5 - 1.0) / 2.0;
        assert!((found.pairs as f64 / all - 0.5).abs() < 3e-3);
    }
}
