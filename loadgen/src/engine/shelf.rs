//! Where a million visitors wait: one slab of small records and a wheel that says whose turn it is.
//!
//! A hashed timing wheel of one-millisecond slots. Records are chained through the slab itself, so
//! resting, waking and taking are a few writes each and nothing is allocated after the start.
//! Whoever rests longer than one turn of the wheel is looked at once a turn and left alone. Due
//! records queue in the order of their milliseconds; who is taken from the queue leaves the slab.

/// Slots of the wheel, one per millisecond: one turn is 65 s.
const SLOTS: usize = 1 << 16;
const MASK: u32 = 0xffff;
/// End of a chain.
const NONE: u32 = u32::MAX;

/// One record and its links.
#[derive(Debug, Clone, Copy)]
struct Cell<T> {
    value: T,
    /// When its turn is, ms from the start.
    due_ms: u32,
    next: u32,
}

/// See the module. `T` is what is kept of one visitor.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    cells: Vec<Cell<T>>,
    /// Chain of cells that hold nobody.
    free: u32,
    /// First of the chain of each slot.
    slots: Box<[u32]>,
    /// The next millisecond to wake.
    tick: u32,
    /// Those whose turn has come, first and last.
    due: (u32, u32),
    resting: usize,
    waiting_most: usize,
}

impl<T: Copy> Shelf<T> {
    /// Room for `most` at once. The room is reserved, not touched: the system hands out its pages as
    /// they are first used.
    pub(super) fn new(most: usize) -> Self {
        Self {
            cells: Vec::with_capacity(most),
            free: NONE,
            slots: vec![NONE; SLOTS].into_boxed_slice(),
            tick: 0,
            due: (NONE, NONE),
            resting: 0,
            waiting_most: 0,
        }
    }

    /// Puts `value` to rest until `due_ms`.
    pub(super) fn rest(&mut self, value: T, due_ms: u32) {
        let cell = Cell {
            value,
            due_ms,
            next: NONE,
        };
        let at = if self.free == NONE {
            self.cells.push(cell);
            index(self.cells.len() - 1)
        } else {
            let at = self.free;
            self.free = self.cells[at as usize].next;
            self.cells[at as usize] = cell;
            at
        };
        self.resting += 1;
        self.waiting_most = self.waiting_most.max(self.resting);
        if due_ms < self.tick {
            self.append(at);
        } else {
            self.chain(at, due_ms);
        }
    }

    /// Wakes everybody due by `now_ms`.
    pub(super) fn advance(&mut self, now_ms: u32) {
        if now_ms < self.tick {
            return;
        }
        // After a long pause one look at each slot is enough for all the turns missed.
        let first = self.tick.max(now_ms.saturating_sub(MASK));
        self.tick = now_ms + 1;
        for tick in first..=now_ms {
            let slot = (tick & MASK) as usize;
            let mut at = std::mem::replace(&mut self.slots[slot], NONE);
            // The chain is the youngest first; turning it round keeps those due together in order.
            let mut oldest_first = NONE;
            while at != NONE {
                let next = std::mem::replace(&mut self.cells[at as usize].next, oldest_first);
                (oldest_first, at) = (at, next);
            }
            while oldest_first != NONE {
                let at = oldest_first;
                oldest_first = std::mem::replace(&mut self.cells[at as usize].next, NONE);
                let due_ms = self.cells[at as usize].due_ms;
                if due_ms <= now_ms {
                    self.append(at);
                } else {
                    self.chain(at, due_ms);
                }
            }
        }
    }

    /// When the first of those whose turn has come was due.
    pub(super) fn first_due(&self) -> Option<u32> {
        self.cells.get(self.due.0 as usize).map(|cell| cell.due_ms)
    }

    /// Takes the first of those whose turn has come, and when it was due.
    pub(super) fn take(&mut self) -> Option<(T, u32)> {
        let at = self.due.0;
        let cell = *self.cells.get(at as usize)?;
        self.due.0 = cell.next;
        if cell.next == NONE {
            self.due.1 = NONE;
        }
        self.cells[at as usize].next = std::mem::replace(&mut self.free, at);
        self.resting -= 1;
        Some((cell.value, cell.due_ms))
    }

    /// Milliseconds until somebody may be due, at most `most`.
    pub(super) fn quiet_ms(&self, most: u32) -> u32 {
        if self.due.0 != NONE {
            return 0;
        }
        (0..most)
            .find(|ahead| self.slots[(self.tick.wrapping_add(*ahead) & MASK) as usize] != NONE)
            .unwrap_or(most)
    }

    /// Takes everybody, due or not.
    pub(super) fn empty(&mut self) -> Vec<T> {
        let mut everybody = Vec::with_capacity(self.resting);
        while let Some((value, _)) = self.take() {
            everybody.push(value);
        }
        for slot in 0..SLOTS {
            let mut at = std::mem::replace(&mut self.slots[slot], NONE);
            while at != NONE {
                let cell = self.cells[at as usize];
                everybody.push(cell.value);
                self.cells[at as usize].next = std::mem::replace(&mut self.free, at);
                self.resting -= 1;
                at = cell.next;
            }
        }
        everybody
    }

    /// How many are here.
    pub(super) const fn len(&self) -> usize {
        self.resting
    }

    /// The most there ever were.
    pub(super) const fn most(&self) -> usize {
        self.waiting_most
    }

    /// Bytes in use for everybody who is or was here, the wheel included.
    pub(super) fn bytes(&self) -> usize {
        std::mem::size_of_val(self.cells.as_slice())
            + std::mem::size_of_val(&*self.slots)
            + std::mem::size_of::<Self>()
    }

    fn chain(&mut self, at: u32, due_ms: u32) {
        let slot = (due_ms & MASK) as usize;
        self.cells[at as usize].next = std::mem::replace(&mut self.slots[slot], at);
    }

    fn append(&mut self, at: u32) {
        let last = std::mem::replace(&mut self.due.1, at);
        match self.cells.get_mut(last as usize) {
            Some(cell) => cell.next = at,
            None => self.due.0 = at,
        }
    }
}

/// A cell's number; a shelf of four billion does not fit any machine.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_million_waiting_visitors_cost_at_most_80_bytes_each() {
        use crate::journey::Standing;
        let mut shelf = Shelf::new(1_000_000);
        for index in 0..1_000_000_u64 {
            let standing = Standing::new(1, index, 0, index);
            shelf.rest(standing, u32::try_from(index % 90_000).unwrap());
        }
        let each = shelf.bytes() as f64 / 1e6;
        println!(
            "{each:.1} bytes a waiting visitor ({} of them the record)",
            size_of::<Standing>()
        );
        assert!(each <= 80.0, "{each}");
        assert_eq!(shelf.cells.capacity(), 1_000_000, "reserved once, never moved");
    }

    #[test]
    fn who_rests_for_hours_is_woken_then_and_not_at_every_turn_of_the_wheel() {
        let mut shelf = Shelf::new(1);
        let due = 3 * 3_600_000;
        shelf.rest('a', due);
        for now in (0..due).step_by(1000) {
            shelf.advance(now);
            assert_eq!(shelf.take(), None, "{now}");
        }
        shelf.advance(due);
        assert_eq!(shelf.take(), Some(('a', due)));
    }

    #[test]
    fn who_is_due_already_comes_next_and_a_long_pause_loses_nobody() {
        let mut shelf = Shelf::new(4);
        shelf.rest(1, 10);
        shelf.rest(2, 400_000);
        shelf.rest(3, 400_000);
        shelf.advance(500_000);
        shelf.rest(4, 7);
        let order: Vec<_> = std::iter::from_fn(|| shelf.take()).map(|(n, _)| n).collect();
        assert_eq!(order.len(), 4);
        assert_eq!(order[3], 4);
        assert!(order.iter().position(|n| *n == 2) < order.iter().position(|n| *n == 3));
    }

    proptest! {
        /// Against a sorted map: everybody is woken at the first look at or after their moment,
        /// nobody before, nobody twice, and those of one millisecond in the order they came.
        #[test]
        fn it_wakes_as_a_sorted_map_does(
            steps in prop::collection::vec((0u32..200_000, 0u32..3000, any::<bool>()), 1..200)
        ) {
            let mut shelf = Shelf::new(0);
            let mut model: BTreeMap<(u32, usize), usize> = BTreeMap::new();
            let mut now = 0;
            for (nth, (ahead, pass, take)) in steps.into_iter().enumerate() {
                shelf.rest(nth, now + 1 + ahead);
                model.insert((now + 1 + ahead, nth), nth);
                now += pass;
                shelf.advance(now);
                let quiet = shelf.quiet_ms(50);
                let next = model.keys().next().map_or(u32::MAX, |key| key.0);
                prop_assert!(next > now + quiet || quiet == 0 || next == now + 1 + quiet || next > now);
                if take {
                    while let Some((value, due)) = shelf.take() {
                        prop_assert!(due <= now);
                        prop_assert_eq!(model.remove(&(due, value)), Some(value));
                    }
                    prop_assert!(model.keys().all(|(due, _)| *due > now));
                }
                prop_assert_eq!(shelf.len(), model.len());
            }
            let mut left = shelf.empty();
            left.sort_unstable();
            let mut expected: Vec<_> = model.into_values().collect();
            expected.sort_unstable();
            prop_assert_eq!(left, expected);
            prop_assert_eq!(shelf.len(), 0);
        }
    }
}
