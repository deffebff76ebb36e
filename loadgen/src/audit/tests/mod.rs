//! The auditor against real engines, with rows written by hand.

mod world;

use super::{CollectError, PollCounters, Store, audit, collect};
use sqlx::PgPool;
use urr_core::audit::{AuditReport, Evidence, Observations, Verdict};
use urr_core::{law::Law, time::Millis};
use uuid::Uuid;
use world::{World, order, reservation, seat, user};

/// Enough for more than one page of every store.
const VISITORS: u32 = 3_000;

fn started(world: &World) -> PollCounters {
    PollCounters::zero(Millis(world.now().0 - 120_000))
}

async fn audited(world: &World, observed: Observations) -> (Evidence, AuditReport) {
    audit(&world.stores, &world.sale, observed, &started(world), world.now())
        .await
        .unwrap()
}

async fn payment_of(world: &World) -> PgPool {
    world
        .bed
        .ctx()
        .postgres("payment", &world::PAYMENT)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_sale_that_kept_its_laws_is_read_whole_and_passes() {
    let world = World::sold(VISITORS).await;
    let (evidence, report) = audited(&world, world.observed()).await;
    let visitors = VISITORS as usize;
    assert_eq!(evidence.places.len(), visitors + 2);
    assert_eq!(evidence.log.len(), 3 * visitors + 1);
    assert_eq!(evidence.seats.len(), visitors / 10);
    assert_eq!(evidence.reservations.len(), visitors / 10);
    assert_eq!(evidence.items.len(), visitors / 10);
    assert_eq!(evidence.payments.len(), visitors / 10);
    assert_eq!(evidence.charges.len(), visitors / 10);
    assert_eq!(
        evidence.room.as_ref().map(|room| room.issued),
        Some(u64::from(VISITORS) + 2)
    );
    let polls = evidence.observed.polls.unwrap();
    assert_eq!(
        (polls.polls, polls.store_reads, polls.duration_ms),
        (90_000, 100, 120_000)
    );
    for finding in &report.findings {
        assert_eq!(finding.verdict, Verdict::Held, "{finding:?}");
    }
}

/// The audit can fail: each row below is one that a service without its guard would have left.
#[tokio::test]
async fn what_is_wrong_in_the_stores_is_found() {
    let world = World::sold(200).await;
    // A second owner of the first seat, under an older claim, never charged.
    sqlx::query(
        "WITH r AS (
             INSERT INTO reservations SELECT $1, $2, event_id, 'TKX', total_amount, status, payment_status,
                    payment_method, expires_at, operation, 'again', created_at, updated_at
             FROM reservations WHERE id = $3
         )
         INSERT INTO reservation_items (reservation_id, seat_id, quantity, unit_price, subtotal, label, fencing_token)
         SELECT $1, $4, 1, 1, 1, 'A', 0",
    )
    .bind(Uuid::from_u128(7))
    .bind(user(3))
    .bind(reservation(0))
    .bind(seat(0))
    .execute(&world.booking)
    .await
    .unwrap();
    // Somebody who is inside without the script having let him in.
    redis::cmd("ZADD")
        .arg(world.redis.key(&format!("{{{}}}:active", world.sale.id)))
        .arg(1)
        .arg(Uuid::from_u128(8).to_string())
        .exec_async(&mut world.redis.conn())
        .await
        .unwrap();
    let (_, report) = audited(&world, world.observed()).await;
    let broken: Vec<_> = report.broken().collect();
    assert_eq!(
        broken,
        [Law::NoOversell, Law::HardCap, Law::PaidMeansTicket, Law::Fenced]
    );
    let oversell = report.finding(Law::NoOversell).unwrap();
    assert!(oversell.examples[0].contains("A-1-1"), "{:?}", oversell.examples);
}

#[tokio::test]
async fn a_ticket_that_was_sold_on_is_paid_by_its_last_buyer() {
    // R-TRF-02, docs/decisions/0024. What is charged for the first ticket was paid by its second owner.
    let world = World::sold(200).await;
    let payment = payment_of(&world).await;
    let [(first, buyer), (second, next)] =
        [(9, 10), (11, 12)].map(|(transfer, buyer)| (Uuid::from_u128(transfer), Uuid::from_u128(buyer)));
    sqlx::query(
        "UPDATE payments SET payment_type = 'transfer', reservation_id = NULL, reference_id = $2, user_id = $3
         WHERE order_id = $1",
    )
    .bind(order(0))
    .bind(first)
    .bind(buyer)
    .execute(&payment)
    .await
    .unwrap();
    let verdict = async || {
        let (_, report) = audited(&world, world.observed()).await;
        let money = report.finding(Law::PaidMeansTicket).unwrap();
        (money.verdict, report.finding(Law::NoOversell).unwrap().verdict)
    };
    let (held, broken) = (Verdict::Held, Verdict::Broken);
    assert_eq!(verdict().await, (broken, held), "nothing was handed over for it");
    let hand_over = async |transfer: Uuid, seller: Uuid, buyer: Uuid| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "INSERT INTO ticket_transfers (id, reservation_id, seller_id, buyer_id, original_price, transfer_fee,
                 transfer_fee_percent, total_price, status, created_at, completed_at, updated_at)
             VALUES ('{transfer}', '{0}', '{seller}', '{buyer}', 1, 0, 0, 1, 'completed', now(), clock_timestamp(), now());
             UPDATE reservations SET user_id = '{buyer}', transfer_id = '{transfer}' WHERE id = '{0}';",
            reservation(0)
        )))
        .execute(&world.booking)
        .await
        .unwrap();
    };
    let seat_of = async |owner: Uuid| {
        sqlx::query("UPDATE seats SET locked_by = $2 WHERE id = $1")
            .bind(seat(0))
            .bind(owner)
            .execute(&world.booking)
            .await
            .unwrap();
    };
    hand_over(first, user(0), buyer).await;
    assert_eq!(verdict().await, (held, broken), "the seat is still the seller's");
    seat_of(buyer).await;
    assert_eq!(verdict().await, (held, held));
    // Sold on once more; the charge that is kept is still the one before.
    hand_over(second, buyer, next).await;
    seat_of(next).await;
    assert_eq!(verdict().await, (broken, held));
}

#[tokio::test]
async fn a_membership_is_no_sales_and_judged_all_the_same() {
    // Law paid-means-ticket: no charge is out of sight because it bought no seat.
    let world = World::sold(200).await;
    let payment = payment_of(&world).await;
    // Another sale's, which the ledger has charged.
    let become_membership =
        "UPDATE payments SET payment_type = 'membership', reservation_id = NULL, reference_id = id,
         event_id = NULL, status = $1 WHERE order_id = 'ELSEWHERE'";
    for (status, verdict) in [("confirmed", Verdict::Held), ("refunded", Verdict::Broken)] {
        sqlx::query(become_membership)
            .bind(status)
            .execute(&payment)
            .await
            .unwrap();
        let (_, report) = audited(&world, world.observed()).await;
        let finding = report.finding(Law::PaidMeansTicket).unwrap();
        assert_eq!(finding.verdict, verdict, "{status}: {finding:?}");
    }
}

#[tokio::test]
async fn empty_stores_prove_nothing() {
    let world = World::new(100).await;
    let (_, report) = audited(&world, Default::default()).await;
    assert_eq!(
        report.finding(Law::NoOversell).unwrap().verdict,
        Verdict::Unproven
    );
    assert!(!report.passes());
}

#[tokio::test]
async fn a_store_that_cannot_be_read_fails_the_audit_by_name() {
    let world = World::new(100).await;
    let failure = async |change: fn(&mut super::Stores)| {
        let mut stores = world.stores.clone();
        change(&mut stores);
        collect(
            &stores,
            &world.sale,
            Default::default(),
            &started(&world),
            world.now(),
        )
        .await
        .unwrap_err()
    };
    let store = |error| match error {
        CollectError::Reach { store, .. }
        | CollectError::Read { store, .. }
        | CollectError::Corrupt { store, .. } => store,
    };
    assert_eq!(
        store(failure(|stores| stores.redis_url = "redis://127.0.0.1:9".into()).await),
        Store::Redis
    );
    assert_eq!(
        store(failure(|stores| stores.provider_url = "http://127.0.0.1:9".into()).await),
        Store::Ledger
    );
    assert_eq!(
        store(failure(|stores| stores.metrics_urls = vec!["http://127.0.0.1:9".into()]).await),
        Store::Metrics
    );
    assert_eq!(
        store(failure(|stores| stores.booking_url = "postgres://a:b@127.0.0.1:9/c".into()).await),
        Store::Postgres
    );
    assert_eq!(
        store(failure(|stores| stores.dynamo.table_prefix = "nobodys-".into()).await),
        Store::Dynamo
    );
}

#[tokio::test]
async fn a_log_entry_without_meaning_is_named_and_not_skipped() {
    let world = World::new(100).await;
    redis::cmd("XADD")
        .arg(world.redis.key(&format!("{{{}}}:log", world.sale.id)))
        .arg("5-0")
        .arg(&[("k", "admit"), ("t", "soon")])
        .exec_async(&mut world.redis.conn())
        .await
        .unwrap();
    let error = collect(
        &world.stores,
        &world.sale,
        Default::default(),
        &started(&world),
        world.now(),
    )
    .await
    .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("Redis") && text.contains("5-0") && text.contains("field t"),
        "{text}"
    );
}
