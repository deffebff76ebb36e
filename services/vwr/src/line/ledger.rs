//! A replica's copy of a line's ledger: which blocks it has seen and who is in them.

use super::index::Index;
use urr_core::time::Millis;
use urr_kit::state::rooms::ledger::Block;

/// A replica that appended this recently is taken to be appending. More than the second that
/// matters, by as much as clocks may differ.
const WRITING_MS: i64 = 1500;
/// Writers remembered; with more the gap between appends is as long as with this many.
const WRITERS_MAX: usize = 256;

/// What this process knows of one line.
pub(crate) struct Ledger {
    /// Which activation.
    epoch: u32,
    /// Blocks `1..=blocks` are in the index.
    blocks: u64,
    index: Index,
    /// Other processes that appended lately, and when.
    writers: Vec<(u64, Millis)>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self::of_epoch(0)
    }

    fn of_epoch(epoch: u32) -> Self {
        Self {
            epoch,
            blocks: 0,
            index: Index::new(),
            writers: Vec::new(),
        }
    }

    /// Turns to the line of `epoch`, if that is a later one.
    pub(crate) fn turn_to(&mut self, epoch: u32) {
        if epoch > self.epoch {
            *self = Self::of_epoch(epoch);
        }
    }

    /// The first block of `epoch` that is still to be read.
    pub(crate) const fn next(&self, epoch: u32) -> u64 {
        if epoch == self.epoch { self.blocks + 1 } else { 1 }
    }

    /// Where the visitor stands in the line of `epoch`.
    pub(crate) fn find(&self, epoch: u32, key: &urr_core::visitor::VisitorKey) -> Option<u64> {
        if epoch == self.epoch {
            self.index.get(key)
        } else {
            None
        }
    }

    /// Takes the next block in; others are ignored.
    pub(crate) fn absorb(&mut self, block: &Block, us: u64) {
        self.turn_to(block.epoch);
        if block.epoch != self.epoch || block.number != self.blocks + 1 {
            return;
        }
        for (position, key, _) in block.places() {
            self.index.insert(key, position);
        }
        self.blocks = block.number;
        if block.writer == us {
            return;
        }
        if let Some((_, at)) = self.writers.iter_mut().find(|(id, _)| *id == block.writer) {
            *at = block.at.max(*at);
        } else if self.writers.len() < WRITERS_MAX {
            self.writers.push((block.writer, block.at));
        }
    }

    /// Processes that append to this line now, this one included.
    pub(crate) fn writers(&mut self, now: Millis) -> u32 {
        self.writers.retain(|(_, at)| now.since(*at) <= WRITING_MS);
        u32::try_from(self.writers.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1)
    }

    /// Places in memory.
    pub(crate) const fn len(&self) -> usize {
        self.index.len()
    }
}
