//! Independent arrivals, counted exactly without drawing them all.
//!
//! How many of `n` independent arrivals fall into the first half of a window is a binomial throw;
//! the same holds for each half, and so on. Every half has dice of its own, so the whole tree follows
//! from the seed, and the number of arrivals up to an instant is one way down it. Drawing all from
//! left to right yields them in order.

use crate::seed::{Dice, Purpose};

/// Halvings of a window: a day is 2^37 µs, so that a leaf is shorter than a µs.
const DEPTH_MAX: u32 = 40;

/// `count` independent arrivals in a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Halving {
    seed: u64,
    count: u32,
}

/// A part of the window, with the arrivals in it.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// As in a heap: the root is 1, the halves of `k` are `2k` and `2k + 1`.
    id: u64,
    depth: u32,
    from: f64,
    width: f64,
    count: u32,
}

impl Halving {
    /// The arrivals of the `nth` curve of the scenario with this seed.
    pub(super) fn new(seed: u64, nth: u64, count: u32) -> Self {
        Self {
            seed: Dice::new(seed, nth, Purpose::Arrivals).next(),
            count,
        }
    }

    fn root(&self) -> Node {
        Node {
            id: 1,
            depth: 0,
            from: 0.0,
            width: 1.0,
            count: self.count,
        }
    }

    /// Calls `each` with every arrival (0..1), in order.
    pub(super) fn draw(&self, each: &mut impl FnMut(f64)) {
        self.draw_in(self.root(), each);
    }

    fn draw_in(&self, node: Node, each: &mut impl FnMut(f64)) {
        if node.count == 0 {
            return;
        }
        if let Some(at) = self.leaf(node) {
            for _ in 0..node.count {
                each(at);
            }
            return;
        }
        let (left, right) = self.halves(node);
        self.draw_in(left, each);
        self.draw_in(right, each);
    }

    /// How many come no later than the instant before which, and at which, `has_come` is true.
    pub(super) fn count_while(&self, has_come: impl Fn(f64) -> bool) -> u32 {
        let (mut node, mut come) = (self.root(), 0);
        while node.count > 0 {
            if let Some(at) = self.leaf(node) {
                return come + if has_come(at) { node.count } else { 0 };
            }
            let (left, right) = self.halves(node);
            // Whoever is in the left half came before the middle, the others at it or after it.
            node = if has_come(right.from) {
                come += left.count;
                right
            } else {
                left
            };
        }
        come
    }

    /// Where the arrivals of a node are that is not halved any more.
    fn leaf(&self, node: Node) -> Option<f64> {
        match node {
            Node { count: 1, .. } => Some(node.from + node.width * self.dice(node).unit()),
            Node {
                depth: DEPTH_MAX.., ..
            } => Some(node.from + node.width / 2.0),
            _ => None,
        }
    }

    fn halves(&self, node: Node) -> (Node, Node) {
        let left_count = half_of(node.count, &mut self.dice(node));
        let left = Node {
            id: node.id * 2,
            depth: node.depth + 1,
            width: node.width / 2.0,
            count: left_count,
            ..node
        };
        let right = Node {
            id: left.id + 1,
            from: node.from + left.width,
            count: node.count - left_count,
            ..left
        };
        (left, right)
    }

    fn dice(&self, node: Node) -> Dice {
        Dice::new(self.seed, node.id, Purpose::Arrivals)
    }
}

/// How many of `count` fair coins show heads: one bit each.
fn half_of(count: u32, dice: &mut Dice) -> u32 {
    let whole: u32 = (0..count / 64).map(|_| dice.next().count_ones()).sum();
    let rest = count % 64;
    let mask = (1_u64 << rest) - 1;
    whole + (dice.next() & mask).count_ones()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drawn(halving: &Halving) -> Vec<f64> {
        let mut all = Vec::new();
        halving.draw(&mut |x| all.push(x));
        all
    }

    proptest! {
        #[test]
        fn counting_down_the_tree_agrees_with_drawing_all(n in 0u32..3000, seed: u64, x in -0.1f64..1.1) {
            let halving = Halving::new(seed, 3, n);
            let all = drawn(&halving);
            prop_assert_eq!(all.len(), n as usize);
            prop_assert!(all.is_sorted());
            let come = all.iter().filter(|at| **at <= x).count();
            prop_assert_eq!(halving.count_while(|at| at <= x) as usize, come);
        }
    }

    #[test]
    fn halves_are_as_uneven_as_coins_are() {
        let runs = 2000_u32;
        let n = 1000;
        let lefts: Vec<f64> = (0..runs)
            .map(|seed| f64::from(half_of(n, &mut Dice::new(u64::from(seed), 1, Purpose::Arrivals))))
            .collect();
        let mean = lefts.iter().sum::<f64>() / f64::from(runs);
        let variance = lefts.iter().map(|left| (left - mean).powi(2)).sum::<f64>() / f64::from(runs);
        // Binomial(1000, 1/2): mean 500, variance 250.
        assert!(
            (mean - 500.0).abs() < 1.5 && (variance - 250.0).abs() < 30.0,
            "{mean} {variance}"
        );
    }
}
