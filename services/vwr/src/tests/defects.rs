//! One test per defect that other waiting rooms are known for and that concerns tier 1
//! (reference/waiting-rooms.md); the name says whose.
//!
//! Of the others, where they are covered under a name of their own:
//! - upstream 1, a position that the client says: `upstream_1_…` here for tier 1's check; tier 2 takes it from
//!   the signed token only (`queue: suite/wire.rs, a_sale_wants_a_genuine_place_and_a_clients_number_is_none`);
//! - upstream 2, scores that mix positions with times: `queue: suite/line.rs,
//!   people_go_in_by_position_whatever_the_order_of_their_arrival`;
//! - upstream 3 and Cloudflare, more inside than the cap: `queue: suite/cap.rs,
//!   fifty_at_once_never_exceed_the_cap` and `without_the_guard_the_cap_is_exceeded`;
//! - upstream 4, a lock that another worker deletes: there is none; admission is one script, whoever runs it
//!   (`queue: clocks.rs, two_replicas_half_a_second_apart_admit_at_one_rate`);
//! - upstream 8, fencing that fences nothing: `booking: settling.rs, without_fencing_the_same_seat_is_sold_twice`;
//! - AWS VWR, a token call counted twice, and #208, the expired are still counted: what is inside is a set of
//!   users and not a counter (`queue: suite/line.rs, a_slot_comes_back_when_its_user_leaves_falls_silent_or_runs_out_of_time`,
//!   `joining_again_changes_nothing`);
//! - AWS VWR #210, the panel does not know the latest number: the operator's status reads the record itself
//!   (`operators.rs, advance_serves_as_many_as_wait_and_no_more`);
//! - AWS VWR #235 and #236, lists that time out on a long run: nothing lists people; one is looked up by name
//!   (`operators.rs, support_finds_a_place_by_name`);
//! - Fastly, a line that moves only when somebody asks: it moves by the clock
//!   (`polls.rs, the_line_opens_by_the_replicas_own_clock_and_admits_in_order`,
//!   `outage.rs, without_dynamodb_the_line_opens_moves_and_takes_nobody_new`), and tier 2's by a ticker (`queue:
//!   suite/line.rs, the_ticker_opens_a_sale_that_nobody_asked_about`).

use super::{Door, OPENS_AT};
use crate::store::faults::Fault;
use ::http::StatusCode;
use futures::future::join_all;
use std::collections::BTreeSet;
use urr_core::{sale::SaleId, token::place};
use uuid::Uuid;

/// AWS VWR 1: a delete that fails once gives two users one position.
#[tokio::test]
async fn aws_vwr_1_a_failed_step_after_numbering_gives_nobody_anothers_position() {
    let (door, replica) = Door::new().await;
    replica.watch(door.sale).await;
    replica.faults().expect([Fault::AnswerLost]);
    let names = ["r1", "r2", "r3"];
    let joins = names.map(|name| replica.join(door.sale, name));
    let places: BTreeSet<u64> = join_all(joins).await.iter().map(|place| place.position).collect();
    assert_eq!(places, (1..=3).collect());
}

/// AWS VWR 2: redelivery moves the user back.
#[tokio::test]
async fn aws_vwr_2_a_repeated_request_never_moves_anybody_back() {
    let (door, replica) = Door::new().await;
    let first = replica.join(door.sale, "a").await;
    for i in 0..20 {
        replica.join(door.sale, &format!("v{i}")).await;
        assert_eq!(replica.join(door.sale, "a").await.position, first.position);
    }
}

/// AWS VWR 3: junk burns positions.
#[tokio::test]
async fn aws_vwr_3_junk_takes_no_position() {
    let (door, replica) = Door::new().await;
    for event in ["junk", "", &Uuid::new_v4().to_string()] {
        replica
            .post(format!("/vwr-api/vwr/assign/{event}"), r#"{"userId":"x"}"#)
            .await;
    }
    for body in ["{", r#"{"userId":"<script>"}"#, r#"{"userId":[1]}"#] {
        replica
            .post(format!("/vwr-api/vwr/assign/{}", door.sale), body)
            .await;
    }
    assert_eq!(replica.join(door.sale, "real").await.position, 1);
}

/// AWS VWR, by reading: the queue in front of the numbers is not FIFO.
#[tokio::test]
async fn aws_vwr_4_numbers_follow_the_order_of_arrival() {
    let (door, replica) = Door::new().await;
    replica.watch(door.sale).await;
    let names: Vec<String> = (0..200).map(|i| format!("v{i}")).collect();
    let places = join_all(names.iter().map(|name| replica.join(door.sale, name))).await;
    assert!(places.iter().map(|place| place.position).eq(1..=200));
}

/// AWS VWR, by reading: one key of an index takes every write of an event. What the store itself has
/// is looked at: a key of its own for every block, and no index beside.
#[tokio::test]
async fn aws_vwr_5_no_two_blocks_share_a_partition_key() {
    use urr_kit::state::rooms::{LEDGER_KEY, LEDGER_TABLE};
    let (door, replica) = Door::new().await;
    for i in 0..4 {
        replica.join(door.sale, &format!("v{i}")).await;
    }
    let room = replica.stored(door.sale).await;
    assert!(room.blocks > 1, "several appends");
    let dynamo = door.bed.ctx().dynamo().await;
    let table = dynamo.table(LEDGER_TABLE);
    let described = dynamo.client.describe_table().table_name(&table).send().await;
    let described = described.unwrap().table.unwrap();
    let hash = described.key_schema().first().unwrap();
    assert_eq!(
        (described.key_schema().len(), hash.attribute_name()),
        (1, LEDGER_KEY)
    );
    assert!(described.global_secondary_indexes().is_empty());
    let stored = dynamo.client.scan().table_name(&table).send().await.unwrap();
    let keys: BTreeSet<String> = stored
        .items()
        .iter()
        .filter(|item| item["eventId"].as_s().unwrap() == &door.sale.to_string())
        .map(|item| item[LEDGER_KEY].as_s().unwrap().clone())
        .collect();
    assert_eq!(keys.len() as u64, room.blocks);
}

/// AWS VWR #206: no estimate is shown.
#[tokio::test]
async fn aws_vwr_206_an_estimate_is_in_every_answer() {
    let (door, replica) = Door::new().await;
    let (_, body) = replica.try_join(door.sale, "kim").await;
    for field in ["estimatedWait", "etaP50S", "etaP90S", "nextPollMs"] {
        assert!(body[field].is_u64(), "{field}: {body}");
    }
}

/// AWS VWR #214: a stale number after a reset.
#[tokio::test]
async fn aws_vwr_214_after_a_reset_old_numbers_are_not_told() {
    let (_door, replica) = Door::new().await;
    let event = Uuid::new_v4();
    let act = async |action: &str| {
        let path = format!("/api/admin/vwr/{action}/{event}");
        assert_eq!(replica.admin("POST", path, "").await.0, StatusCode::OK);
    };
    act("activate").await;
    let old = replica.join(event, "kim").await;
    act("deactivate").await;
    act("activate").await;
    assert_eq!(replica.check(event, &old, "kim").await.0, StatusCode::NOT_FOUND);
    let fresh = replica.join(event, "kim").await;
    assert_ne!(fresh.request_id, old.request_id);
}

/// AWS VWR #10: one stack per event.
#[tokio::test]
async fn aws_vwr_10_one_process_holds_several_events() {
    let (door, replica) = Door::new().await;
    let sales: Vec<SaleId> = (0..3).map(|_| Uuid::new_v4()).collect();
    for sale in &sales {
        let room = urr_core::room::Room {
            sale: *sale,
            ..door.room()
        };
        replica.app.shared.store.create_room(&room).await.unwrap();
        assert_eq!(replica.join(*sale, "kim").await.position, 1);
    }
}

/// Cloudflare: order is known by the minute.
#[tokio::test]
async fn cloudflare_1_order_is_by_arrival_and_not_by_the_minute() {
    let (door, replica) = Door::new().await;
    for i in 1..=10 {
        // All within one second.
        door.clock().advance_ms(100);
        assert_eq!(replica.join(door.sale, &format!("v{i}")).await.position, i);
    }
}

/// Cloudflare: closing the tab puts one at the back of the line.
#[tokio::test]
async fn cloudflare_2_who_comes_back_has_the_same_place() {
    let (door, replica) = Door::new().await;
    let first = replica.join(door.sale, "kim").await;
    for i in 0..10 {
        replica.join(door.sale, &format!("v{i}")).await;
    }
    door.clock().advance_ms(3_600_000 / 2);
    let again = door.replica().await.join(door.sale, "kim").await;
    assert_eq!(
        (again.position, again.request_id),
        (first.position, first.request_id)
    );
}

/// Cloudflare: status data is 20 to 50 s old; polls come every 20 s whatever the distance.
#[tokio::test]
async fn cloudflare_3_the_counter_is_as_of_now_and_the_front_is_asked_back_sooner() {
    let (door, replica) = Door::new().await;
    let front = replica.join(door.sale, "front").await;
    for i in 0..200 {
        replica.join(door.sale, &format!("v{i}")).await;
    }
    let back = replica.join(door.sale, "back").await;
    door.clock().set(OPENS_AT.plus_ms(50));
    let next = async |place, name| {
        let (_, body) = replica.check(door.sale, place, name).await;
        body["nextPollMs"].as_u64().unwrap()
    };
    assert!(next(&front, "front").await <= 2000);
    assert!(next(&back, "back").await > 4000);
    door.clock().set(OPENS_AT.plus_ms(100));
    assert_eq!(
        replica.check(door.sale, &front, "front").await.1["admitted"],
        true
    );
}

/// Queue-it: a connector that cannot ask lets everybody in.
#[tokio::test]
async fn queue_it_1_what_cannot_be_verified_is_not_let_in() {
    let (door, replica) = Door::new().await;
    door.clock().set(OPENS_AT.plus_s(60));
    let forged = place::issue(
        &urr_core::token::Keyring::new(&["another-key-0123456789abcdef0123456789"]).unwrap(),
        &place::Place {
            sale: door.sale,
            epoch: 1,
            position: 1,
        },
        "kim",
    );
    let path = format!("/vwr-api/vwr/check/{}/{forged}?userId=kim", door.sale);
    let (status, body) = replica.get(path).await;
    assert_eq!((status, body.get("token")), (StatusCode::NOT_FOUND, None));
}

/// Queue-it: randomness that the public cannot check. (See `draw.rs` for the whole of it.)
#[tokio::test]
async fn queue_it_2_the_draw_is_committed_to_before_anybody_has_a_ticket() {
    let (door, replica) = Door::with_draw().await;
    let (_, body) = replica.get(format!("/vwr-api/vwr/draw/{}", door.sale)).await;
    assert!(body["commitment"].is_string() && body["seed"].is_null());
    assert_eq!(replica.stored(door.sale).await.issued, 0);
}

/// Upstream 1: the client says at which position it stands.
#[tokio::test]
async fn upstream_1_a_position_that_the_client_says_is_worth_nothing() {
    let (door, replica) = Door::new().await;
    for i in 0..50 {
        replica.join(door.sale, &format!("v{i}")).await;
    }
    let path = format!("/vwr-api/vwr/assign/{}", door.sale);
    let body = r#"{"userId":"pusher","position":1,"vwrPosition":1}"#;
    let (_, told) = replica.post(path, body).await;
    assert_eq!(told["position"], 51);
    door.clock().set(OPENS_AT.plus_s(1));
    let id = told["requestId"].as_str().unwrap();
    let path = format!(
        "/vwr-api/vwr/check/{}/{id}?userId=pusher&position=1&vwrPosition=1",
        door.sale
    );
    let (_, body) = replica.get(path).await;
    assert_eq!(
        (&body["position"], &body["admitted"]),
        (&51.into(), &false.into())
    );
}

/// Fastly: the cursor may run past the length; upstream 5: past nextPosition, and twice as fast
/// when its advancer runs twice.
#[tokio::test]
async fn upstream_5_the_counter_never_passes_the_last_place_and_nobody_can_advance_it_twice() {
    let (door, a) = Door::new().await;
    let b = door.replica().await;
    for i in 0..5 {
        a.join(door.sale, &format!("v{i}")).await;
    }
    b.watch(door.sale).await;
    door.clock().set(OPENS_AT.plus_ms(300));
    for replica in [&a, &b, &a, &b] {
        replica.refreshed(door.sale).await;
        let (_, body) = replica.get(format!("/vwr-api/vwr/status/{}", door.sale)).await;
        assert_eq!(body["serving"], 3, "refreshing is not advancing");
    }
    door.clock().set(OPENS_AT.plus_s(500));
    let (_, body) = a.get(format!("/vwr-api/vwr/status/{}", door.sale)).await;
    assert_eq!((&body["serving"], &body["totalInQueue"]), (&5.into(), &5.into()));
}

/// Upstream 6: joining is not idempotent, and a token is minted for whatever `userId` says.
#[tokio::test]
async fn upstream_6_a_retry_is_the_same_place_and_a_token_is_the_holders_only() {
    let (door, replica) = Door::new().await;
    let kim = replica.join(door.sale, "kim").await;
    assert_eq!(replica.join(door.sale, "kim").await.request_id, kim.request_id);
    door.clock().set(OPENS_AT.plus_s(1));
    let (status, body) = replica.check(door.sale, &kim, "lee").await;
    assert_eq!((status, body.get("token")), (StatusCode::NOT_FOUND, None));
    assert_eq!(replica.stored(door.sale).await.issued, 1);
}

/// Upstream 7: a room that is switched off hands a token to all who poll. Here too, by contract,
/// but it is worth no more than a place: tier 2 orders by the position in it and keeps its cap.
#[tokio::test]
async fn upstream_7_a_token_of_a_room_that_is_off_still_carries_the_place() {
    let (door, replica) = Door::new().await;
    for i in 0..3 {
        replica.join(door.sale, &format!("v{i}")).await;
    }
    let last = replica.join(door.sale, "last").await;
    replica
        .control(door.sale, |room| room.deactivated(OPENS_AT))
        .await;
    replica.refreshed(door.sale).await;
    let (_, body) = replica.check(door.sale, &last, "last").await;
    let keys = &door.bed.ctx().secrets.vwr_keys;
    let claims = urr_core::token::tier1::verify(
        keys,
        body["token"].as_str().unwrap(),
        door.sale,
        OPENS_AT.plus_s(-60),
    )
    .unwrap();
    assert_eq!(claims.pos, 4);
}

/// Upstream 9: the estimate assumes 50 a second whatever the rate.
#[tokio::test]
async fn upstream_9_the_estimate_goes_by_the_rate() {
    let (door, replica) = Door::new().await;
    for i in 0..99 {
        replica.join(door.sale, &format!("v{i}")).await;
    }
    let last = replica.join(door.sale, "last").await;
    door.clock().set(OPENS_AT);
    let (_, body) = replica.check(door.sale, &last, "last").await;
    assert_eq!(body["estimatedWait"], 10);
    replica
        .control(door.sale, |room| room.with_rate(50, OPENS_AT))
        .await;
    replica.refreshed(door.sale).await;
    let (_, body) = replica.check(door.sale, &last, "last").await;
    assert_eq!(body["estimatedWait"], 2);
}

/// Section 8: `ADD 1` per join takes at most a thousand a second. Two replicas on a machine of tests
/// stay far below the bound; that as many as would reach it keep to it shows `line::pace`, without a store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dynamodb_8_item_writes_of_a_second_stay_below_800_whatever_the_crowd() {
    let (door, a) = Door::new().await;
    let b = door.replica().await;
    for replica in [&a, &b] {
        replica.watch(door.sale).await;
        replica.join(door.sale, &Uuid::new_v4().to_string()).await;
    }
    let before = a.faults().item_writes() + b.faults().item_writes();
    let started = std::time::Instant::now();
    // Visitors come one after another through 40 doors at once, each as soon as the last is in.
    let lanes = (0..40).map(|lane| {
        let replica = if lane % 2 == 0 { &a } else { &b };
        async move {
            let mut n = 0;
            while started.elapsed() < std::time::Duration::from_millis(1000) {
                replica.join(door.sale, &format!("v{lane}-{n}")).await;
                n += 1;
            }
            n
        }
    });
    let joined: u64 = join_all(lanes).await.into_iter().sum();
    let seconds = started.elapsed().as_secs_f64();
    let written = a.faults().item_writes() + b.faults().item_writes() - before;
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let per_s = written as f64 / seconds;
    assert!(per_s <= 800.0, "{per_s} item writes a second for {joined} joins");
    assert_eq!(a.stored(door.sale).await.issued, joined + 2);
}
