//! R-JOB-02: money that booking said is to go back is asked for until it has.

use super::World;
use crate::reconciliation::Reconciliation;
use crate::store::settle::Cancel;
use crate::store::{MIGRATOR, owed};
use axum::extract::{Path, State};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use urr_kit::events::{Envelope, PurchaseRejected, ReservationRejected};
use urr_kit::testing::TestBed;
use uuid::Uuid;

const MINUTE_MS: i64 = 60_000;

/// What payment says of a reservation's payment; nothing: it is away.
type Said = Arc<Mutex<Option<Value>>>;

async fn by_reservation(
    State(said): State<Said>,
    Path(_): Path<Uuid>,
) -> Result<axum::Json<Value>, http::StatusCode> {
    let said = said.lock().unwrap().clone();
    said.map(axum::Json)
        .ok_or(http::StatusCode::INTERNAL_SERVER_ERROR)
}

impl World {
    async fn reconciliation(&self) -> (Reconciliation, Said) {
        let said = Said::default();
        let path = "/internal/payments/by-reservation/{id}";
        let payment = axum::Router::new()
            .route(path, axum::routing::get(by_reservation))
            .with_state(Arc::clone(&said));
        let url = self.bed.serve(payment).await;
        let client = self.bed.ctx().internal();
        let job = Reconciliation::new(self.pool.clone(), client, &url, self.clock.clone());
        (job, said)
    }

    /// A ticket paid with a payment, which is answered.
    async fn paid(&self, owner: Uuid, seats: &[Uuid]) -> (Uuid, Uuid) {
        let payment = Uuid::new_v4();
        let hold = self.hold(owner, seats).await.unwrap();
        self.pay_by(payment, hold.id, hold.total_amount).await.unwrap();
        (hold.id, payment)
    }

    async fn owed(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM refunds_owed")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

fn decoded<T: serde::de::DeserializeOwned>(told: &Value) -> T {
    let event: Envelope = serde_json::from_value(told.clone()).unwrap();
    event.decode().unwrap()
}

#[tokio::test]
async fn r_job_02_a_refund_that_is_not_heard_of_is_asked_for_again_and_more_and_more_rarely() {
    let world = World::new(1, 1, false).await;
    let (job, said) = world.reconciliation().await;
    *said.lock().unwrap() = Some(json!({"found": false}));
    let owner = Uuid::new_v4();
    let (ticket, payment) = world.paid(owner, &world.seats).await;
    world.cancel(ticket, Cancel::ByOwner(owner)).await.unwrap();
    assert_eq!(job.round(world.now()).await.unwrap(), 0, "it was said just now");
    let mut waited_min = Vec::new();
    let mut since = 0;
    for minute in 1..=100 {
        world.clock.advance_ms(MINUTE_MS);
        if job.round(world.now()).await.unwrap() == 1 {
            waited_min.push(minute - since);
            since = minute;
        }
    }
    assert_eq!(waited_min, [5, 10, 20, 40]);
    let told = world.outbox("RESERVATION_REJECTED").await;
    assert_eq!(told.len(), 4);
    for event in &told {
        let owed: ReservationRejected = decoded(event);
        assert_eq!((owed.reservation_id, owed.payment_id), (ticket, Some(payment)));
    }
    // Each is news to whoever hears it, and nobody counts or reads of a second cancellation.
    let mut ids: Vec<&Value> = told.iter().map(|event| &event["eventId"]).collect();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    assert_eq!(world.outbox("RESERVATION_CANCELLED").await.len(), 1);
    assert_eq!(owed::overdue(&world.pool).await.unwrap(), 1);
    // Another's refund settles nothing; its own does.
    for (payment, left) in [(Uuid::new_v4(), 1), (payment, 0)] {
        world
            .hear(&world.told_refunded(payment, owner, (Some(ticket), None)))
            .await;
        assert_eq!(world.owed().await, left);
    }
    assert_eq!(world.money(ticket).await, "refunded");
    world.clock.advance_ms(7 * 24 * 60 * MINUTE_MS);
    assert_eq!(job.round(world.now()).await.unwrap(), 0);
}

#[tokio::test]
async fn r_job_02_who_sold_his_ticket_is_owed_until_it_is_heard_that_he_was_paid() {
    // Docs/decisions/0024: the seller gets his own charge back, whichever way he had come by the ticket.
    let world = World::new(1, 1, false).await;
    let (job, _) = world.reconciliation().await;
    let [a, b, c] = [(); 3].map(|()| Uuid::new_v4());
    let (ticket, pay_a) = world.paid(a, &world.seats).await;
    let (pay_b, pay_c) = (Uuid::new_v4(), Uuid::new_v4());
    let first = world.list(ticket, a).await.unwrap();
    world.buy(first, b, pay_b).await;
    let second = world.list(ticket, b).await.unwrap();
    world.buy(second, c, pay_c).await;
    world.clock.advance_ms(5 * MINUTE_MS);
    assert_eq!(job.round(world.now()).await.unwrap(), 2);
    let to_a: ReservationRejected = decoded(&world.outbox("RESERVATION_REJECTED").await[0]);
    assert_eq!((to_a.reservation_id, to_a.payment_id), (ticket, Some(pay_a)));
    let to_b: PurchaseRejected = decoded(&world.outbox("TRANSFER_REJECTED").await[0]);
    assert_eq!((to_b.reference_id, to_b.payment_id), (first, pay_b));
    world
        .hear(&world.told_refunded(pay_a, a, (Some(ticket), None)))
        .await;
    world
        .hear(&world.told_refunded(pay_b, b, (None, Some(first))))
        .await;
    assert_eq!(
        (
            world.owed().await,
            world.owner(ticket).await,
            world.status(ticket).await.as_str()
        ),
        (0, c, "confirmed")
    );
    // And C, who gives it up, of what he paid for it.
    world.cancel(ticket, Cancel::ByOwner(c)).await.unwrap();
    world.clock.advance_ms(5 * MINUTE_MS);
    assert_eq!(job.round(world.now()).await.unwrap(), 1);
    let to_c: PurchaseRejected = decoded(&world.outbox("TRANSFER_REJECTED").await[1]);
    assert_eq!((to_c.reference_id, to_c.payment_id), (second, pay_c));
    world
        .hear(&world.told_refunded(pay_c, c, (None, Some(second))))
        .await;
    assert_eq!(world.owed().await, 0);
}

#[tokio::test]
async fn r_job_02_what_payment_has_paid_back_long_ago_is_found_out() {
    // Its event was lost: to be told again would change nothing there, and nothing would ever be heard.
    let world = World::new(2, 1, false).await;
    let (job, said) = world.reconciliation().await;
    let owner = Uuid::new_v4();
    let (ticket, payment) = world.paid(owner, &world.seats[..1]).await;
    world.cancel(ticket, Cancel::ByOwner(owner)).await.unwrap();
    for (wait_min, answer, left) in [
        (5, None, 1),
        (10, None, 1),
        (20, Some(json!({"paymentId": payment, "status": "confirmed"})), 1),
        (
            40,
            Some(json!({"paymentId": Uuid::new_v4(), "status": "refunded"})),
            1,
        ),
        (80, Some(json!({"paymentId": payment, "status": "refunded"})), 0),
    ] {
        *said.lock().unwrap() = answer;
        world.clock.advance_ms(wait_min * MINUTE_MS);
        assert_eq!(job.round(world.now()).await.unwrap(), 1);
        assert_eq!(world.owed().await, left);
    }
    assert_eq!(world.money(ticket).await, "refunded");
}

#[tokio::test]
async fn r_job_02_a_round_asks_for_all_that_is_due_batch_by_batch() {
    let world = World::new(1, 1, false).await;
    let (job, _) = world.reconciliation().await;
    let now = world.now();
    let mut conn = world.pool.acquire().await.unwrap();
    for _ in 0..2 * owed::BATCH + 1 {
        let charge = owed::Charge {
            target: Uuid::new_v4(),
            is_transfer: false,
            payment: None,
            payer: Uuid::new_v4(),
        };
        owed::remember(&mut conn, charge, "USER_REQUEST", urr_kit::wire::at(now))
            .await
            .unwrap();
    }
    drop(conn);
    world.clock.advance_ms(5 * MINUTE_MS);
    assert_eq!(
        i64::try_from(job.round(world.now()).await.unwrap()).unwrap(),
        2 * owed::BATCH + 1
    );
    assert_eq!(job.round(world.now()).await.unwrap(), 0);
}

#[tokio::test]
async fn r_job_02_what_was_owed_before_anybody_wrote_it_down_is_written_down_by_the_migration() {
    let bed = TestBed::new().await;
    let before = MIGRATOR.iter().filter(|step| step.version < 5).cloned();
    let before = sqlx::migrate::Migrator::with_migrations(before.collect());
    let pool = bed.ctx().postgres("booking", &before).await.unwrap();
    // Tickets: given up; sold on twice; sold on and given up; sold on twice, of which the second seller has his money.
    let tickets: Vec<Uuid> = (0..4).map(|_| Uuid::new_v4()).collect();
    let all = [
        (tickets[0], "cancelled", "refund_requested"),
        (tickets[1], "confirmed", "completed"),
        (tickets[2], "cancelled", "refund_requested"),
        (tickets[3], "confirmed", "completed"),
    ];
    for (ticket, status, money) in all {
        sqlx::query(
            "INSERT INTO reservations (id, user_id, event_id, reservation_number, total_amount, status, payment_status,
                 expires_at, operation, created_at, updated_at)
             VALUES ($1, gen_random_uuid(), $1, $1::text, 1, $2, $3, '2026-02-01Z', 'hold', '2026-02-01Z',
                 '2026-02-01Z')",
        )
        .bind(ticket)
        .bind(status)
        .bind(money)
        .execute(&pool)
        .await
        .unwrap();
    }
    let mut sold = Vec::new();
    for (ticket, hour, outcome) in [
        (1, 1, "fulfilled"),
        (1, 2, "fulfilled"),
        (2, 1, "fulfilled"),
        (3, 1, "refunded"),
        (3, 2, "fulfilled"),
    ] {
        let (transfer, payment) = (Uuid::new_v4(), Uuid::new_v4());
        sold.push((transfer, payment));
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "INSERT INTO ticket_transfers (id, reservation_id, seller_id, buyer_id, original_price, transfer_fee,
                 transfer_fee_percent, total_price, status, created_at, completed_at, updated_at)
             VALUES ('{transfer}', '{0}', gen_random_uuid(), gen_random_uuid(), 1, 0, 0, 1, 'completed',
                 '2026-02-01Z', '2026-02-01 0{hour}:00Z', '2026-02-01Z');
             INSERT INTO purchases (payment_id, target_id, outcome, decided_at)
             VALUES ('{payment}', '{transfer}', '{outcome}', '2026-02-01Z'),
                    (gen_random_uuid(), '{transfer}', 'refused', '2026-02-01Z');
             UPDATE reservations SET transfer_id = '{transfer}' WHERE id = '{0}';",
            tickets[ticket]
        )))
        .execute(&pool)
        .await
        .unwrap();
    }
    let pool = bed.ctx().postgres("booking", &MIGRATOR).await.unwrap();
    let mut owed: Vec<(Uuid, bool, Option<Uuid>)> =
        sqlx::query_as("SELECT target_id, is_transfer, payment_id FROM refunds_owed")
            .fetch_all(&pool)
            .await
            .unwrap();
    let mut expected: Vec<_> = tickets.iter().map(|ticket| (*ticket, false, None)).collect();
    // To who sold the second ticket on, and to who gave the third up.
    expected.extend([sold[0], sold[2]].map(|(transfer, payment)| (transfer, true, Some(payment))));
    owed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(owed, expected);
}
