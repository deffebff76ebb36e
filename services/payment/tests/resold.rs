//! A ticket that changes hands, and a membership: `paid-means-ticket` where the target is not a hold.
//! A ticket stands on its holder's payment and on no other (docs/decisions/0024).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code
)]

mod world;

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use urr_kit::testing::eventually;
use urr_payment::FailPoints;
use urr_payment::payment::{PaymentType, Target};
use urr_payment::saga::{ConfirmRequest, Error, PrepareRequest, Step};
use uuid::Uuid;
use world::{MEMBERSHIP, Order, RESOLD, World};

const SOON: Duration = Duration::from_secs(20);

/// The law for one payer: he has the ticket and was charged, or neither.
async fn settled(world: &World, order: &Order) -> bool {
    let (kept, _) = world.charged(order).await;
    kept == usize::from(world.has_ticket(order).await)
}

#[tokio::test]
async fn r_trf_02_the_money_follows_the_ticket_from_fan_to_fan() {
    // R-TRF-01, R-PAY-01, R-PAY-10.
    let world = World::new().await;
    world.run_tasks().await;
    let (a, first) = world.listed().await;
    let b = world.buyer(&a, first).await;
    let bought = b.pay(&world.sound(), "key-b").await.unwrap();
    assert!(bought.fulfilled);
    assert!(world.has_ticket(&b).await && !world.has_ticket(&a).await);
    eventually(SOON, "the seller's money", async || {
        world.charged(&a).await == (0, 1)
    })
    .await;
    assert_eq!(world.charged(&b).await, (1, 0));
    // The refund of the seller is told to booking, and takes nothing from the buyer. He sells on.
    let second = world.list(&b).await;
    let c = world.buyer(&b, second).await;
    c.pay(&world.sound(), "key-c").await.unwrap();
    eventually(SOON, "the second seller's money", async || {
        world.charged(&b).await == (0, 1)
    })
    .await;
    assert!(world.has_ticket(&c).await);
    // Its last holder gives it up: his payment goes back, and the seat is free.
    world.cancel_reservation(&c).await;
    eventually(SOON, "the holder's money", async || {
        world.charged(&c).await == (0, 1)
    })
    .await;
    eventually(SOON, "nothing owed", async || world.owed().await == 0).await;
    for order in [&a, &b, &c] {
        assert!(settled(&world, order).await);
    }
}

#[tokio::test]
async fn r_trf_02_who_pays_second_gets_his_money_back() {
    let world = World::new().await;
    let (sellers, transfer) = world.listed().await;
    let (b, c) = (
        world.buyer(&sellers, transfer).await,
        world.buyer(&sellers, transfer).await,
    );
    let payments = world.sound();
    let (one, two) = tokio::join!(b.pay(&payments, "key-b"), c.pay(&payments, "key-c"));
    // Who is refused before the charge has nothing to get back.
    let refused =
        |result: &Result<_, Error>| matches!(result, Err(Error::Compensated | Error::NotPayable { .. }));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    assert!(refused(&one) || refused(&two), "{one:?} {two:?}");
    world.recover().await;
    for order in [&b, &c] {
        assert!(settled(&world, order).await);
    }
    assert_eq!(world.owed().await, 0);
}

#[tokio::test]
async fn a_crash_at_every_step_of_a_transfer_ends_as_a_ticket_or_a_refund() {
    // Lost: the seller withdraws after the charge and before booking hears of it.
    let world = World::new().await;
    let mut sold = Vec::new();
    for step in Step::ALL {
        for lost in [false, true] {
            let context = format!("crash at {step:?}, withdrawn: {lost}");
            let (sellers, transfer) = world.listed().await;
            let order = world.buyer(&sellers, transfer).await;
            let early = [Step::IntentCommitted, Step::Charged, Step::ChargeCommitted];
            let first = if early.contains(&step) || !lost {
                step
            } else {
                Step::ChargeCommitted
            };
            let key = order.order_id.clone();
            let crash = FailPoints::at(move |at| at == first);
            let paid = order.pay(&world.payments(crash), &key).await;
            if lost && !paid.is_ok_and(|receipt| receipt.fulfilled) && !world.has_ticket(&order).await {
                world.withdraw(&sellers, transfer).await;
            }
            if !early.contains(&step) && lost {
                // The next process dies as well, further on.
                world.bed.clock().advance_ms(20_000);
                let crash = FailPoints::at(move |at| at == step);
                world.payments(crash).recover().await.unwrap();
            }
            world.recover().await;
            if lost && step == Step::IntentCommitted {
                world.bed.clock().advance_ms(11 * 60 * 1000);
                world.recover().await;
            }
            assert!(settled(&world, &order).await, "{context}");
            assert_eq!(world.owed().await, 0, "{context}");
            assert_eq!(
                world.has_ticket(&order).await,
                !world.has_ticket(&sellers).await,
                "{context}"
            );
            sold.push((sellers, order));
        }
    }
    // And once booking's events are heard, so has every seller.
    world.run_tasks().await;
    for (sellers, order) in &sold {
        eventually(SOON, "both settled", async || {
            settled(&world, sellers).await && settled(&world, order).await
        })
        .await;
    }
}

#[tokio::test]
async fn booking_that_does_not_answer_hands_the_ticket_over_by_the_event_or_turns_it_down() {
    // R-PAY-07.
    let world = World::new().await;
    let (keeps, sold) = world.listed().await;
    let (withdraws, gone) = world.listed().await;
    let (b, c) = (
        world.buyer(&keeps, sold).await,
        world.buyer(&withdraws, gone).await,
    );
    world.booking_refuses_to_answer.store(true, Ordering::SeqCst);
    for (order, key) in [(&b, "key-b"), (&c, "key-c")] {
        assert!(!order.pay(&world.sound(), key).await.unwrap().fulfilled);
    }
    world.withdraw(&withdraws, gone).await;
    world.run_tasks().await;
    eventually(SOON, "the ticket", async || world.has_ticket(&b).await).await;
    eventually(SOON, "the refund", async || world.charged(&c).await == (0, 1)).await;
    eventually(SOON, "the seller's money", async || {
        world.charged(&keeps).await == (0, 1)
    })
    .await;
    assert!(world.has_ticket(&withdraws).await);
    world.booking_refuses_to_answer.store(false, Ordering::SeqCst);
    world.recover().await;
    for order in [&keeps, &withdraws, &b, &c] {
        assert!(settled(&world, order).await);
    }
    // Nothing is bought by what was paid back, and nothing undone by telling it again.
    eventually(SOON, "nothing owed", async || world.owed().await == 0).await;
    assert!(world.has_ticket(&b).await && world.has_ticket(&withdraws).await);
}

#[tokio::test]
async fn what_is_not_for_sale_is_not_charged() {
    // R-PAY-02.
    let world = World::new().await;
    let (sellers, transfer) = world.listed().await;
    let prepare = async |user, id, amount| {
        let target = Target {
            kind: PaymentType::Transfer,
            id,
        };
        world
            .sound()
            .prepare(user, PrepareRequest { target, amount })
            .await
    };
    let somebody = Uuid::new_v4();
    assert!(matches!(
        prepare(somebody, transfer, RESOLD - 1).await,
        Err(Error::AmountMismatch)
    ));
    for (user, id) in [(sellers.user, transfer), (somebody, Uuid::new_v4())] {
        let refused = prepare(user, id, RESOLD).await;
        assert!(matches!(refused, Err(Error::NotPayable { .. })), "{refused:?}");
    }
    let order = world.buyer(&sellers, transfer).await;
    world.withdraw(&sellers, transfer).await;
    let refused = order.pay(&world.sound(), "key-1").await;
    assert!(matches!(refused, Err(Error::NotPayable { .. })), "{refused:?}");
    assert_eq!(world.charged(&order).await, (0, 0));
}

struct Fan {
    user: Uuid,
    artist: Uuid,
    membership: Uuid,
    order_id: String,
}

impl Fan {
    async fn new(world: &World) -> Self {
        let (user, artist) = (Uuid::new_v4(), Uuid::new_v4());
        let body = json!({ "artistId": artist });
        let offered = world
            .booking("POST", "/api/memberships/subscribe", Some(user), body)
            .await;
        assert_eq!(
            (&offered["price"], &offered["artistName"], &offered["status"]),
            (&json!(MEMBERSHIP), &json!("The Waves"), &json!("pending"))
        );
        let membership = offered["membershipId"].as_str().unwrap().parse().unwrap();
        let target = Target {
            kind: PaymentType::Membership,
            id: membership,
        };
        let request = PrepareRequest {
            target,
            amount: MEMBERSHIP,
        };
        let payment = world.sound().prepare(user, request).await.unwrap();
        Self {
            user,
            artist,
            membership,
            order_id: payment.order_id,
        }
    }

    async fn pay(&self, world: &World, key: &str) -> bool {
        let request = ConfirmRequest {
            payment_key: key.to_owned(),
            order_id: self.order_id.clone(),
            amount: MEMBERSHIP,
        };
        world.sound().confirm(self.user, request).await.unwrap().fulfilled
    }

    async fn status(&self, world: &World) -> Value {
        let path = format!("/api/memberships/my/{}", self.artist);
        let found = world.booking("GET", &path, Some(self.user), Value::Null).await;
        found["membership"]["status"].clone()
    }
}

#[tokio::test]
async fn r_mem_01_a_membership_is_paid_like_anything_else() {
    // R-PAY-01; by the call, and by the event when booking does not answer.
    let world = World::new().await;
    let called = Fan::new(&world).await;
    assert_eq!(called.status(&world).await, "pending");
    assert!(called.pay(&world, "key-1").await);
    assert_eq!(called.status(&world).await, "active");
    world.booking_refuses_to_answer.store(true, Ordering::SeqCst);
    let told = Fan::new(&world).await;
    assert!(!told.pay(&world, "key-2").await);
    assert_eq!(told.status(&world).await, "pending");
    world.run_tasks().await;
    eventually(SOON, "the membership", async || {
        told.status(&world).await == "active"
    })
    .await;
    world.booking_refuses_to_answer.store(false, Ordering::SeqCst);
    world.recover().await;
    assert_eq!(world.owed().await, 0);
    // The first one's event came after its call: points once, and a second term is not to be had.
    let path = format!("/api/memberships/my/{}", called.artist);
    let mine = world.booking("GET", &path, Some(called.user), Value::Null).await;
    assert_eq!(
        (
            &mine["membership"]["points"],
            &mine["tier"],
            &mine["pointHistory"][0]["action_type"]
        ),
        (&json!(200), &json!("SILVER"), &json!("MEMBERSHIP_JOIN"))
    );
    let body = json!({ "artistId": called.artist });
    let again = world
        .try_booking("POST", "/api/memberships/subscribe", Some(called.user), body)
        .await;
    assert_eq!(again.0, 409);
}

#[tokio::test]
async fn r_mem_03_a_members_ticket_earns_points_and_its_refund_takes_them() {
    let world = World::new().await;
    let fan = Fan::new(&world).await;
    fan.pay(&world, "key-1").await;
    world.of_artist(fan.artist).await;
    world.run_tasks().await;
    let order = world.order_of(fan.user).await;
    order.pay(&world.sound(), "key-2").await.unwrap();
    let points = async || {
        let path = format!("/api/memberships/my/{}", fan.artist);
        let mine = world.booking("GET", &path, Some(fan.user), Value::Null).await;
        mine["membership"]["points"].clone()
    };
    eventually(SOON, "the points", async || points().await == 300).await;
    world.cancel_reservation(&order).await;
    eventually(SOON, "the points' end", async || points().await == 200).await;
    assert_eq!(fan.status(&world).await, "active");
    assert!(fan.membership != fan.artist);
}
