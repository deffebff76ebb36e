//! Those inside and what each does next: a slab, because at most the cap are inside at once, and
//! a heap of what is due. Events are packed into a `u64` each: time first, so that they sort.

use super::dice::Dice;
use std::{cmp::Reverse, collections::BinaryHeap};

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A visitor sees which seats are free.
    Look(u32),
    /// A visitor reaches for seats.
    Reach(u32),
    /// A visitor's payment is answered.
    Pay(u32),
    /// A visitor leaves, as intended or because the slot ended.
    Leave(u32),
    /// A hold ends: so many seats come back.
    Return(u32),
}

/// A visitor inside.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) visitor: u32,
    pub(super) dice: Dice,
    /// When the slot ends whatever happens.
    pub(super) ends_at: i64,
    pub(super) group: u32,
    /// Free seats and seats ever held when last looked.
    pub(super) saw_free: u64,
    pub(super) saw_taken: u64,
    pub(super) races: u8,
    pub(super) empty_looks: u8,
    pub(super) declines: u8,
    /// When what is held comes back, if something is held.
    pub(super) holds_until: Option<i64>,
    pub(super) leaves_as: super::inside::Fate,
}

/// All slots; freed ones are used again.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Slots {
    pub(super) fn add(&mut self, slot: Slot) -> u32 {
        match self.free.pop() {
            Some(index) => {
                self.slots[index as usize] = slot;
                index
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            }
        }
    }

    pub(super) fn get(&mut self, index: u32) -> &mut Slot {
        &mut self.slots[index as usize]
    }

    pub(super) fn remove(&mut self, index: u32) {
        self.free.push(index);
    }
}

/// What is due, soonest first; at the same instant in a fixed order.
#[derive(Debug, Default)]
pub(super) struct Agenda(BinaryHeap<Reverse<u64>>);

/// Packed times start here, so that they are not negative.
const EPOCH_MS: i64 = 1 << 31;

impl Agenda {
    pub(super) fn add(&mut self, at_ms: i64, step: Step) {
        // Seats come back and people leave before others look, at the same instant.
        let (kind, payload) = match step {
            Step::Return(seats) => (0, seats),
            Step::Leave(slot) => (1, slot),
            Step::Pay(slot) => (2, slot),
            Step::Reach(slot) => (3, slot),
            Step::Look(slot) => (4, slot),
        };
        let time = u64::try_from(at_ms + EPOCH_MS).unwrap_or(0);
        // 33 bits of time, 3 of kind, 28 of slot: more than 2^28 people are never inside.
        self.0
            .push(Reverse(time << 31 | kind << 28 | u64::from(payload) & 0xfff_ffff));
    }

    pub(super) fn next_at(&self) -> Option<i64> {
        self.0.peek().map(|Reverse(packed)| unpack_ms(*packed))
    }

    pub(super) fn pop(&mut self) -> Option<(i64, Step)> {
        let Reverse(packed) = self.0.pop()?;
        let payload = u32::try_from(packed & 0xfff_ffff).unwrap_or(0);
        let step = match packed >> 28 & 7 {
            0 => Step::Return(payload),
            1 => Step::Leave(payload),
            2 => Step::Pay(payload),
            3 => Step::Reach(payload),
            _ => Step::Look(payload),
        };
        Some((unpack_ms(packed), step))
    }
}

fn unpack_ms(packed: u64) -> i64 {
    i64::try_from(packed >> 31).unwrap_or(i64::MAX) - EPOCH_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_first_comes_first_and_leaving_comes_before_looking() {
        let mut agenda = Agenda::default();
        agenda.add(5, Step::Look(1));
        agenda.add(-3, Step::Pay(7));
        agenda.add(5, Step::Leave(9));
        agenda.add(5, Step::Return(200_000));
        let order: Vec<_> = std::iter::from_fn(|| agenda.pop()).collect();
        assert_eq!(
            order,
            [
                (-3, Step::Pay(7)),
                (5, Step::Return(200_000)),
                (5, Step::Leave(9)),
                (5, Step::Look(1))
            ]
        );
    }
}
