//! Events come in: payments free slots. On a cluster the streams lie on another node than the lines.

use super::{Sale, is_active};
use crate::{
    release,
    store::{Act, Standing},
};
use std::{sync::Arc, time::Duration};
use urr_kit::{
    events::{
        Envelope, EventBus as _, PAYMENT_CONFIRMED, PAYMENT_EVENTS, PaymentConfirmed, RedisStreams,
        bus::Message,
    },
    testing::eventually,
};
use uuid::Uuid;

fn paid(sale: &Sale, user: Uuid) -> Envelope {
    let payload = PaymentConfirmed {
        payment_id: Uuid::new_v4(),
        order_id: "order".to_owned(),
        payment_key: None,
        user_id: user,
        event_id: Some(sale.id),
        reservation_id: Some(Uuid::new_v4()),
        reference_id: None,
        payment_type: "reservation".to_owned(),
        amount: 1,
        payment_method: "toss".to_owned(),
        approved_at: None,
    };
    Envelope::new(PAYMENT_CONFIRMED, "payment", "order", sale.now(), &payload).unwrap()
}

#[tokio::test]
async fn a_payment_frees_the_slot_it_was_made_in_and_no_later_one() {
    let sale = Sale::capped(1).await;
    let [kim, lee] = [Uuid::new_v4(), Uuid::new_v4()];
    assert!(is_active(sale.join(kim, 1).await));
    assert_eq!(sale.join(lee, 2).await, Standing::Queued { ahead: 0 });
    sale.bed
        .run([release::task(&sale.bed.ctx(), Arc::clone(&sale.app.store))]);
    sale.bed.clock().advance_ms(5_000);
    let bus = RedisStreams::new(sale.redis.clone());
    let event = paid(&sale, kim);
    let message = Message::new(PAYMENT_EVENTS, &event).unwrap();
    bus.publish(std::slice::from_ref(&message)).await.unwrap();
    // The slot goes to the next in the same step, with nobody ticking.
    eventually(Duration::from_secs(20), "the slot is given on", async || {
        sale.admitted().await == [kim, lee]
    })
    .await;
    assert_eq!(sale.reasons().await, ["paid"]);

    sale.bed.clock().advance_ms(1);
    // Kim comes again and gets a second slot; the old news comes again, too.
    sale.act(Act::Leave(lee)).await;
    assert!(is_active(sale.join(kim, 1).await));
    let released = sale.act(Act::Release(kim, event.time)).await;
    assert_eq!(
        released.active, 1,
        "not by the same event without the memory of it"
    );
    let again = Envelope {
        event_id: Uuid::new_v4(),
        ..event.clone()
    };
    for event in [&event, &again] {
        let message = Message::new(PAYMENT_EVENTS, event).unwrap();
        bus.publish(&[message]).await.unwrap();
    }
    let key = sale.redis.key("{events}:payment-events");
    eventually(Duration::from_secs(20), "all events are processed", async || {
        let pending: redis::streams::StreamInfoGroupsReply = redis::cmd("XINFO")
            .arg(("GROUPS", &key))
            .query_async(&mut sale.redis.conn())
            .await
            .unwrap();
        pending.groups[0].lag == Some(0) && pending.groups[0].pending == 0
    })
    .await;
    assert!(is_active(sale.standing(kim).await));
}
