//! The only place of this service that speaks to DynamoDB.
//!
//! Every call is counted by kind, and every item write, because two promises hang on these numbers:
//! waiting costs no storage I/O (law `free-poll`), and a sale writes at most 800 items a second
//! whatever the crowd.

#[cfg(test)]
pub(crate) mod faults;

use metrics::{Counter, counter};
use std::ops::RangeInclusive;
use urr_core::{
    draw::{Commitment, Seed},
    room::{Room, ServingClock},
    sale::SaleId,
    time::Millis,
};
use urr_kit::{
    Dynamo,
    state::{
        StateError,
        rooms::{
            Rooms,
            ledger::{Block, Conditions},
        },
    },
};

/// A kind of store call, as metrics and tests count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// The record, for whoever asks about the sale: by the clock, not by the crowd.
    RoomRead,
    /// The record, because joins collided with another replica's.
    RoomReadForJoin,
    RoomWrite,
    /// A block and the counter, together.
    Append,
    /// Blocks of other replicas, because joins need them now.
    BlocksRead,
    /// Blocks of other replicas, by the clock.
    BlocksFollow,
}

const OPS: [(&str, Op); 6] = [
    ("room_read", Op::RoomRead),
    ("room_read_for_join", Op::RoomReadForJoin),
    ("room_write", Op::RoomWrite),
    ("append", Op::Append),
    ("blocks_read", Op::BlocksRead),
    ("blocks_follow", Op::BlocksFollow),
];

/// Items that an append writes.
const ITEMS_PER_APPEND: u64 = 2;

/// Tier 1's stores.
pub(crate) struct Store {
    rooms: Rooms,
    counters: [Counter; OPS.len()],
    item_writes: Counter,
    conditions: Conditions,
    #[cfg(test)]
    pub(crate) faults: faults::Faults,
}

impl Store {
    pub(crate) fn new(dynamo: &Dynamo, conditions: Conditions) -> Self {
        Self {
            rooms: Rooms::new(dynamo),
            counters: OPS.map(|(name, _)| counter!("urr_vwr_store_ops_total", "op" => name)),
            item_writes: counter!("urr_vwr_item_writes_total"),
            conditions,
            #[cfg(test)]
            faults: faults::Faults::default(),
        }
    }

    pub(crate) async fn ensure_tables(&self) -> Result<(), StateError> {
        self.rooms.ensure_tables().await
    }

    pub(crate) async fn room(&self, sale: SaleId) -> Result<Option<Room>, StateError> {
        self.count(Op::RoomRead);
        #[cfg(test)]
        self.faults.pass(Op::RoomRead, sale).await;
        self.rooms.get(sale).await
    }

    pub(crate) async fn room_for_join(&self, sale: SaleId) -> Result<Option<Room>, StateError> {
        self.count(Op::RoomReadForJoin);
        self.rooms.get(sale).await
    }

    pub(crate) async fn create_room(&self, room: &Room) -> Result<Room, StateError> {
        self.count_write(Op::RoomWrite, 1);
        self.rooms.create(room).await
    }

    pub(crate) async fn replace_room(&self, seen: u64, room: &Room) -> Result<Room, StateError> {
        self.count_write(Op::RoomWrite, 1);
        self.rooms.replace(seen, room).await
    }

    pub(crate) async fn commit_draw(&self, seen: &Room, to: Commitment) -> Result<Room, StateError> {
        self.count_write(Op::RoomWrite, 1);
        self.rooms.commit_draw(seen, to).await
    }

    pub(crate) async fn close_draw(&self, seen: &Room, seed: Seed, now: Millis) -> Result<Room, StateError> {
        self.count_write(Op::RoomWrite, 1);
        self.rooms.close_draw(seen, seed, now).await
    }

    pub(crate) async fn restore(&self, seen: &Room, position: u64, now: Millis) -> Result<Room, StateError> {
        self.count_write(Op::RoomWrite, 1);
        self.rooms.restore(seen, position, now).await
    }

    pub(crate) async fn count_found(&self, seen: &Room, block: &Block) -> Result<Room, StateError> {
        self.count_write(Op::RoomWrite, 1);
        self.rooms.count_found(seen, block).await
    }

    /// Appends a block; see [`Rooms::append`]. Attempts are counted whether or not they succeed:
    /// a refused write costs capacity too.
    pub(crate) async fn append(
        &self,
        seen: &Room,
        block: &Block,
        reanchor: Option<ServingClock>,
    ) -> Result<Room, StateError> {
        self.count_write(Op::Append, ITEMS_PER_APPEND);
        #[cfg(test)]
        self.faults
            .around_append(seen, || self.rooms.append(seen, block, reanchor, self.conditions))
            .await?;
        self.rooms.append(seen, block, reanchor, self.conditions).await
    }

    /// The blocks `numbers` of a line, as many as one call reads.
    pub(crate) async fn blocks(
        &self,
        op: Op,
        room: &Room,
        numbers: RangeInclusive<u64>,
    ) -> Result<Vec<Block>, StateError> {
        self.count(op);
        #[cfg(test)]
        self.faults.pass(op, room.sale).await;
        self.rooms.blocks(room.sale, room.epoch, numbers).await
    }

    fn count_write(&self, op: Op, items: u64) {
        self.item_writes.increment(items);
        #[cfg(test)]
        self.faults.count_writes(items);
        self.count(op);
    }

    fn count(&self, op: Op) {
        #[cfg(test)]
        self.faults.count(op);
        self.counters[op as usize].increment(1);
    }
}
