//! A ticket stands on one payment (docs/decisions/0024): what is told of another neither gives nor takes it.

use super::World;
use crate::consumer::Listener;
use crate::reservation::Refusal;
use crate::store::change::{self, Outcome};
use crate::store::handover::Guarded;
use crate::store::settle::{self, Cancel, Fencing, Paid, SettleError};
use std::time::Duration;
use urr_kit::events::{
    Envelope, Handler as _, PAYMENT_CONFIRMED, PAYMENT_REFUNDED, PaymentConfirmed, PaymentRefunded,
};
use urr_kit::testing::eventually;
use urr_kit::wire;
use uuid::Uuid;

impl World {
    /// What the payment service's call does.
    pub(super) async fn pay_by(
        &self,
        payment: Uuid,
        reservation: Uuid,
        amount: i64,
    ) -> Result<bool, SettleError> {
        let mut conn = self.pool.acquire().await.unwrap();
        let paid = Paid {
            payment: Some(payment),
            payer: None,
            amount: Some(amount),
            method: "toss",
        };
        let now = wire::at(self.now());
        let settled = settle::confirm(&mut conn, reservation, paid, Fencing::Compared, now).await?;
        Ok(settled.changed)
    }

    /// What the bus does.
    pub(super) async fn hear(&self, event: &Envelope) {
        let listener = Listener::new(self.filter.clone(), self.clock.clone());
        let mut tx = self.pool.begin().await.unwrap();
        listener.handle(&mut tx, event).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(super) fn told_paid(&self, payment: Uuid, user: Uuid, reservation: Uuid, amount: i64) -> Envelope {
        let told = PaymentConfirmed {
            payment_id: payment,
            order_id: "ORD_1".into(),
            payment_key: None,
            user_id: user,
            event_id: None,
            reservation_id: Some(reservation),
            reference_id: None,
            payment_type: "reservation".into(),
            amount,
            payment_method: "toss".into(),
            approved_at: None,
        };
        Envelope::new(PAYMENT_CONFIRMED, "payment", payment, self.now(), &told).unwrap()
    }

    /// Of a reservation's payment, or of a transfer's.
    pub(super) fn told_refunded(
        &self,
        payment: Uuid,
        user: Uuid,
        (reservation, transfer): (Option<Uuid>, Option<Uuid>),
    ) -> Envelope {
        let told = PaymentRefunded {
            payment_id: payment,
            order_id: "ORD_1".into(),
            user_id: user,
            reservation_id: reservation,
            reference_id: transfer,
            payment_type: if transfer.is_some() {
                "transfer"
            } else {
                "reservation"
            }
            .into(),
            amount: 1,
            reason: "any".into(),
        };
        Envelope::new(PAYMENT_REFUNDED, "payment", payment, self.now(), &told).unwrap()
    }

    pub(super) async fn money(&self, reservation: Uuid) -> String {
        sqlx::query_scalar("SELECT payment_status FROM reservations WHERE id = $1")
            .bind(reservation)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

fn refused(result: Result<bool, SettleError>) -> Refusal {
    match result {
        Err(SettleError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_late_refund_of_an_earlier_payment_leaves_the_ticket_of_a_later_one() {
    // Law paid-means-ticket. Other seats at another price while the first charge is under way: it goes back, and
    // he pays again before that is heard here.
    let world = World::new(4, 1, true).await;
    let (user, artist) = (Uuid::new_v4(), Uuid::new_v4());
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    sqlx::query("UPDATE event_copies SET artist_id = $1")
        .bind(artist)
        .execute(&world.pool)
        .await
        .unwrap();
    world.member(user, artist, 0).await;
    let hold = world.hold(user, &world.seats[..1]).await.unwrap();
    world.change(user, hold.id, &world.seats[2..3]).await.unwrap();
    assert_eq!(
        refused(world.pay_by(first, hold.id, 150_000).await),
        Refusal::PriceChanged
    );
    assert!(world.pay_by(second, hold.id, 90_000).await.unwrap());
    let later = world.told_paid(second, user, hold.id, 90_000);
    world.hear(&later).await;
    assert_eq!(world.points(user, artist).await, 100);

    let refund = world.told_refunded(first, user, (Some(hold.id), None));
    world.hear(&refund).await;
    assert_eq!(
        (world.status(hold.id).await.as_str(), world.money(hold.id).await),
        ("confirmed", "completed".to_owned())
    );
    assert_eq!(world.points(user, artist).await, 100, "nor its points");
    assert!(world.outbox("RESERVATION_CANCELLED").await.is_empty());
    // Given up, it is the second payment that is owed, and only its refund settles that.
    world.cancel(hold.id, Cancel::ByOwner(user)).await.unwrap();
    world.hear(&refund).await;
    assert_eq!(world.money(hold.id).await, "refund_requested");
    world
        .hear(&world.told_refunded(second, user, (Some(hold.id), None)))
        .await;
    assert_eq!(world.money(hold.id).await, "refunded");
    assert_eq!(world.points(user, artist).await, 0);
}

#[tokio::test]
async fn a_second_payment_for_a_ticket_is_turned_down() {
    // Law paid-means-ticket: two charges are never one ticket, whichever way the second is told.
    let world = World::new(1, 1, false).await;
    let user = Uuid::new_v4();
    let (its, another) = (Uuid::new_v4(), Uuid::new_v4());
    let hold = world.hold(user, &world.seats).await.unwrap();
    assert!(world.pay_by(its, hold.id, 150_000).await.unwrap());
    assert!(!world.pay_by(its, hold.id, 150_000).await.unwrap(), "a repeat");
    assert_eq!(
        refused(world.pay_by(another, hold.id, 150_000).await),
        Refusal::PaidBefore
    );
    for payment in [its, another] {
        let told = world.told_paid(payment, user, hold.id, 150_000);
        world.hear(&told).await;
    }
    let rejected = world.outbox("RESERVATION_REJECTED").await;
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0]["payload"]["paymentId"], serde_json::json!(another));
    assert_eq!(world.status(hold.id).await, "confirmed");
}

#[tokio::test]
async fn of_what_a_release_before_this_one_sold_any_refund_is_its_own() {
    let world = World::new(1, 1, false).await;
    let user = Uuid::new_v4();
    let hold = world.hold(user, &world.seats).await.unwrap();
    // Nobody said which payment it was.
    world.confirm(hold.id, Fencing::Compared).await.unwrap();
    world
        .hear(&world.told_paid(Uuid::new_v4(), user, hold.id, 150_000))
        .await;
    assert!(world.outbox("RESERVATION_REJECTED").await.is_empty());
    world
        .hear(&world.told_refunded(Uuid::new_v4(), user, (Some(hold.id), None)))
        .await;
    assert_eq!(world.status(hold.id).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_book_11_a_change_of_seats_that_ends_while_a_payment_waits_for_it_costs_no_ticket() {
    // The confirming statement waits for the reservation's row: it must not judge the seats it saw before.
    let world = World::new(4, 2, false).await;
    let user = Uuid::new_v4();
    let hold = world.hold(user, &world.seats[..1]).await.unwrap();
    let mut tx = world.pool.begin().await.unwrap();
    let me: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    let now = wire::at(world.now());
    let wanted = &world.seats[1..2];
    let changed = change::change_in(&mut tx, hold.id, user, wanted, Guarded::Yes, now)
        .await
        .unwrap();
    assert!(matches!(changed, Outcome::Changed { .. }), "{changed:?}");
    let payment = Uuid::new_v4();
    let (paid, ()) = tokio::join!(world.pay_by(payment, hold.id, 150_000), async {
        eventually(Duration::from_secs(30), "the payment to wait", async || {
            sqlx::query_scalar::<_, bool>(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))",
            )
            .bind(me)
            .fetch_one(&world.pool)
            .await
            .unwrap()
        })
        .await;
        tx.commit().await.unwrap();
    });
    assert!(paid.unwrap());
    assert_eq!(world.counts().await, (3, 0, 1));
    let told = world.outbox("RESERVATION_CONFIRMED").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["payload"]["seatIds"], serde_json::json!(wanted));
    assert_eq!(super::anything::broken(&world).await, Vec::<String>::new());
}
