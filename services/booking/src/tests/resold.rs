//! Tickets that change hands: one owner at every instant, and money that follows the ticket.

use super::World;
use crate::store::handover::{self, Guarded};
use crate::store::memberships::Verdict;
use crate::store::purchases::Purchase;
use crate::store::settle::{Cancel, Fencing};
use crate::store::transfers::{self, TransferError};
use crate::transfer::Refusal;
use futures::future::join_all;
use serde_json::{Value, json};
use urr_kit::wire;
use uuid::Uuid;

impl World {
    /// A confirmed ticket for the next seats.
    pub(super) async fn ticket(&self, owner: Uuid, seats: &[Uuid]) -> Uuid {
        let hold = self.hold(owner, seats).await.unwrap();
        self.confirm(hold.id, Fencing::Compared).await.unwrap();
        hold.id
    }

    pub(super) async fn list(&self, reservation: Uuid, seller: Uuid) -> Result<Uuid, TransferError> {
        let mut tx = self.pool.begin().await.unwrap();
        let listed = transfers::list(&mut tx, reservation, seller, wire::at(self.now())).await;
        tx.commit().await.unwrap();
        listed
    }

    pub(super) async fn buy(&self, transfer: Uuid, buyer: Uuid, payment: Uuid) -> Verdict<Refusal> {
        self.buy_with(transfer, buyer, payment, Guarded::Yes).await
    }

    async fn buy_with(
        &self,
        transfer: Uuid,
        buyer: Uuid,
        payment: Uuid,
        guarded: Guarded,
    ) -> Verdict<Refusal> {
        let purchase = Purchase {
            payment,
            target: transfer,
            payer: buyer,
            method: "toss",
        };
        let mut tx = self.pool.begin().await.unwrap();
        let verdict = handover::complete(&mut tx, purchase, guarded, wire::at(self.now()))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        verdict
    }

    pub(super) async fn withdraw(&self, transfer: Uuid, seller: Uuid) -> Result<(), TransferError> {
        transfers::withdraw(&self.pool, transfer, seller, wire::at(self.now())).await
    }

    /// What the listener does when a transfer's payment went back.
    async fn refund_transfer(&self, transfer: Uuid, payment: Uuid) {
        let now = wire::at(self.now());
        let mut tx = self.pool.begin().await.unwrap();
        let standing = handover::refunded(&mut tx, transfer, payment, now).await.unwrap();
        tx.commit().await.unwrap();
        if let Some(reservation) = standing {
            let how = Cancel::Refunded {
                transfer: Some(transfer),
                payment: Some(payment),
            };
            self.cancel(reservation, how).await.unwrap();
        }
    }

    pub(super) async fn owner(&self, reservation: Uuid) -> Uuid {
        sqlx::query_scalar("SELECT user_id FROM reservations WHERE id = $1")
            .bind(reservation)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    async fn transfer_status(&self, transfer: Uuid) -> String {
        sqlx::query_scalar("SELECT status FROM ticket_transfers WHERE id = $1")
            .bind(transfer)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Laws that a change of owner could break, read off the tables.
    pub(super) async fn broken_by_transfers(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT 'open listing of what is not the seller''s ticket: ' || t.id FROM ticket_transfers t
                 JOIN reservations r ON r.id = t.reservation_id
                 WHERE t.status = 'listed' AND (r.status <> 'confirmed' OR r.user_id <> t.seller_id)
             UNION ALL
             SELECT 'a ticket with two open listings: ' || reservation_id FROM ticket_transfers
                 WHERE status = 'listed' GROUP BY reservation_id HAVING count(*) > 1
             UNION ALL
             SELECT 'bought by two payments: ' || target_id FROM purchases p
                 JOIN ticket_transfers t ON t.id = p.target_id
                 WHERE outcome = 'fulfilled' GROUP BY target_id HAVING count(*) > 1
             UNION ALL
             SELECT 'owner without a payment that stands: ' || r.id FROM reservations r
                 WHERE r.status = 'confirmed' AND r.transfer_id IS NOT NULL AND NOT EXISTS (
                     SELECT FROM purchases p JOIN ticket_transfers t ON t.id = p.target_id
                     WHERE t.id = r.transfer_id AND p.outcome = 'fulfilled' AND t.buyer_id = r.user_id)",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }
}

#[tokio::test]
async fn r_trf_01_a_ticket_changes_its_owner_with_seat_limit_and_news() {
    let world = World::new(2, 2, true).await;
    let (seller, buyer, payment) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let ticket = world.ticket(seller, &world.seats).await;
    let transfer = world.list(ticket, seller).await.unwrap();
    let shown = transfers::one(&world.pool, transfer).await.unwrap().unwrap();
    // No artist: ten percent of 150,000 + 90,000.
    assert_eq!(
        (
            shown.original_price,
            shown.transfer_fee,
            shown.transfer_fee_percent,
            shown.total_price
        ),
        (240_000, 24_000, 10, 264_000)
    );
    assert_eq!(shown.seats.as_deref(), Some("A-1-1,VIP-1-1"));
    assert_eq!(
        world.buy(transfer, buyer, payment).await,
        Verdict::Done { fresh: true }
    );
    assert_eq!(
        world.buy(transfer, buyer, payment).await,
        Verdict::Done { fresh: false }
    );
    assert_eq!(world.owner(ticket).await, buyer);
    assert_eq!(world.counts().await, (0, 0, 2));
    assert_eq!(
        transfers::in_hand(&world.pool, seller, world.event)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        transfers::in_hand(&world.pool, buyer, world.event).await.unwrap(),
        2
    );
    let told = world.outbox("TRANSFER_COMPLETED").await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0]["payload"],
        json!({"transferId": transfer, "reservationId": ticket, "sellerId": seller, "buyerId": buyer,
               "eventId": world.event, "totalPrice": 264_000, "previousTransferId": null})
    );
    // The seller is done with it; the buyer may give it back, and then his payment is the one to refund.
    assert!(world.cancel(ticket, Cancel::ByOwner(seller)).await.is_err());
    assert!(world.cancel(ticket, Cancel::BeforeRefund(seller)).await.is_err());
    world.cancel(ticket, Cancel::ByOwner(buyer)).await.unwrap();
    let told = world.outbox("RESERVATION_CANCELLED").await;
    assert_eq!(told[0]["payload"]["transferId"], json!(transfer));
    assert_eq!(world.counts().await, (2, 0, 0));
    assert_eq!(super::anything::broken(&world).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r_trf_02_of_ten_who_pay_for_a_ticket_one_gets_it() {
    let world = World::new(1, 1, false).await;
    let seller = Uuid::new_v4();
    let ticket = world.ticket(seller, &world.seats).await;
    let transfer = world.list(ticket, seller).await.unwrap();
    let tries = (0..10).map(|_| world.buy(transfer, Uuid::new_v4(), Uuid::new_v4()));
    let verdicts = join_all(tries).await;
    let bought = verdicts
        .iter()
        .filter(|v| matches!(v, Verdict::Done { .. }))
        .count();
    let refused = verdicts
        .iter()
        .filter(|v| **v == Verdict::Refused(Refusal::NotForSale))
        .count();
    assert_eq!((bought, refused), (1, 9));
    assert_eq!(world.outbox("TRANSFER_COMPLETED").await.len(), 1);
    assert_eq!(world.broken_by_transfers().await, Vec::<String>::new());
    assert_eq!(super::anything::broken(&world).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_its_guard_the_same_race_sells_the_ticket_many_times() {
    let world = World::new(1, 1, false).await;
    let seller = Uuid::new_v4();
    let ticket = world.ticket(seller, &world.seats).await;
    let transfer = world.list(ticket, seller).await.unwrap();
    let tries = (0..10).map(|_| world.buy_with(transfer, Uuid::new_v4(), Uuid::new_v4(), Guarded::No));
    let bought = join_all(tries)
        .await
        .into_iter()
        .filter(|v| matches!(v, Verdict::Done { .. }))
        .count();
    assert!(bought > 1, "the guard is what this race tests, and it was off");
    assert!(!world.broken_by_transfers().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn quirk_12_a_ticket_is_listed_once_at_a_time() {
    let world = World::new(1, 1, false).await;
    let seller = Uuid::new_v4();
    let ticket = world.ticket(seller, &world.seats).await;
    let tries = (0..10).map(|_| world.list(ticket, seller));
    let listed = join_all(tries).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(listed, 1);
    assert!(matches!(
        world.list(ticket, seller).await,
        Err(TransferError::Refused(Refusal::AlreadyListed))
    ));
    // Withdrawn, it may be listed again.
    let open: Uuid = sqlx::query_scalar("SELECT id FROM ticket_transfers")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    world.withdraw(open, seller).await.unwrap();
    world.list(ticket, seller).await.unwrap();
    // The index is what keeps it so: without it there are two.
    sqlx::query("DROP INDEX ticket_transfers_open")
        .execute(&world.pool)
        .await
        .unwrap();
    world.list(ticket, seller).await.unwrap();
    assert!(!world.broken_by_transfers().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn quirk_12_a_listing_ends_with_its_reservation_whoever_is_faster() {
    // The owner gives the ticket up, the house calls the show off, or a buyer pays: at the same instant.
    let world = World::new(8, 1, false).await;
    for (round, seat) in world.seats.iter().enumerate() {
        let (seller, buyer) = (Uuid::new_v4(), Uuid::new_v4());
        let ticket = world.ticket(seller, std::slice::from_ref(seat)).await;
        let transfer = world.list(ticket, seller).await.unwrap();
        let how = if round % 2 == 0 {
            Cancel::ByOwner(seller)
        } else {
            Cancel::EventCancelled
        };
        let (cancelled, bought) = tokio::join!(
            async {
                let mut tx = world.pool.begin().await.unwrap();
                let now = wire::at(world.now());
                let done = crate::store::settle::cancel(&mut tx, ticket, how, now).await;
                tx.commit().await.unwrap();
                done.is_ok()
            },
            world.buy(transfer, buyer, Uuid::new_v4())
        );
        let bought = matches!(bought, Verdict::Done { .. });
        assert!(cancelled || bought, "one of them came first");
        if bought && cancelled {
            // Bought, and then the show was called off: the buyer's payment is what goes back.
            let told = world.outbox("RESERVATION_CANCELLED").await;
            assert_eq!(told.last().unwrap()["payload"]["transferId"], json!(transfer));
        }
        let status = world.transfer_status(transfer).await;
        assert_eq!(status, if bought { "completed" } else { "cancelled" });
        assert_eq!(world.broken_by_transfers().await, Vec::<String>::new());
        assert_eq!(super::anything::broken(&world).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn r_book_04_who_has_four_tickets_cannot_buy_a_fifth_and_that_payment_never_will() {
    let world = World::new(6, 4, false).await;
    let (seller, buyer) = (Uuid::new_v4(), Uuid::new_v4());
    let mine = world.ticket(buyer, &world.seats[..4]).await;
    let ticket = world.ticket(seller, &world.seats[4..5]).await;
    let transfer = world.list(ticket, seller).await.unwrap();
    let payment = Uuid::new_v4();
    assert_eq!(
        world.buy(transfer, buyer, payment).await,
        Verdict::Refused(Refusal::OverLimit)
    );
    // He gives his own back, and then the event of the payment that is being refunded comes.
    world.cancel(mine, Cancel::ByOwner(buyer)).await.unwrap();
    assert_eq!(
        world.buy(transfer, buyer, payment).await,
        Verdict::Refused(Refusal::PaymentOver)
    );
    assert_eq!(world.owner(ticket).await, seller);
    assert_eq!(world.transfer_status(transfer).await, "listed");
    assert_eq!(
        world.buy(transfer, buyer, Uuid::new_v4()).await,
        Verdict::Done { fresh: true }
    );
    assert_eq!(super::anything::broken(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_refund_takes_a_ticket_only_from_whom_it_was_paid_back() {
    // Law paid-means-ticket: refunds are told late and in any order.
    let world = World::new(1, 1, false).await;
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    let ticket = world.ticket(a, &world.seats).await;
    let first = world.list(ticket, a).await.unwrap();
    let (pay_b, pay_a) = (Uuid::new_v4(), Uuid::new_v4());
    world.buy(first, b, pay_b).await;
    // A's own payment goes back because he sold: it is told now, and the ticket stays B's.
    let sold_on = Cancel::Refunded {
        transfer: None,
        payment: None,
    };
    assert!(!world.cancel(ticket, sold_on).await.unwrap().changed);
    assert_eq!(world.owner(ticket).await, b);
    // A buys it back. His first payment's refund, told once more, still takes nothing.
    let second = world.list(ticket, b).await.unwrap();
    world.buy(second, a, pay_a).await;
    assert!(!world.cancel(ticket, sold_on).await.unwrap().changed);
    // Nor does that of B's payment, who sold as well.
    world.refund_transfer(first, pay_b).await;
    assert_eq!(
        (world.owner(ticket).await, world.status(ticket).await.as_str()),
        (a, "confirmed")
    );
    let told = world.outbox("TRANSFER_COMPLETED").await;
    assert_eq!(told[1]["payload"]["previousTransferId"], json!(first));
    // The payment it stands on does.
    world.refund_transfer(second, pay_a).await;
    assert_eq!(world.status(ticket).await, "cancelled");
    assert_eq!(world.counts().await, (1, 0, 0));
}

#[tokio::test]
async fn a_refund_that_overtakes_its_payment_buys_no_ticket() {
    // R-MSG-01.
    let world = World::new(1, 1, false).await;
    let (seller, buyer, payment) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let ticket = world.ticket(seller, &world.seats).await;
    let transfer = world.list(ticket, seller).await.unwrap();
    world.refund_transfer(transfer, payment).await;
    assert_eq!(
        world.buy(transfer, buyer, payment).await,
        Verdict::Refused(Refusal::PaymentOver)
    );
    assert_eq!(world.owner(ticket).await, seller);
}

#[tokio::test]
async fn a_buyers_own_idempotency_key_never_meets_the_sellers() {
    // R-BOOK-06: keys are a user's own, also after the reservation is another's.
    let world = World::new(2, 1, false).await;
    let (seller, buyer) = (Uuid::new_v4(), Uuid::new_v4());
    let key = Some("same");
    let hold = world.hold_keyed(seller, &world.seats[..1], key).await.unwrap();
    world.confirm(hold.id, Fencing::Compared).await.unwrap();
    let own = world.hold_keyed(buyer, &world.seats[1..], key).await.unwrap();
    let transfer = world.list(hold.id, seller).await.unwrap();
    assert_eq!(
        world.buy(transfer, buyer, Uuid::new_v4()).await,
        Verdict::Done { fresh: true }
    );
    let again = world.hold_keyed(buyer, &world.seats[1..], key).await.unwrap();
    assert_eq!(again.id, own.id);
}

#[tokio::test]
async fn r_trf_01_an_artists_tickets_change_hands_among_members_at_their_fee() {
    let world = World::new(2, 1, false).await;
    let (artist, seller, buyer) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let ticket = world.ticket(seller, &world.seats[..1]).await;
    sqlx::query("UPDATE event_copies SET artist_id = $1")
        .bind(artist)
        .execute(&world.pool)
        .await
        .unwrap();
    assert!(matches!(
        world.list(ticket, seller).await,
        Err(TransferError::Refused(Refusal::NoMembership))
    ));
    world.member(seller, artist, 700).await;
    world.member(buyer, artist, 200).await;
    let transfer = world.list(ticket, seller).await.unwrap();
    let shown = transfers::one(&world.pool, transfer).await.unwrap().unwrap();
    assert_eq!((shown.transfer_fee_percent, shown.total_price), (5, 157_500));
    world.buy(transfer, buyer, Uuid::new_v4()).await;
    // R-MEM-03: the points of a ticket are its holder's.
    assert_eq!(world.points(buyer, artist).await, 300);
    let none: Vec<Value> = world.outbox("RESERVATION_CANCELLED").await;
    assert!(none.is_empty());
}
