//! Numbering: batch after batch, each appended to the ledger once all before it is known.

use super::{
    Line, NoPlace, Shared,
    inbox::{Join, Numbered},
};
use crate::{store::Op, watched::Watched};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::sync::Arc;
use tokio::time::Instant;
use urr_core::{
    room::{Refusal, Room},
    time::Millis,
};
use urr_kit::{
    error::chain,
    state::{
        StateError,
        rooms::{
            Rooms,
            ledger::{BLOCK_ENTRIES_MAX, Block, Entry},
        },
    },
};

/// Calls that read a long ledger at once.
const READS_AT_ONCE: usize = 4;

/// Named places that one line holds in memory, some 1.2 GB; nobody has had such a line.
const PLACES_MAX: usize = 1 << 25;

impl Watched {
    /// Numbers batch after batch until nobody waits.
    pub(super) async fn number_all(self: Arc<Self>, shared: Arc<Shared>) {
        loop {
            let Some(batch) = self.line.inbox().next_batch(BLOCK_ENTRIES_MAX) else {
                return;
            };
            self.number(&shared, batch).await;
        }
    }

    /// Gives every join of the batch its place, or the reason why it gets none. Ends: what moves
    /// the record on answers somebody, and what does not wears patience out.
    async fn number(&self, shared: &Shared, mut batch: Vec<Join>) {
        let mut is_reread = false;
        while !batch.is_empty() {
            let room = &self.known_arc().room;
            if let Err(error) = self.catch_up(shared, room, Op::BlocksRead).await {
                batch = self.refuse_late(shared, batch, &error).await;
                continue;
            }
            batch = self.line.answer_known(shared, batch, room);
            if let Err(why) = self.may_number(room, shared.clock.now()) {
                // The copy may be a second old: who has a place is told it, whatever it says.
                if !std::mem::replace(&mut is_reread, true) && self.reread(shared).await.is_ok() {
                    continue;
                }
                return self.line.answer_all(batch, why);
            }
            batch = self.try_append(shared, batch).await;
        }
    }

    fn may_number(&self, room: &Room, now: Millis) -> Result<(), NoPlace> {
        room.admits_joins(now)?;
        if self.line.places_held() >= PLACES_MAX {
            tracing::error!(sale = %self.sale, "the line is as long as it can be");
            return Err(NoPlace::Full);
        }
        Ok(())
    }

    /// Appends the batch as one block and answers it. Who comes back has no place yet: the
    /// record has moved on, or the store did not do it.
    async fn try_append(&self, shared: &Shared, mut batch: Vec<Join>) -> Vec<Join> {
        let writers = self.line.ledger_mut().writers(shared.clock.now());
        let turn = self.line.pace().take(writers, Instant::now());
        tokio::time::sleep_until(turn).await;
        self.line.inbox().top_up(&mut batch, BLOCK_ENTRIES_MAX);
        let now = shared.clock.now();
        // Nobody draws a ticket before the draw's commitment, nor slips into it after the opening.
        if let Err(error) = self.tend_draw(shared, now).await {
            return self.refuse_late(shared, batch, &error).await;
        }
        // With others at work the copy is surely stale; a read is cheaper than a refused write.
        if writers > 1
            && let Err(error) = self.reread(shared).await
        {
            return self.refuse_late(shared, batch, &error).await;
        }
        let room = &self.known_arc().room;
        if let Err(error) = self.catch_up(shared, room, Op::BlocksRead).await {
            return self.refuse_late(shared, batch, &error).await;
        }
        batch = self.line.answer_known(shared, batch, room);
        if batch.is_empty() || room.admits_joins(now).is_err() {
            return batch;
        }
        let block = self.block_of(shared, &batch, room);
        match shared
            .store
            .append(room, &block, room.reanchor_for_join(now))
            .await
        {
            Ok(after) => {
                self.line.pace().done();
                // Sabotaged: as a service that numbers from what it read a while ago.
                if shared.guards.ledger {
                    self.line.ledger_mut().absorb(&block, shared.writer);
                    self.absorb(&after);
                }
                shared.meters.batches.increment(1);
                #[expect(clippy::cast_precision_loss, reason = "at most a block's entries")]
                shared.meters.batch_size.record(batch.len() as f64);
                self.line.answer_numbered(batch, block.first, block.epoch);
                Vec::new()
            }
            Err(StateError::Fenced { current }) => {
                shared.meters.conflicts.increment(1);
                self.absorb(&current);
                batch
            }
            Err(StateError::LedgerAhead) => match self.count_found(shared, room, block.number).await {
                Ok(()) => batch,
                Err(error) => self.refuse_late(shared, batch, &error).await,
            },
            Err(StateError::NotFound) => {
                self.line.answer_all(batch, Refusal::Inactive.into());
                Vec::new()
            }
            Err(error) => self.refuse_late(shared, batch, &error).await,
        }
    }

    fn block_of(&self, shared: &Shared, batch: &[Join], room: &Room) -> Block {
        let at = batch
            .iter()
            .map(|join| join.accepted_at)
            .min()
            .unwrap_or_default();
        Block {
            sale: self.sale,
            epoch: room.epoch,
            number: room.blocks + 1,
            first: room.issued + 1,
            at,
            writer: shared.writer,
            entries: batch
                .iter()
                .map(|join| Entry {
                    key: join.key,
                    after_ms: u16::try_from(join.accepted_at.since(at)).unwrap_or(u16::MAX),
                })
                .collect(),
        }
    }

    /// The store did not do something: joins that have waited too long hear it, the others stay,
    /// and the line waits a little longer each time. Then it looks at the record again, which is
    /// how it learns what became of a write whose answer was lost.
    async fn refuse_late(&self, shared: &Shared, batch: Vec<Join>, error: &StateError) -> Vec<Join> {
        shared.meters.refusals.increment(1);
        let waits = error.is_transient();
        let (late, still): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .partition(|join| !waits || join.since.elapsed() >= shared.patience);
        if late.is_empty() {
            tracing::debug!(sale = %self.sale, joins = still.len(), error = chain(error), "the store is asked again");
        } else {
            tracing::error!(sale = %self.sale, joins = late.len(), error = chain(error), "joins could not be numbered");
            self.line.answer_all(late, NoPlace::Store);
        }
        if !still.is_empty() {
            let writers = self.line.ledger_mut().writers(shared.clock.now());
            let next = self.line.pace().refused(writers, Instant::now());
            tokio::time::sleep_until(next).await;
            // It may be away still; then the next try finds out.
            let _ = self.reread(shared).await;
        }
        still
    }

    async fn reread(&self, shared: &Shared) -> Result<(), StateError> {
        if let Some(room) = shared.store.room_for_join(self.sale).await? {
            self.absorb(&room);
        }
        Ok(())
    }

    /// Has a record that is older than its ledger count the next block.
    async fn count_found(&self, shared: &Shared, room: &Room, number: u64) -> Result<(), StateError> {
        let blocks = shared.store.blocks(Op::BlocksRead, room, number..=number).await?;
        let block = blocks.first().ok_or(StateError::Corrupt { field: "blocks" })?;
        tracing::warn!(sale = %self.sale, number, "the record was older than the ledger; a block is counted again");
        match shared.store.count_found(room, block).await {
            Ok(current) => self.absorb(&current),
            Err(StateError::Fenced { current }) => self.absorb(&current),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads the blocks that `room` counts and this process does not have.
    pub(crate) async fn catch_up(&self, shared: &Shared, room: &Room, op: Op) -> Result<(), StateError> {
        if !shared.guards.ledger || self.line.ledger().next(room.epoch) > room.blocks {
            return Ok(());
        }
        let _one = self.line.reading.lock().await;
        self.read_missing(shared, room, op).await
    }

    /// As [`Watched::catch_up`] for nobody in particular: while others read, there is nothing to do.
    pub(crate) async fn follow_ledger(&self, shared: &Shared, room: &Room) -> Result<(), StateError> {
        if !shared.guards.ledger || self.line.ledger().next(room.epoch) > room.blocks {
            return Ok(());
        }
        match self.line.reading.try_lock() {
            Ok(_one) => self.read_missing(shared, room, Op::BlocksFollow).await,
            Err(_) => Ok(()),
        }
    }

    /// For whoever holds the lock on reading.
    async fn read_missing(&self, shared: &Shared, room: &Room, op: Op) -> Result<(), StateError> {
        self.line.ledger_mut().turn_to(room.epoch);
        let next = self.line.ledger().next(room.epoch);
        let calls = (next..=room.blocks).step_by(usize::try_from(Rooms::BLOCKS_PER_READ).unwrap_or(1));
        let reads: Vec<_> = calls
            .map(|from| {
                let to = room.blocks.min(from + Rooms::BLOCKS_PER_READ - 1);
                shared.store.blocks(op, room, from..=to)
            })
            .collect();
        let mut reads = stream::iter(reads).buffered(READS_AT_ONCE);
        while let Some(blocks) = reads.try_next().await? {
            let mut ledger = self.line.ledger_mut();
            for block in &blocks {
                ledger.absorb(block, shared.writer);
            }
        }
        Ok(())
    }
}

impl Line {
    /// Answers those of the batch who have a place in this line; the others come back.
    fn answer_known(&self, shared: &Shared, batch: Vec<Join>, room: &Room) -> Vec<Join> {
        if !shared.guards.ledger {
            return batch;
        }
        let mut fresh = Vec::with_capacity(batch.len());
        let mut known = Vec::new();
        {
            let ledger = self.ledger();
            for join in batch {
                match ledger.find(room.epoch, &join.key) {
                    Some(number) => known.push((join, number)),
                    None => fresh.push(join),
                }
            }
        }
        if !known.is_empty() {
            let mut inbox = self.inbox();
            for (join, number) in known {
                let epoch = room.epoch;
                inbox.answer(join, Ok(Numbered { number, epoch }));
            }
        }
        fresh
    }

    fn answer_numbered(&self, batch: Vec<Join>, first: u64, epoch: u32) {
        let mut inbox = self.inbox();
        for (join, number) in batch.into_iter().zip(first..) {
            inbox.answer(join, Ok(Numbered { number, epoch }));
        }
    }

    fn answer_all(&self, batch: Vec<Join>, why: NoPlace) {
        let mut inbox = self.inbox();
        for join in batch {
            inbox.answer(join, Err(why));
        }
    }
}
