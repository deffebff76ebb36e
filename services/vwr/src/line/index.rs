//! Who stands where, in memory: sixteen bytes of key to a position.
//!
//! A sale may have a million places and a replica holds them all, so that a repeated join costs a
//! look into memory and no store. Keys are hashes already, so the table is open addressing on their
//! own bits, stirred with a secret of the process (names can be chosen so that plain bits collide)
//! and cut into shards, so that growing one costs microseconds instead of stopping the line. About
//! 36 bytes a place.

use std::hash::{BuildHasher as _, RandomState};
use urr_core::visitor::{KEY_BYTES, VisitorKey};

/// Shards; the first byte of a key chooses.
const SHARDS: usize = 256;
/// Slots of a shard that is used at all.
const SLOTS_MIN: usize = 16;

#[derive(Clone, Copy)]
struct Slot {
    key: VisitorKey,
    /// 0: empty. Positions begin at 1.
    position: u32,
}

const EMPTY: Slot = Slot {
    key: VisitorKey([0; KEY_BYTES]),
    position: 0,
};

#[derive(Clone)]
struct Shard {
    secret: u64,
    slots: Vec<Slot>,
    used: usize,
}

/// Positions by visitor key.
pub(crate) struct Index {
    shards: Vec<Shard>,
    len: usize,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self {
            shards: vec![
                Shard {
                    secret: RandomState::new().hash_one(SHARDS),
                    slots: Vec::new(),
                    used: 0
                };
                SHARDS
            ],
            len: 0,
        }
    }

    /// Places in it.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The position of `key`.
    pub(crate) fn get(&self, key: &VisitorKey) -> Option<u64> {
        let shard = &self.shards[usize::from(key.0[0])];
        let slot = shard.slots.get(shard.find(key)?)?;
        (slot.position != 0).then_some(slot.position.into())
    }

    /// Records a position; who has one keeps it. Positions beyond what an id can carry are not
    /// recorded (no such id verifies either).
    pub(crate) fn insert(&mut self, key: VisitorKey, position: u64) {
        let Ok(position) = u32::try_from(position) else {
            return;
        };
        if position == 0 {
            return;
        }
        let shard = &mut self.shards[usize::from(key.0[0])];
        if shard.insert(Slot { key, position }) {
            self.len += 1;
        }
    }
}

impl Shard {
    /// The slot of `key`, or the empty one where it would be; `None` without slots.
    fn find(&self, key: &VisitorKey) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let bytes = key.0;
        let bits = u64::from_le_bytes([
            bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7], bytes[8],
        ]);
        let stirred = (bits ^ self.secret).wrapping_mul(0x9E37_79B9_7F4A_7C15 | self.secret << 1) >> 32;
        let mut at = usize::try_from(stirred & mask as u64).unwrap_or(0);
        // Ends: a quarter of the slots is always empty.
        loop {
            let slot = &self.slots[at];
            if slot.position == 0 || slot.key == *key {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    /// Whether it was not there yet.
    fn insert(&mut self, slot: Slot) -> bool {
        if 4 * (self.used + 1) > 3 * self.slots.len() {
            self.grow();
        }
        let Some(at) = self.find(&slot.key) else {
            return false;
        };
        let is_new = self.slots[at].position == 0;
        if is_new {
            self.slots[at] = slot;
            self.used += 1;
        }
        is_new
    }

    fn grow(&mut self) {
        let slots = (2 * self.slots.len()).max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; slots]);
        for slot in old {
            if slot.position != 0
                && let Some(at) = self.find(&slot.key)
            {
                self.slots[at] = slot;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use urr_core::sale::SaleId;

    fn key(n: u64) -> VisitorKey {
        VisitorKey::of(SaleId::nil(), &format!("v{n}"))
    }

    #[test]
    fn fifty_thousand_places_are_found_and_no_others() {
        const N: u64 = 50_000;
        let mut index = Index::new();
        for n in 1..=N {
            index.insert(key(n), n);
        }
        assert_eq!(index.len() as u64, N);
        assert!((1..=N).all(|n| index.get(&key(n)) == Some(n)));
        assert!((N + 1..2 * N).all(|n| index.get(&key(n)).is_none()));
    }

    #[test]
    fn who_has_a_place_keeps_it() {
        let mut index = Index::new();
        index.insert(key(1), 5);
        index.insert(key(1), 9);
        assert_eq!(index.get(&key(1)), Some(5));
        assert_eq!(index.len(), 1);
    }
}
