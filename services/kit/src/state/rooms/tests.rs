//! The record's conditions, on the DynamoDB emulator.

use super::{
    Rooms,
    ledger::{BLOCK_ENTRIES_MAX, Block, Conditions, Entry},
};
use crate::{state::StateError, testing::TestBed};
use std::collections::BTreeSet;
use urr_core::{
    draw::Seed, room::Room, sale::Ordering, testing::room_that_opens, time::Millis, visitor::VisitorKey,
};
use uuid::Uuid;

const OPENS_AT: Millis = Millis(1_800_000_000_000);

fn room() -> Room {
    Room {
        sale: Uuid::new_v4(),
        ..room_that_opens(OPENS_AT)
    }
}

async fn rooms(bed: &TestBed) -> Rooms {
    let rooms = Rooms::new(&bed.ctx().dynamo().await);
    rooms.ensure_tables().await.unwrap();
    // A second replica finds them there.
    rooms.ensure_tables().await.unwrap();
    rooms
}

/// A block of `n` joins that follows `seen`.
fn block(seen: &Room, n: usize) -> Block {
    Block {
        sale: seen.sale,
        epoch: seen.epoch,
        number: seen.blocks + 1,
        first: seen.issued + 1,
        at: OPENS_AT,
        writer: 7,
        entries: (0..n)
            .map(|i| Entry {
                key: VisitorKey::of(seen.sale, &format!("{}-{i}", seen.issued)),
                after_ms: u16::try_from(i % 60_000).unwrap(),
            })
            .collect(),
    }
}

async fn append(rooms: &Rooms, seen: &Room, n: usize) -> Result<Room, StateError> {
    rooms.append(seen, &block(seen, n), None, Conditions::Kept).await
}

fn current(refused: Result<Room, StateError>) -> Room {
    match refused {
        Err(StateError::Fenced { current }) => *current,
        other => panic!("not fenced: {other:?}"),
    }
}

#[tokio::test]
async fn a_record_survives_its_stored_form_and_only_a_new_epoch_replaces_it() {
    let bed = TestBed::new().await;
    let rooms = rooms(&bed).await;
    let first = room();
    assert_eq!(rooms.get(first.sale).await.unwrap(), None);
    rooms.create(&first).await.unwrap();
    assert_eq!(rooms.get(first.sale).await.unwrap(), Some(first.clone()));
    append(&rooms, &first, 5).await.unwrap();
    // The same epoch again would give the first five numbers out once more.
    assert_eq!(current(rooms.create(&first).await).issued, 5);
    let second = Room {
        epoch: 2,
        ..first.clone()
    };
    rooms.create(&second).await.unwrap();
    assert_eq!(rooms.get(first.sale).await.unwrap(), Some(second));
}

#[tokio::test]
async fn a_writer_that_read_an_old_revision_is_fenced_and_numbers_are_never_written_back() {
    let bed = TestBed::new().await;
    let rooms = rooms(&bed).await;
    let seen = rooms.create(&room()).await.unwrap();
    append(&rooms, &seen, 7).await.unwrap();
    let written = rooms
        .replace(seen.revision, &seen.with_rate(20, OPENS_AT))
        .await
        .unwrap();
    assert_eq!(
        (written.revision, written.issued, written.clock.rate_per_s),
        (2, 7, 20)
    );
    let stale = rooms.replace(seen.revision, &seen.paused(OPENS_AT)).await;
    assert_eq!(current(stale), written);
    let nobody = Room {
        sale: Uuid::new_v4(),
        ..seen
    };
    assert!(matches!(
        rooms.replace(1, &nobody).await,
        Err(StateError::NotFound)
    ));
}

#[tokio::test]
async fn blocks_appended_at_once_are_disjoint_consecutive_and_all_there() {
    let bed = TestBed::new().await;
    let rooms = rooms(&bed).await;
    let seen = rooms.create(&room()).await.unwrap();
    let writers = (1..=12_usize).map(|n| {
        let (rooms, mut seen) = (&rooms, seen.clone());
        async move {
            loop {
                match append(rooms, &seen, n).await {
                    Ok(after) => return after.issued - n as u64 + 1..=after.issued,
                    Err(StateError::Fenced { current }) => seen = *current,
                    Err(StateError::Busy { .. }) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    });
    let numbers: Vec<u64> = futures::future::join_all(writers)
        .await
        .into_iter()
        .flatten()
        .collect();
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(distinct.len(), numbers.len());
    assert_eq!(distinct, (1..=78).collect());
    let blocks = rooms.blocks(seen.sale, 1, 1..=12).await.unwrap();
    let listed: Vec<u64> = blocks
        .iter()
        .flat_map(Block::places)
        .map(|(position, ..)| position)
        .collect();
    assert_eq!(listed, (1..=78).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_largest_block_comes_back_as_it_was_and_is_far_below_an_item() {
    let bed = TestBed::new().await;
    let rooms = rooms(&bed).await;
    let seen = rooms.create(&room()).await.unwrap();
    append(&rooms, &seen, BLOCK_ENTRIES_MAX).await.unwrap();
    let read = rooms.blocks(seen.sale, 1, 1..=1).await.unwrap();
    assert_eq!(read, [block(&seen, BLOCK_ENTRIES_MAX)]);
    const { assert!(BLOCK_ENTRIES_MAX * 18 < 100_000) };
    assert!(matches!(
        rooms.blocks(seen.sale, 1, 1..=2).await,
        Err(StateError::Corrupt { .. })
    ));
}

/// The counter was restored from a backup, the ledger was not: a block must not be written over.
#[tokio::test]
async fn a_record_that_is_older_than_its_ledger_is_told_and_repaired() {
    let bed = TestBed::new().await;
    let rooms = rooms(&bed).await;
    let old = rooms.create(&room()).await.unwrap();
    let after = append(&rooms, &old, 5).await.unwrap();
    let client = &bed.ctx().dynamo().await;
    let restored = client
        .client
        .put_item()
        .table_name(client.table(super::COUNTERS_TABLE))
        .set_item(Some(super::item_of(&old)));
    restored.send().await.unwrap();
    assert!(matches!(
        append(&rooms, &old, 3).await,
        Err(StateError::LedgerAhead)
    ));
    let found = rooms.blocks(old.sale, 1, 1..=1).await.unwrap();
    let repaired = rooms.count_found(&old, &found[0]).await.unwrap();
    assert_eq!((repaired.issued, repaired.blocks), (after.issued, after.blocks));
    assert_eq!(append(&rooms, &repaired, 3).await.unwrap().issued, 8);
}

#[tokio::test]
async fn a_draw_is_committed_to_once_and_closed_once_over_all_who_had_come() {
    let bed = TestBed::new().await;
    let rooms = rooms(&bed).await;
    let drawn = Room {
        ordering: Ordering::Shuffle,
        ..room()
    };
    let seed = Seed::from_bytes([5; 32]);
    let seen = rooms.create(&drawn).await.unwrap();
    let committed = rooms.commit_draw(&seen, seed.commitment()).await.unwrap();
    assert_eq!(committed.draw.commitment, Some(seed.commitment()));
    let other = Seed::from_bytes([6; 32]).commitment();
    assert_eq!(current(rooms.commit_draw(&seen, other).await), committed);
    // Somebody comes between reading and closing: he is in.
    append(&rooms, &committed, 9).await.unwrap();
    let closed = rooms
        .close_draw(&committed, seed, OPENS_AT.plus_ms(3))
        .await
        .unwrap();
    assert_eq!((closed.draw.drawn, closed.draw.seed), (Some(9), Some(seed)));
    assert_eq!(closed.clock.since, OPENS_AT.plus_ms(3));
    assert_eq!(closed, rooms.get(seen.sale).await.unwrap().unwrap());
    // The slower replica finds it closed.
    assert_eq!(
        current(rooms.close_draw(&committed, seed, OPENS_AT).await),
        closed
    );
    // The control plane does not undo it.
    let faster = rooms
        .replace(closed.revision, &closed.with_rate(99, OPENS_AT.plus_s(1)))
        .await;
    assert_eq!(faster.unwrap().draw, closed.draw);
}

#[tokio::test]
async fn a_record_that_was_lost_learns_what_people_hold() {
    let bed = TestBed::new().await;
    let rooms = rooms(&bed).await;
    let seen = rooms.create(&room()).await.unwrap();
    let now = OPENS_AT.plus_s(9);
    let restored = rooms.restore(&seen, 700, now).await.unwrap();
    assert_eq!(restored.issued, 700);
    assert!(restored.admits_joins(now).is_err());
    assert_eq!(restored, rooms.get(seen.sale).await.unwrap().unwrap());
    // Whoever numbers from an older copy is refused, then goes on behind.
    let present = current(append(&rooms, &seen, 1).await);
    assert_eq!(append(&rooms, &present, 1).await.unwrap().issued, 701);
}

#[tokio::test]
async fn a_room_that_takes_nobody_gives_no_numbers() {
    let bed = TestBed::new().await;
    let rooms = rooms(&bed).await;
    let seen = rooms.create(&room()).await.unwrap();
    let off = rooms.replace(1, &seen.deactivated(OPENS_AT)).await.unwrap();
    assert_eq!(current(append(&rooms, &seen, 1).await), off);
    let renewed = rooms
        .create(&Room {
            epoch: 2,
            ..room_of_sale(&seen)
        })
        .await
        .unwrap();
    assert_eq!(current(append(&rooms, &seen, 1).await), renewed);
}

#[tokio::test]
async fn re_anchoring_needs_an_exact_copy_and_fences_who_read_before() {
    let bed = TestBed::new().await;
    let rooms = rooms(&bed).await;
    let seen = rooms.create(&room()).await.unwrap();
    let now = OPENS_AT.plus_s(60);
    let anchor = seen.reanchor_for_join(now);
    assert!(anchor.is_some());
    append(&rooms, &seen, 1).await.unwrap();
    let stale = block(&seen, 1);
    let present = current(rooms.append(&seen, &stale, anchor, Conditions::Kept).await);
    let (anchor, next) = (present.reanchor_for_join(now), block(&present, 1));
    let after = rooms.append(&present, &next, anchor, Conditions::Kept).await;
    let after = after.unwrap();
    assert_eq!(after, rooms.get(seen.sale).await.unwrap().unwrap());
    assert_eq!((after.issued, after.clock.base, after.clock.since), (2, 1, now));
    assert!(after.revision > present.revision);
    current(rooms.replace(present.revision, &present.with_rate(99, now)).await);
}

fn room_of_sale(other: &Room) -> Room {
    Room {
        sale: other.sale,
        ..room()
    }
}

/// A sale whose end is moved by days keeps the blocks that were written before.
#[test]
fn a_block_outlives_an_end_that_is_moved_by_weeks() {
    let room = room();
    let item = block(&room, 3).item(room.closes_at);
    let ends_s: i64 = item[super::LEDGER_TTL].as_n().unwrap().parse().unwrap();
    let moved = room.closes_at.plus_s(28 * 24 * 3600);
    assert!(ends_s * 1000 >= moved.0 + 24 * 3600 * 1000, "R-VWR-02");
}
