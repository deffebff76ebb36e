//! Events become messages that go out once, whatever is delivered twice or fails (R-NOT-01, R-MSG-01).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use futures::future::BoxFuture;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use urr_kit::{
    clock::Clock,
    events::{
        self, Envelope, EventBus, RESERVATION_CONFIRMED, RESERVATION_CREATED, RESERVATION_EVENTS,
        RedisStreams, ReservationConfirmed, ReservationCreated,
    },
    testing::{TestBed, eventually},
};
use urr_notification::{Channel, Config, DeliveryError, Message};
use uuid::Uuid;

/// Refuses the first `refusals` deliveries, then remembers what it sent.
#[derive(Default)]
struct Recording {
    refusals: AtomicU32,
    sent: Mutex<Vec<Message>>,
}

impl Channel for Recording {
    fn name(&self) -> &'static str {
        "recording"
    }

    fn deliver<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async move {
            let refuse = self
                .refusals
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if refuse.is_ok() {
                return Err(DeliveryError::Later("busy".to_owned()));
            }
            self.sent.lock().unwrap().push(message.clone());
            Ok(())
        })
    }
}

fn confirmed(bed: &TestBed, user: Uuid) -> Envelope {
    let payload = ReservationConfirmed {
        reservation_id: Uuid::new_v4(),
        user_id: user,
        event_id: Uuid::new_v4(),
        total_amount: 99_000,
        seat_ids: vec![],
        payment_method: None,
        seats: vec![],
    };
    Envelope::new(
        RESERVATION_CONFIRMED,
        "reservation",
        payload.reservation_id,
        bed.clock().now(),
        &payload,
    )
    .unwrap()
}

async fn publish(bus: &RedisStreams, event: &Envelope) {
    let message = events::bus::Message::new(RESERVATION_EVENTS, event).unwrap();
    bus.publish(&[message]).await.unwrap();
}

#[tokio::test]
async fn an_event_delivered_twice_is_one_message_and_a_busy_provider_is_tried_again() {
    let bed = TestBed::new().await;
    let ctx = bed.ctx();
    let channel = Arc::new(Recording {
        refusals: AtomicU32::new(1),
        ..Recording::default()
    });
    let config = Config {
        notification_interval_ms: 10,
    };
    let service = urr_notification::start_with(&ctx, config, channel.clone())
        .await
        .unwrap();
    bed.run(service.tasks);

    let bus = RedisStreams::new(ctx.redis().await.unwrap());
    let user = Uuid::new_v4();
    let event = confirmed(&bed, user);
    let silent = ReservationCreated {
        reservation_id: Uuid::new_v4(),
        user_id: user,
        event_id: Uuid::new_v4(),
        total_amount: 1,
        seat_ids: vec![],
    };
    let silent = Envelope::new(
        RESERVATION_CREATED,
        "reservation",
        silent.reservation_id,
        bed.clock().now(),
        &silent,
    )
    .unwrap();
    for event in [&event, &silent, &event] {
        publish(&bus, event).await;
    }
    eventually(Duration::from_secs(10), "the first try", async || {
        channel.refusals.load(Ordering::SeqCst) == 0
    })
    .await;
    // The second try is due two seconds later by the service's clock.
    eventually(Duration::from_secs(10), "the message", async || {
        bed.clock().advance_ms(2_100);
        !channel.sent.lock().unwrap().is_empty()
    })
    .await;
    // A later event has been processed: whatever came before it was too.
    let last = Uuid::new_v4();
    publish(&bus, &confirmed(&bed, last)).await;
    eventually(Duration::from_secs(10), "the last message", async || {
        channel
            .sent
            .lock()
            .unwrap()
            .iter()
            .any(|message| message.user_id == last)
    })
    .await;
    let sent = channel.sent.lock().unwrap();
    assert_eq!(
        sent.iter().filter(|message| message.user_id == user).count(),
        1,
        "{sent:?}"
    );
    assert!(sent[0].body.contains("99000"), "{sent:?}");
}
