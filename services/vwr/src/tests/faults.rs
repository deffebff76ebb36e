//! What stores and networks do, around the real emulator, with exact oracles; and the same with
//! the guard off.

use super::{Door, OPENS_AT, Replica, replica_of};
use crate::{
    Config,
    line::Guards,
    store::{Op, faults::Fault},
};
use ::http::StatusCode;
use futures::future::join_all;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use urr_core::sale::SaleId;
use urr_kit::state::rooms::ledger::Conditions;
use uuid::Uuid;

/// A replica that dies between commit and answer, and what the retry elsewhere is told.
async fn place_after_a_kill(door: &Door, survivor: &Replica) -> u64 {
    let dying = door.replica().await;
    dying.watch(door.sale).await;
    dying.faults().expect([Fault::KilledAfter]);
    {
        let answer = Box::pin(dying.try_join(door.sale, "kim"));
        let mut answer = Some(answer);
        urr_kit::testing::eventually(Duration::from_secs(20), "it is committed", async || {
            let asked = answer.as_mut().unwrap();
            assert!(
                futures::poll!(asked.as_mut()).is_pending(),
                "the dead do not answer"
            );
            survivor.stored(door.sale).await.issued == 1
        })
        .await;
    }
    drop(dying);
    survivor.join(door.sale, "kim").await.position
}

/// Law `one-place`: kill -9 between commit and answer.
#[tokio::test]
async fn a_replica_killed_between_commit_and_answer_loses_no_place_and_leaves_no_hole() {
    let (door, survivor) = Door::new().await;
    assert_eq!(place_after_a_kill(&door, &survivor).await, 1);
    assert_eq!(survivor.join(door.sale, "lee").await.position, 2);
    assert_eq!(survivor.stored(door.sale).await.issued, 2);
}

#[tokio::test]
async fn without_a_look_into_the_ledger_the_kill_gives_a_second_place() {
    let (door, _) = Door::new().await;
    let blind = door.replica_without(Guards::NO_LEDGER).await;
    assert_eq!(place_after_a_kill(&door, &blind).await, 2);
}

/// A seeded storm of refusals, failures, lost answers and doubled deliveries.
fn storm(seed: u64) -> Vec<Fault> {
    let mut state = seed;
    (0..24)
        .filter_map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            match state >> 61 {
                0 | 1 => Some(Fault::Throttled),
                2 => Some(Fault::Failed),
                3 => Some(Fault::AnswerLost),
                4 => Some(Fault::Twice),
                _ => None,
            }
        })
        .take(6)
        .collect()
}

/// Joins 60 people one by one through both replicas, each again on the other; returns what each
/// was told both times. A place that could not be given is asked for until it is, as clients do.
async fn joins_in_a_storm(door: &Door, a: &Replica, b: &Replica, seed: u64) -> Vec<(u64, u64)> {
    a.watch(door.sale).await;
    b.watch(door.sale).await;
    a.faults().expect(storm(seed));
    b.faults().expect(storm(seed ^ 0xABCD));
    let names: Vec<String> = (0..60).map(|i| format!("v{i}")).collect();
    let told = names.iter().enumerate().map(|(i, name)| {
        let (first, second) = if i % 2 == 0 { (a, b) } else { (b, a) };
        async move {
            (
                persist(first, door.sale, name).await,
                persist(second, door.sale, name).await,
            )
        }
    });
    join_all(told).await
}

async fn persist(replica: &Replica, sale: SaleId, name: &str) -> u64 {
    for _ in 0..50 {
        let (status, body) = replica.try_join(sale, name).await;
        if status == StatusCode::OK {
            return body["position"].as_u64().unwrap();
        }
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    }
    panic!("{name} never got a place");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_failures_lost_answers_and_doubled_deliveries_change_nobodys_place() {
    for seed in [1, 2, 3] {
        let (door, a) = Door::new().await;
        let b = door.replica().await;
        let told = joins_in_a_storm(&door, &a, &b, seed).await;
        assert!(
            told.iter().all(|(first, second)| first == second),
            "{seed}: {told:?}"
        );
        let places: BTreeSet<u64> = told.iter().map(|(place, _)| *place).collect();
        assert_eq!(
            places,
            (1..=60).collect(),
            "{seed}: unique, and no number is nobody's"
        );
        assert_eq!(a.stored(door.sale).await.issued, 60);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_ledger_the_same_storm_moves_people() {
    let (door, _) = Door::new().await;
    let a = door.replica_without(Guards::NO_LEDGER).await;
    let b = door.replica_without(Guards::NO_LEDGER).await;
    let told = joins_in_a_storm(&door, &a, &b, 1).await;
    assert!(told.iter().any(|(first, second)| first != second));
}

#[tokio::test]
async fn a_block_that_is_delivered_twice_counts_once() {
    let (door, replica) = Door::new().await;
    replica.watch(door.sale).await;
    replica.faults().expect([Fault::Twice]);
    assert_eq!(replica.join(door.sale, "kim").await.position, 1);
    assert_eq!(replica.join(door.sale, "lee").await.position, 2);
    assert_eq!(replica.stored(door.sale).await.issued, 2);
}

#[tokio::test]
async fn without_the_conditions_a_doubled_delivery_burns_numbers() {
    let (door, _) = Door::new().await;
    let config = Config::default();
    let replica = replica_of(&door.bed.ctx(), &config, Conditions::Dropped, Guards::ON).await;
    replica.watch(door.sale).await;
    replica.faults().expect([Fault::Twice]);
    replica.join(door.sale, "kim").await;
    assert_eq!(
        replica.stored(door.sale).await.issued,
        2,
        "one person, two numbers"
    );
}

#[tokio::test]
async fn a_throttling_store_is_asked_less_and_everybody_is_numbered_once_it_recovers() {
    let (door, replica) = Door::new().await;
    replica.watch(door.sale).await;
    replica.faults().expect([Fault::Throttled; 3]);
    let before = replica.faults().item_writes();
    let started = Instant::now();
    let names: Vec<String> = (0..500).map(|i| format!("v{i}")).collect();
    let answers = join_all(names.iter().map(|name| replica.try_join(door.sale, name))).await;
    assert!(answers.iter().all(|(status, _)| *status == StatusCode::OK));
    // 25, 50 and 100 ms of patience, three refused appends and one that went through.
    assert!(started.elapsed() >= Duration::from_millis(170));
    assert_eq!(replica.faults().item_writes() - before, 8);
    assert_eq!(replica.stored(door.sale).await.issued, 500);
}

/// "Two sales at once do not slow each other's line": one sale's store is stuck for good.
#[tokio::test]
async fn a_sale_whose_store_is_stuck_does_not_slow_another() {
    let (door, replica) = Door::new().await;
    let other = Door {
        sale: Uuid::new_v4(),
        ..Door::new().await.0
    };
    let room = urr_core::room::Room {
        sale: other.sale,
        ..door.room()
    };
    replica.app.shared.store.create_room(&room).await.unwrap();
    replica.watch(door.sale).await;
    replica.watch(other.sale).await;
    replica.faults().stick(Op::Append, door.sale);
    let moves = async {
        for i in 0..20 {
            assert_eq!(replica.join(other.sale, &format!("v{i}")).await.position, i + 1);
        }
    };
    // The control: in the stuck line itself nobody gets a place, however often he asks.
    let stuck = async {
        loop {
            let (status, _) = replica.try_join(door.sale, "kim").await;
            assert_ne!(status, StatusCode::OK);
        }
    };
    // Stuck for good: were the other line behind it, it would be stuck as well.
    tokio::time::timeout(Duration::from_secs(60), async {
        tokio::select! {
            () = moves => {}
            () = stuck => {}
        }
    })
    .await
    .unwrap();
}

/// A sale of the same world, with its own line.
async fn another_sale(door: &Door, replica: &Replica) -> SaleId {
    let sale = Uuid::new_v4();
    let room = urr_core::room::Room { sale, ..door.room() };
    replica.app.shared.store.create_room(&room).await.unwrap();
    sale
}

/// What the replica's own task, and nobody's question, brings within a copy's age of life. Here
/// within any time at all: what is stuck is stuck for good.
async fn learns_of_a_pause(door: &Door, replica: &Replica, sales: &[SaleId]) {
    let stop = tokio_util::sync::CancellationToken::new();
    let cache = std::sync::Arc::clone(&replica.app.cache);
    let task = tokio::spawn(cache.keep_fresh(Duration::from_millis(50), stop.clone()));
    let others = door.replica().await;
    for sale in sales {
        others.control(*sale, |room| room.paused(OPENS_AT)).await;
    }
    for sale in sales {
        urr_kit::testing::eventually(Duration::from_secs(30), "the pause is known", async || {
            let watched = replica.app.cache.get(*sale).await.unwrap().unwrap();
            watched.known().room.mode == urr_core::room::Mode::Paused
        })
        .await;
    }
    stop.cancel();
    task.await.unwrap();
}

/// A replica that comes up in the middle of a sale reads a long ledger: meanwhile it hears of
/// every change, of that sale and of others.
#[tokio::test]
async fn a_ledger_that_takes_long_to_read_ages_nobodys_copy() {
    let (door, other) = Door::new().await;
    let sales = [door.sale, another_sale(&door, &other).await];
    let replica = door.replica().await;
    for sale in sales {
        replica.join(sale, "kim").await;
        other.join(sale, "lee").await;
    }
    replica.faults().stick(Op::BlocksFollow, door.sale);
    learns_of_a_pause(&door, &replica, &sales).await;
    assert!(replica.faults().calls_of(Op::BlocksFollow) >= 1, "it did try");
}

/// "Two sales at once": one sale's record cannot be read at all.
#[tokio::test]
async fn a_sale_whose_record_cannot_be_read_ages_its_own_copy_only() {
    let (door, other) = Door::new().await;
    let sale = another_sale(&door, &other).await;
    let replica = door.replica().await;
    replica.watch(door.sale).await;
    replica.watch(sale).await;
    replica.faults().stick(Op::RoomRead, door.sale);
    learns_of_a_pause(&door, &replica, &[sale]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_sales_open_together_each_with_its_own_line() {
    let (door, a) = Door::new().await;
    let b = door.replica().await;
    let sales: Vec<SaleId> = (0..10).map(|_| Uuid::new_v4()).collect();
    for sale in &sales {
        let room = urr_core::room::Room {
            sale: *sale,
            ..door.room()
        };
        a.app.shared.store.create_room(&room).await.unwrap();
    }
    let joins = sales.iter().flat_map(|sale| {
        let (a, b) = (&a, &b);
        (0..100).map(move |i| async move {
            let replica = if i % 2 == 0 { a } else { b };
            (*sale, replica.join(*sale, &format!("v{i}")).await.position)
        })
    });
    let told = join_all(joins).await;
    for sale in &sales {
        let places: BTreeSet<u64> = told
            .iter()
            .filter(|(of, _)| of == sale)
            .map(|(_, place)| *place)
            .collect();
        assert_eq!(places, (1..=100).collect());
    }
    // Each opens by its own clock.
    door.clock().set(OPENS_AT.plus_s(1));
    for sale in &sales {
        let (_, body) = a.get(format!("/vwr-api/vwr/serving/{sale}")).await;
        assert_eq!(body["serving"], 10);
    }
}
