//! Paying late, paying twice, giving back.

use super::{HOLD_MS, World};
use crate::holds::Refusal as HoldRefusal;
use crate::reservation::Refusal;
use crate::store::sales;
use crate::store::settle::{Cancel, Fencing, SettleError};
use urr_core::terms::Refusal::Cancelled;
use urr_kit::events::{Envelope, ReservationConfirmed, SoldSeat};
use urr_kit::wire;
use uuid::Uuid;

fn refused(result: Result<impl std::fmt::Debug, SettleError>) -> Refusal {
    match result {
        Err(SettleError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_lost_his_hold_cannot_pay_for_it() {
    // Law fenced, R-BOOK-11.
    let world = World::new(1, 1, true).await;
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    let late = world.hold(a, &world.seats).await.unwrap();
    world.clock.advance_ms(HOLD_MS);
    let new = world.hold(b, &world.seats).await.unwrap();
    assert!(new.seats[0].fencing_token > late.seats[0].fencing_token);
    assert_eq!(
        refused(world.confirm(late.id, Fencing::Compared).await),
        Refusal::HoldLost
    );
    assert!(world.confirm(new.id, Fencing::Compared).await.unwrap().changed);
    assert_eq!(
        refused(world.confirm(late.id, Fencing::Compared).await),
        Refusal::HoldLost
    );
    assert_eq!((world.counts().await, world.sold_twice().await), ((0, 0, 1), 0));
    assert_eq!(world.hold(a, &world.seats).await, Err(HoldRefusal::Sold));
}

#[tokio::test]
async fn without_fencing_the_same_seat_is_sold_twice() {
    let world = World::new(1, 1, true).await;
    let late = world.hold(Uuid::new_v4(), &world.seats).await.unwrap();
    world.clock.advance_ms(HOLD_MS);
    let new = world.hold(Uuid::new_v4(), &world.seats).await.unwrap();
    world.confirm(new.id, Fencing::Off).await.unwrap();
    world.confirm(late.id, Fencing::Off).await.unwrap();
    assert_eq!(world.sold_twice().await, 1);
}

#[tokio::test]
async fn a_late_payment_counts_while_nobody_took_the_seat() {
    let world = World::new(1, 1, true).await;
    let hold = world.hold(Uuid::new_v4(), &world.seats).await.unwrap();
    world.clock.advance_ms(HOLD_MS + 1);
    assert!(world.confirm(hold.id, Fencing::Compared).await.unwrap().changed);
    assert_eq!(world.sweep().await, 0);
    assert_eq!(world.counts().await, (0, 0, 1));
}

#[tokio::test]
async fn confirming_twice_sells_and_tells_once() {
    // R-BOOK-11, R-PAY-07.
    let world = World::new(2, 2, true).await;
    let user = Uuid::new_v4();
    let hold = world.hold(user, &world.seats).await.unwrap();
    assert!(world.confirm(hold.id, Fencing::Compared).await.unwrap().changed);
    assert!(!world.confirm(hold.id, Fencing::Compared).await.unwrap().changed);
    let told = world.outbox("RESERVATION_CONFIRMED").await;
    assert_eq!(told.len(), 1);
    // What the statement filled in is as typed as what was there before.
    let event: Envelope = serde_json::from_value(told[0].clone()).unwrap();
    assert_eq!(
        (event.user_id, event.aggregate_id.clone()),
        (Some(user), hold.id.to_string())
    );
    let mut told: ReservationConfirmed = event.decode().unwrap();
    told.seat_ids.sort_unstable();
    let mut seats = world.seats.clone();
    seats.sort_unstable();
    let expected = ReservationConfirmed {
        reservation_id: hold.id,
        user_id: user,
        event_id: world.event,
        total_amount: 240_000,
        seat_ids: seats,
        payment_method: Some("toss".to_owned()),
        seats: [("A", 90_000), ("VIP", 150_000)]
            .map(|(section, price)| SoldSeat {
                section: section.to_owned(),
                row: 1,
                price,
            })
            .to_vec(),
    };
    told.seats.sort_by_key(|seat| seat.price);
    assert_eq!(told, expected);
    let created = world.outbox("RESERVATION_CREATED").await;
    assert_eq!(created[0]["payload"]["totalAmount"], 240_000);
}

#[tokio::test]
async fn the_sweep_frees_seats_once_and_never_a_successors() {
    // R-JOB-01, law fenced.
    let world = World::new(2, 1, true).await;
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    let lost = world.hold(a, &world.seats[..1]).await.unwrap();
    let unpaid = world.hold(a, &world.seats[1..]).await.unwrap();
    world.clock.advance_ms(HOLD_MS);
    world.hold(b, &world.seats[..1]).await.unwrap();
    assert_eq!(world.sweep().await, 2);
    assert_eq!(world.sweep().await, 0);
    assert_eq!(world.counts().await, (1, 1, 0));
    for id in [lost.id, unpaid.id] {
        assert_eq!(world.status(id).await, "expired");
        // Quirk 11: an expired reservation gives nothing back a second time.
        assert_eq!(
            refused(world.cancel(id, Cancel::ByOwner(a)).await),
            Refusal::Expired
        );
        assert_eq!(
            refused(world.confirm(id, Fencing::Compared).await),
            Refusal::Expired
        );
    }
    assert_eq!(world.counts().await, (1, 1, 0));
    let told = world.outbox("RESERVATION_CANCELLED").await;
    assert!(told.iter().all(|event| event["payload"]["reason"] == "EXPIRED"));
}

#[tokio::test]
async fn what_is_cancelled_goes_back_once_and_the_paid_is_marked() {
    // R-BOOK-10.
    let world = World::new(2, 1, true).await;
    let a = Uuid::new_v4();
    let paid = world.hold(a, &world.seats[..1]).await.unwrap();
    let unpaid = world.hold(a, &world.seats[1..]).await.unwrap();
    world.confirm(paid.id, Fencing::Compared).await.unwrap();
    assert!(matches!(
        world.cancel(paid.id, Cancel::ByOwner(Uuid::new_v4())).await,
        Err(SettleError::NotFound)
    ));
    for id in [paid.id, unpaid.id] {
        assert!(world.cancel(id, Cancel::ByOwner(a)).await.unwrap().changed);
        assert_eq!(
            refused(world.cancel(id, Cancel::ByOwner(a)).await),
            Refusal::Cancelled
        );
    }
    assert_eq!(world.counts().await, (2, 0, 0));
    let told = world.outbox("RESERVATION_CANCELLED").await;
    assert_eq!(told[0]["payload"]["wasPaid"], true);
    assert_eq!(told[1]["payload"]["wasPaid"], false);
    // The refund that follows changes only what is known about the money.
    assert!(
        world
            .cancel(
                paid.id,
                Cancel::Refunded {
                    transfer: None,
                    payment: None
                }
            )
            .await
            .unwrap()
            .changed
    );
    assert!(
        !world
            .cancel(
                paid.id,
                Cancel::Refunded {
                    transfer: None,
                    payment: None
                }
            )
            .await
            .unwrap()
            .changed
    );
    // Seats and quota are free again.
    for _ in 0..2 {
        for seat in &world.seats {
            let hold = world.hold(a, std::slice::from_ref(seat)).await.unwrap();
            world.cancel(hold.id, Cancel::ByOwner(a)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn nothing_is_cancelled_on_the_day_of_the_show() {
    // R-BOOK-10.
    let world = World::new(1, 1, true).await;
    let a = Uuid::new_v4();
    let hold = world.hold(a, &world.seats).await.unwrap();
    world.clock.advance_ms(30 * 24 * 3_600_000);
    for how in [Cancel::ByOwner(a), Cancel::BeforeRefund(a)] {
        assert_eq!(refused(world.cancel(hold.id, how).await), Refusal::DayOfShow);
    }
    // Money that went back all the same is a fact.
    assert!(
        world
            .cancel(
                hold.id,
                Cancel::Refunded {
                    transfer: None,
                    payment: None
                }
            )
            .await
            .unwrap()
            .changed
    );
    assert_eq!(world.counts().await, (1, 0, 0));
    assert!(
        !world
            .cancel(hold.id, Cancel::BeforeRefund(a))
            .await
            .unwrap()
            .changed
    );
}

#[tokio::test]
async fn nobody_gets_a_ticket_for_a_show_that_was_called_off_meanwhile() {
    // A replica goes by terms of a second ago and lets somebody hold a seat after everybody's were given back.
    let world = World::new(2, 1, true).await;
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    world.hold(a, &world.seats[..1]).await.unwrap();
    sales::call_off(&world.pool, world.event, wire::at(world.now()))
        .await
        .unwrap();
    let late = world.hold(b, &world.seats[1..]).await.unwrap();
    assert_eq!(
        refused(world.confirm(late.id, Fencing::Compared).await),
        Refusal::EventCancelled
    );
    assert_eq!(world.status(late.id).await, "pending", "the sweep ends it");
    assert_eq!(
        crate::called_off::sweep(&world.pool, &world.filter, world.now())
            .await
            .unwrap(),
        2
    );
    assert_eq!(world.status(late.id).await, "cancelled");
    assert_eq!(world.counts().await, (2, 0, 0));
    // Catalog's older news do not open it again; newer ones do.
    let show = super::show(world.now());
    for (later_ms, code) in [(-1, Err(crate::holds::Refusal::Terms(Cancelled))), (1, Ok(()))] {
        let as_of = wire::at(world.now().plus_ms(later_ms));
        sales::put_event(&world.pool, world.event, &show, as_of)
            .await
            .unwrap();
        world.holds.forget(world.event);
        assert_eq!(world.hold(b, &world.seats[1..]).await.map(drop), code);
    }
}
