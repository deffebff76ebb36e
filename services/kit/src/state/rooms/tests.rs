//! The record's conditions, on the DynamoDB emulator.

use super::Rooms;
use crate::{state::StateError, testing::TestBed};
use std::collections::BTreeSet;
use urr_core::{
    room::{Mode, Room, ServingClock},
    time::Millis,
};
use uuid::Uuid;

const OPENS_AT: Millis = Millis(1_800_000_000_000);

fn room() -> Room {
    Room {
        sale: Uuid::new_v4(),
        epoch: 1,
        revision: 1,
        mode: Mode::Active,
        pre_queue_at: OPENS_AT.plus_s(-600),
        opens_at: OPENS_AT,
        closes_at: OPENS_AT.plus_s(600),
        issued: 0,
        clock: ServingClock {
            base: 0,
            since: OPENS_AT,
            rate_per_s: 10,
            burst: 0,
        },
        poll_budget_per_s: 5000,
        token_ttl_s: 600,
    }
}

async fn rooms(bed: &TestBed) -> Rooms {
    let rooms = Rooms::new(&bed.ctx().dynamo().await);
    rooms.ensure_tables().await.unwrap();
    // A second replica finds them there.
    rooms.ensure_tables().await.unwrap();
    rooms
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
    rooms.take_block(&first, 5, None).await.unwrap();
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
    rooms.take_block(&seen, 7, None).await.unwrap();
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
async fn blocks_taken_at_once_are_disjoint_and_consecutive() {
    let bed = TestBed::new().await;
    let rooms = rooms(&bed).await;
    let seen = rooms.create(&room()).await.unwrap();
    let taken = (1..=40_u32).map(|n| {
        let (rooms, seen) = (&rooms, &seen);
        async move {
            let after = rooms.take_block(seen, n, None).await.unwrap().issued;
            (after - u64::from(n) + 1)..=after
        }
    });
    let numbers: Vec<u64> = futures::future::join_all(taken)
        .await
        .into_iter()
        .flatten()
        .collect();
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(distinct.len(), numbers.len());
    assert_eq!(distinct, (1..=820).collect());
}

#[tokio::test]
async fn a_room_that_takes_nobody_gives_no_numbers() {
    let bed = TestBed::new().await;
    let rooms = rooms(&bed).await;
    let seen = rooms.create(&room()).await.unwrap();
    let off = rooms.replace(1, &seen.deactivated(OPENS_AT)).await.unwrap();
    assert_eq!(current(rooms.take_block(&seen, 1, None).await), off);
    let renewed = rooms
        .create(&Room {
            epoch: 2,
            ..room_of_sale(&seen)
        })
        .await
        .unwrap();
    assert_eq!(current(rooms.take_block(&seen, 1, None).await), renewed);
}

#[tokio::test]
async fn re_anchoring_needs_an_exact_copy_and_fences_who_read_before() {
    let bed = TestBed::new().await;
    let rooms = rooms(&bed).await;
    let seen = rooms.create(&room()).await.unwrap();
    let now = OPENS_AT.plus_s(60);
    let anchor = seen.reanchor_for_join(now);
    assert!(anchor.is_some());
    rooms.take_block(&seen, 1, None).await.unwrap();
    let present = current(rooms.take_block(&seen, 1, anchor).await);
    let after = rooms
        .take_block(&present, 1, present.reanchor_for_join(now))
        .await
        .unwrap();
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
