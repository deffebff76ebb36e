//! Laws `one-place` and `fair-order`: numbers are unique, consecutive, in order, and kept.

use super::{Door, OPENS_AT, Replica, replica_of};
use crate::{Config, line::Guards, store::Op};
use ::http::StatusCode;
use futures::future::join_all;
use std::collections::BTreeSet;
use urr_core::{room::Room, sale::SaleId};
use urr_kit::state::{StateError, rooms::ledger::Conditions};
use uuid::Uuid;

/// `n` joins at once, half on each replica.
async fn crowd(a: &Replica, b: &Replica, sale: SaleId, n: usize) -> Vec<u64> {
    let joins = (0..n).map(|i| {
        let replica = if i % 2 == 0 { a } else { b };
        async move { replica.join(sale, &format!("v{i}")).await.position }
    });
    join_all(joins).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_number_a_crowd_uniquely_and_without_gaps() {
    let (door, a) = Door::new().await;
    let b = door.replica().await;
    let positions = crowd(&a, &b, door.sale, 1500).await;
    let distinct: BTreeSet<u64> = positions.iter().copied().collect();
    assert_eq!(distinct, (1..=1500).collect());
    // The writes grow with batches, not with the crowd.
    assert!(a.faults().calls() + b.faults().calls() < 600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_guard_two_people_get_one_number() {
    let (door, _) = Door::new().await;
    let (ctx, config) = (door.bed.ctx(), Config::default());
    let a = replica_of(&ctx, &config, Conditions::Dropped, Guards::NO_LEDGER).await;
    let b = replica_of(&ctx, &config, Conditions::Dropped, Guards::NO_LEDGER).await;
    let positions = crowd(&a, &b, door.sale, 200).await;
    let distinct: BTreeSet<u64> = positions.iter().copied().collect();
    assert!(
        distinct.len() < positions.len(),
        "the race cannot fail, so it proves nothing"
    );
}

#[tokio::test]
async fn within_a_replica_who_comes_first_is_first() {
    let (door, replica) = Door::new().await;
    replica.watch(door.sale).await;
    // join_all polls in order on this one thread, so that is the order of arrival.
    let joins = (0..300).map(|i| {
        let replica = &replica;
        async move { replica.join(door.sale, &format!("v{i}")).await.position }
    });
    assert_eq!(join_all(joins).await, (1..=300).collect::<Vec<u64>>());
}

#[tokio::test]
async fn joining_again_on_any_replica_gives_the_same_place() {
    let (door, a) = Door::new().await;
    let b = door.replica().await;
    let first = a.join(door.sale, "kim").await;
    let other = a.join(door.sale, "lee").await;
    assert_ne!(first.position, other.position);
    for replica in [&a, &b, &door.replica().await] {
        let again = replica.join(door.sale, "kim").await;
        assert_eq!(
            (again.position, &again.request_id),
            (first.position, &first.request_id)
        );
    }
    assert_eq!(a.refreshed(door.sale).await.issued, 2, "a repeat takes no number");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_name_joining_everywhere_at_once_gets_one_place() {
    let (door, a) = Door::new().await;
    let b = door.replica().await;
    let joins = (0..40).map(|i| {
        let replica = if i % 2 == 0 { &a } else { &b };
        async move { replica.join(door.sale, "kim").await.request_id }
    });
    let ids: BTreeSet<String> = join_all(joins).await.into_iter().collect();
    assert_eq!(ids.len(), 1);
    // Nothing was taken in vain.
    assert_eq!(a.join(door.sale, "lee").await.position, 2);
}

#[tokio::test]
async fn who_gave_no_name_gets_a_new_place_each_time() {
    let (door, replica) = Door::new().await;
    let path = format!("/vwr-api/vwr/assign/{}", door.sale);
    let (_, first) = replica.post(path.clone(), "").await;
    let (_, second) = replica.post(path.clone(), "{}").await;
    let (_, third) = replica.post(path, r#"{"userId":null}"#).await;
    let positions = [&first, &second, &third].map(|body| body["position"].as_u64().unwrap());
    assert_eq!(positions, [1, 2, 3]);
    let (status, _) = replica
        .get(format!(
            "/vwr-api/vwr/check/{}/{}",
            door.sale,
            first["requestId"].as_str().unwrap()
        ))
        .await;
    assert_eq!(status, StatusCode::OK);
}

/// R-VWR-02: the place outlives the client that asked for it.
#[tokio::test]
async fn a_client_that_goes_away_keeps_its_place() {
    let (door, replica) = Door::new().await;
    replica.watch(door.sale).await;
    // The future is dropped once the join is accepted.
    let lost = replica.try_join(door.sale, "kim");
    assert!(futures::poll!(Box::pin(lost)).is_pending());
    let elsewhere = door.replica().await;
    urr_kit::testing::eventually(
        std::time::Duration::from_secs(5),
        "the place is recorded",
        async || elsewhere.stored(door.sale).await.issued == 1,
    )
    .await;
    assert_eq!(elsewhere.join(door.sale, "kim").await.position, 1);
    assert_eq!(replica.refreshed(door.sale).await.issued, 1);
}

#[tokio::test]
async fn a_replica_that_starts_late_reads_the_ledger_once_and_knows_everybody() {
    let (door, a) = Door::new().await;
    for i in 0..40 {
        a.join(door.sale, &format!("v{i}")).await;
    }
    let late = door.replica().await;
    for i in (0..40).rev() {
        assert_eq!(late.join(door.sale, &format!("v{i}")).await.position, i + 1);
    }
    assert_eq!(late.faults().calls_of(Op::Append), 0);
    assert_eq!(late.faults().calls_of(Op::BlocksRead), 1);
}

/// The crowd is in one block, and the writes are two items, whatever its size.
#[tokio::test]
async fn a_crowd_costs_two_item_writes_a_block_and_no_lookup() {
    let (door, replica) = Door::new().await;
    replica.watch(door.sale).await;
    let before = replica.faults().item_writes();
    let names: Vec<String> = (0..3000).map(|i| format!("v{i}")).collect();
    join_all(names.iter().map(|name| replica.try_join(door.sale, name))).await;
    for name in ["one", "by", "one"] {
        replica.join(door.sale, name).await;
    }
    let room = replica.stored(door.sale).await;
    assert_eq!(room.issued, 3002);
    assert_eq!(replica.faults().item_writes() - before, 2 * room.blocks);
    assert!(room.blocks <= 6, "{} blocks", room.blocks);
    assert_eq!(replica.faults().calls_of(Op::BlocksRead), 0);
}

#[tokio::test]
async fn junk_burns_no_numbers() {
    let (door, replica) = Door::new().await;
    let path = format!("/vwr-api/vwr/assign/{}", door.sale);
    for body in ["not json", r#"{"userId":7}"#, r#"{"userId":"a b"}"#, "[]"] {
        let (status, answer) = replica.post(path.clone(), body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {answer}");
        assert_eq!(answer["error"], answer["message"]);
    }
    let long = format!(r#"{{"userId":"{}"}}"#, "x".repeat(5000));
    let (status, answer) = replica.post(path, long).await;
    assert!(status.is_client_error() && answer["error"].is_string());
    for event in [Uuid::new_v4().to_string(), "junk".to_owned()] {
        let (status, answer) = replica.post(format!("/vwr-api/vwr/assign/{event}"), "{}").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(answer["error"], "VWR is not active for this event");
    }
    assert_eq!(replica.join(door.sale, "kim").await.position, 1);
}

#[tokio::test]
async fn an_unknown_sale_costs_one_read_a_second() {
    let (door, replica) = Door::new().await;
    let junk = Uuid::new_v4();
    let before = replica.faults().calls();
    for _ in 0..50 {
        replica.get(format!("/vwr-api/vwr/status/{junk}")).await;
    }
    assert_eq!(replica.faults().calls() - before, 1);
    door.clock().advance_ms(1500);
    replica.get(format!("/vwr-api/vwr/status/{junk}")).await;
    assert_eq!(replica.faults().calls() - before, 2);
}

#[tokio::test]
async fn nobody_joins_before_the_pre_queue_or_after_the_close() {
    let (door, replica) = Door::new().await;
    for (at, reason) in [
        (OPENS_AT.plus_s(-601), "the waiting room has not opened yet"),
        (OPENS_AT.plus_s(3600), "the sale has closed"),
    ] {
        door.clock().set(at);
        let (status, body) = replica.try_join(door.sale, "kim").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(body["error"], "VWR is not active for this event");
        assert_eq!(body["reason"], reason);
    }
    assert_eq!(replica.refreshed(door.sale).await.issued, 0);
}

#[tokio::test]
async fn a_full_house_says_retry_and_takes_no_number() {
    let (door, _) = Door::new().await;
    let replica = door
        .replica_with(&Config {
            vwr_joins_max: 5,
            ..Config::default()
        })
        .await;
    replica.watch(door.sale).await;
    let names: Vec<String> = (0..20).map(|i| format!("v{i}")).collect();
    let answers = join_all(names.iter().map(|name| replica.try_join(door.sale, name))).await;
    let placed = answers
        .iter()
        .filter(|(status, _)| *status == StatusCode::OK)
        .count();
    let busy = answers
        .iter()
        .filter(|(s, _)| *s == StatusCode::SERVICE_UNAVAILABLE)
        .count();
    assert_eq!(placed + busy, 20);
    assert!(busy >= 1);
    assert_eq!(replica.refreshed(door.sale).await.issued, placed as u64);
}

#[tokio::test]
async fn an_idle_line_forgets_the_rate_it_did_not_use() {
    let (door, replica) = Door::new().await;
    // 100 s after the opening 1000 could have been served; nobody was there.
    door.clock().set(OPENS_AT.plus_s(100));
    let joins = (0..50).map(|i| {
        let replica = &replica;
        async move { replica.join(door.sale, &format!("v{i}")).await }
    });
    join_all(joins).await;
    let room = replica.refreshed(door.sale).await;
    assert_eq!(room.serving(OPENS_AT.plus_s(100)), 0);
    assert_eq!(room.serving(OPENS_AT.plus_s(102)), 20);
}

#[tokio::test]
async fn a_control_plane_that_read_before_a_reanchoring_join_is_fenced() {
    let (door, replica) = Door::new().await;
    door.clock().set(OPENS_AT.plus_s(100));
    let seen = replica.stored(door.sale).await;
    replica.join(door.sale, "kim").await;
    let stale: Room = seen.with_rate(20, OPENS_AT.plus_s(100));
    let refused = replica.app.shared.store.replace_room(seen.revision, &stale).await;
    assert!(matches!(refused, Err(StateError::Fenced { .. })), "{refused:?}");
}
