//! `paid-means-ticket`: whatever crashes, hangs or comes twice, a charge ends as a ticket or a refund.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code
)]

mod world;

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use serde_json::json;
use urr_payment::FailPoints;
use urr_payment::payment::Status;
use urr_payment::saga::{Error, PrepareRequest, Step};
use world::{PRICE, World, target};

/// Stops the saga at `step` and remembers which steps it saw.
fn crash_at(step: Step, seen: &Arc<Mutex<HashSet<Step>>>) -> FailPoints {
    let seen = Arc::clone(seen);
    FailPoints::at(move |at| {
        seen.lock().unwrap().insert(at);
        at == step
    })
}

#[tokio::test]
async fn a_payment_is_charged_once_and_its_repeat_gets_the_first_result() {
    // R-PAY-03, -05.
    let world = World::new().await;
    let order = world.order().await;
    let payments = world.sound();
    let first = order.pay(&payments, "key-1").await.unwrap();
    assert!(first.fulfilled && !first.repeated);
    let again = order.pay(&payments, "key-1").await.unwrap();
    assert!(again.repeated && again.payment.toss_approved_at == first.payment.toss_approved_at);
    assert!(matches!(
        order.pay(&payments, "key-2").await,
        Err(Error::AlreadyConfirmed)
    ));
    assert_eq!(world.charged(&order).await, (1, 0));
    world.assert_settled(&order, "paid").await;
}

#[tokio::test]
async fn a_crash_at_every_step_ends_as_a_ticket_or_a_refund() {
    let world = World::new().await;
    let seen = Arc::default();
    for step in Step::ALL {
        for lost in [false, true] {
            let context = format!("crash at {step:?}, reservation lost: {lost}");
            let order = world.order().await;
            let key = format!("key-{}", order.order_id);
            // A lost reservation is lost after the charge and before booking hears of it.
            let early = [Step::IntentCommitted, Step::Charged, Step::ChargeCommitted];
            let first = if early.contains(&step) || !lost {
                step
            } else {
                Step::ChargeCommitted
            };
            let crashed = order.pay(&world.payments(crash_at(first, &seen)), &key).await;
            if lost {
                world.cancel_reservation(&order).await;
            }
            if !early.contains(&step) && lost {
                // The next process dies as well, further on.
                world.bed.clock().advance_ms(20_000);
                world.payments(crash_at(step, &seen)).recover().await.unwrap();
            }
            if let Ok(receipt) = &crashed {
                assert!(receipt.fulfilled, "{context}: no crash, no ticket");
            }
            world.recover().await;
            if lost && step == Step::IntentCommitted {
                // Never sent as far as we know; ours only when it cannot arrive any more.
                world.bed.clock().advance_ms(11 * 60 * 1000);
                world.recover().await;
            }
            world.assert_settled(&order, &context).await;
        }
    }
    let seen = seen.lock().unwrap();
    let missed: Vec<_> = Step::ALL.iter().filter(|step| !seen.contains(step)).collect();
    assert!(missed.is_empty(), "steps no run came by: {missed:?}");
}

#[tokio::test]
async fn without_recovery_a_crash_after_the_charge_keeps_the_money() {
    // The test above can fail.
    let world = World::new().await;
    let order = world.order().await;
    let seen = Arc::default();
    order
        .pay(&world.payments(crash_at(Step::Charged, &seen)), "key-1")
        .await
        .unwrap_err();
    assert_eq!(world.charged(&order).await, (1, 0));
    assert_eq!(world.reservation(&order).await, "pending");
}

#[tokio::test]
async fn a_double_click_with_two_keys_charges_once() {
    let world = World::new().await;
    world
        .behave(json!({ "latencyMsMin": 30, "latencyMsMax": 60 }))
        .await;
    let order = world.order().await;
    race(&world, &order, FailPoints::none()).await;
    world.recover().await;
    world.assert_settled(&order, "eight clicks").await;
    let asked = world
        .count("SELECT count(*) FROM payment_logs WHERE action = 'confirm'")
        .await;
    assert_eq!(asked, 1, "the provider was asked to charge more than once");
}

#[tokio::test]
async fn without_the_guard_the_same_race_asks_the_provider_again_and_loses_the_charge() {
    let world = World::new().await;
    world
        .behave(json!({ "latencyMsMin": 30, "latencyMsMax": 60 }))
        .await;
    // The charge is lost if another click took the order over before its answer came, as in three races of four:
    // which of the clicks the provider charges is chance.
    for _ in 0..RACES_MAX {
        let order = world.order().await;
        race(&world, &order, FailPoints::without_charge_guard()).await;
        world.recover().await;
        let (kept, _) = world.charged(&order).await;
        assert_eq!(kept, 1, "the provider itself charges an order once");
        if world.reservation(&order).await != "confirmed" {
            let asked = world
                .count("SELECT count(*) FROM payment_logs WHERE action = 'confirm'")
                .await;
            assert!(asked > 1, "a charge was lost that nobody raced for");
            return;
        }
    }
    panic!("the guard is not what keeps the law: {RACES_MAX} races and no charge lost");
}

/// So many lucky races in a row happen once in 10^12.
const RACES_MAX: usize = 20;

async fn race(world: &World, order: &world::Order, fail_points: FailPoints) {
    let payments = world.payments(fail_points);
    let keys: Vec<String> = (0..8).map(|n| format!("{}-{n}", order.order_id)).collect();
    futures::future::join_all(keys.iter().map(|key| order.pay(&payments, key))).await;
}

#[tokio::test]
async fn a_double_click_with_one_key_gets_one_result_twice() {
    // R-PAY-05.
    let world = World::new().await;
    world
        .behave(json!({ "latencyMsMin": 50, "latencyMsMax": 50 }))
        .await;
    let order = world.order().await;
    let payments = world.sound();
    let (one, two) = tokio::join!(order.pay(&payments, "key-1"), order.pay(&payments, "key-1"));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.payment.toss_approved_at, two.payment.toss_approved_at);
    assert_eq!(world.charged(&order).await, (1, 0));
}

#[tokio::test]
async fn a_repeat_after_booking_was_silent_hears_how_it_ended() {
    // R-PAY-12: "paid" is not said of a ticket that may yet be lost.
    let world = World::new().await;
    let (kept, lost) = (world.order().await, world.order().await);
    world.booking_refuses_to_answer.store(true, Ordering::SeqCst);
    for (order, key) in [(&kept, "key-1"), (&lost, "key-2")] {
        let first = order.pay(&world.sound(), key).await.unwrap();
        assert!(!first.fulfilled);
        let meanwhile = order.pay(&world.sound(), key).await.unwrap();
        assert!(meanwhile.repeated && !meanwhile.fulfilled);
    }
    world.booking_refuses_to_answer.store(false, Ordering::SeqCst);
    world.cancel_reservation(&lost).await;

    let receipt = kept.pay(&world.sound(), "key-1").await.unwrap();
    assert!(receipt.repeated && receipt.fulfilled);
    let refused = lost.pay(&world.sound(), "key-2").await;
    assert!(matches!(refused, Err(Error::Compensated)), "{refused:?}");
    let again = lost.pay(&world.sound(), "key-2").await;
    assert!(matches!(again, Err(Error::AlreadyRefunded)), "{again:?}");
    assert_eq!(world.charged(&kept).await, (1, 0));
    assert_eq!(world.charged(&lost).await, (0, 1));
    world.assert_settled(&kept, "kept").await;
    world.assert_settled(&lost, "lost").await;
}

#[tokio::test]
async fn many_prepares_share_one_order() {
    // R-PAY-02.
    let world = World::new().await;
    let (user, reservation) = world.hold().await;
    let payments = world.sound();
    let request = PrepareRequest {
        target: target(reservation),
        amount: PRICE,
    };
    let all = futures::future::join_all((0..8).map(|_| payments.prepare(user, request))).await;
    let orders: HashSet<String> = all.into_iter().map(|payment| payment.unwrap().order_id).collect();
    assert_eq!(orders.len(), 1);
}

#[tokio::test]
async fn a_charge_whose_answer_never_came_is_asked_for_and_found() {
    // R-PAY-08.
    let world = World::with_timeout_ms(300).await;
    let order = world.order().await;
    world.behave(json!({ "chargeThenHangNext": 1 })).await;
    let receipt = order.pay(&world.sound(), "key-1").await.unwrap();
    assert!(receipt.fulfilled);
    world.assert_settled(&order, "silent charge").await;
}

#[tokio::test]
async fn a_lost_request_is_made_again_while_the_seat_is_held() {
    let world = World::with_timeout_ms(300).await;
    let order = world.order().await;
    world.behave(json!({ "hangNext": 1 })).await;
    let unknown = order.pay(&world.sound(), "key-1").await;
    assert!(matches!(unknown, Err(Error::InProgress)), "{unknown:?}");
    world.recover().await;
    assert_eq!(world.charged(&order).await, (1, 0));
    world.assert_settled(&order, "lost request").await;
}

#[tokio::test]
async fn a_lost_request_is_made_again_though_the_widget_has_made_the_payment_known() {
    // Toss knows a payment before it is charged; only a payment by no widget is a 404.
    for state in ["READY", "IN_PROGRESS"] {
        let world = World::with_timeout_ms(300).await;
        let order = world.order().await;
        world.behave(json!({ "hangNext": 1, "lostWaitsAs": state })).await;
        let unknown = order.pay(&world.sound(), "key-1").await;
        assert!(matches!(unknown, Err(Error::InProgress)), "{state}: {unknown:?}");
        world.recover().await;
        assert_eq!(world.charged(&order).await, (1, 0), "{state}");
        world.assert_settled(&order, state).await;
    }
}

#[tokio::test]
async fn a_lost_request_is_not_made_again_once_the_seat_is_gone() {
    let world = World::with_timeout_ms(300).await;
    let order = world.order().await;
    world.behave(json!({ "hangNext": 1 })).await;
    order.pay(&world.sound(), "key-1").await.unwrap_err();
    world.cancel_reservation(&order).await;
    world.recover().await;
    assert_eq!(
        world.owed().await,
        1,
        "given up while the request may still arrive"
    );
    world.bed.clock().advance_ms(11 * 60 * 1000);
    world.recover().await;
    assert_eq!(world.charged(&order).await, (0, 0));
    world.assert_settled(&order, "lost request, lost seat").await;
}

#[tokio::test]
async fn a_declined_card_leaves_the_reservation_payable() {
    // R-BOOK-12, R-PAY-09.
    let world = World::new().await;
    let order = world.order().await;
    world.behave(json!({ "failNext": 1 })).await;
    let declined = order.pay(&world.sound(), "key-1").await;
    assert!(
        matches!(&declined, Err(Error::Declined { code }) if code == "REJECT_CARD_PAYMENT"),
        "{declined:?}"
    );
    order.pay(&world.sound(), "key-2").await.unwrap();
    world.assert_settled(&order, "second card").await;
    // R-STAT-01: the refusal is told, once.
    let refusals = "SELECT count(*) FROM outbox_events WHERE event_type = 'PAYMENT_FAILED'";
    assert_eq!(world.count(refusals).await, 1);
}

#[tokio::test]
async fn an_outage_of_the_provider_opens_the_breaker_and_charges_nothing() {
    // R-PAY-08, R-RES-01: a hundred calls.
    let world = World::new().await;
    let order = world.order().await;
    let ctx = world
        .ctx
        .with_settings(|s| s.payment_provider_url = "http://127.0.0.1:9".to_owned());
    let pool = ctx.postgres("payment", &urr_payment::MIGRATOR).await.unwrap();
    let cut_off = urr_payment::saga(
        &ctx,
        urr_payment::Store::new(pool),
        &world.config,
        FailPoints::none(),
    );
    for _ in 0..102 {
        let down = order.pay(&cut_off, "key-1").await;
        assert!(matches!(down, Err(Error::ProviderDown)), "{down:?}");
    }
    let asked = world.count("SELECT count(*) FROM payment_logs").await;
    assert_eq!(asked, 100, "an open breaker let a call through");
    order.pay(&world.sound(), "key-1").await.unwrap();
    world.assert_settled(&order, "after the outage").await;
}

#[tokio::test]
async fn a_payment_key_pays_for_one_order() {
    let world = World::new().await;
    let (mine, yours) = (world.order().await, world.order().await);
    mine.pay(&world.sound(), "key-1").await.unwrap();
    let stolen = yours.pay(&world.sound(), "key-1").await;
    assert!(matches!(stolen, Err(Error::KeyInUse)), "{stolen:?}");
    assert_eq!(world.reservation(&yours).await, "pending");
    world.assert_settled(&mine, "own key").await;
}

#[tokio::test]
async fn a_refund_the_provider_refuses_stays_owed_until_it_is_made() {
    let world = World::new().await;
    let order = world.order().await;
    order.pay(&world.sound(), "key-1").await.unwrap();
    world.behave(json!({ "refuseCancelNext": 2 })).await;
    let payment = world
        .sound()
        .cancel(order.user, "key-1", "changed my mind")
        .await
        .unwrap();
    assert_eq!(payment.status, Status::Refunding);
    assert_eq!(world.charged(&order).await, (1, 0));
    world.recover().await;
    assert_eq!(world.charged(&order).await, (0, 1));
    world.assert_settled(&order, "refused refund").await;
}

#[tokio::test]
async fn a_wrong_secret_key_is_our_fault_and_declines_nobody() {
    let world = World::new().await;
    let order = world.order().await;
    let url = &world.ctx.settings.payment_provider_url;
    let timeout = std::time::Duration::from_secs(10);
    let provider = urr_payment::provider::Provider::new(world.ctx.http(), url, "wrong", timeout);
    let booking = urr_payment::booking::Booking::new(world.ctx.internal(), &world.ctx.settings.urls.booking);
    let pool = world
        .ctx
        .postgres("payment", &urr_payment::MIGRATOR)
        .await
        .unwrap();
    let store = urr_payment::Store::new(pool);
    let misconfigured = urr_payment::Payments::new(
        store,
        provider,
        booking,
        world.ctx.clock.clone(),
        FailPoints::none(),
    );
    let refused = order.pay(&misconfigured, "key-1").await;
    assert!(matches!(refused, Err(Error::ProviderDown)), "{refused:?}");
    order.pay(&world.sound(), "key-1").await.unwrap();
    world.assert_settled(&order, "the right key").await;
}
