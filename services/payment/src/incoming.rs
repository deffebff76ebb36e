//! What booking decides without being asked: a reservation that was given up or whose payment it
//! turned down. If it was paid, the refund is decided here, in the transaction that remembers the
//! event, and carried out by the recovery task a moment later: a consumer must not wait for a card
//! company.

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::{PgConnection, PgPool};
use urr_kit::clock::SharedClock;
use urr_kit::events::{
    ConsumerConfig, Envelope, HandleError, Handler, RESERVATION_CANCELLED, RESERVATION_EVENTS,
    RESERVATION_REJECTED, ReservationCancelled, ReservationRejected, consumer,
};
use urr_kit::{Ctx, Redis, Task};

use crate::store::Store;

struct Refunder {
    clock: SharedClock,
}

impl Handler for Refunder {
    fn handle<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        event: &'a Envelope,
    ) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(async move {
            let (reservation, reason) = match event.kind.as_str() {
                RESERVATION_CANCELLED => {
                    let cancelled: ReservationCancelled = event.decode()?;
                    (cancelled.reservation_id, cancelled.reason)
                }
                RESERVATION_REJECTED => {
                    let rejected: ReservationRejected = event.decode()?;
                    (rejected.reservation_id, rejected.reason)
                }
                _ => return Ok(()),
            };
            let now = self.clock.now();
            if Store::decide_refund_of_reservation(tx, reservation, &reason, now).await? {
                tracing::info!(%reservation, reason, "refunding a reservation that is gone");
            }
            Ok(())
        })
    }

    // Two thirds of booking's events are holds and sales, which owe no refund.
    fn wants(&self, kind: &str) -> bool {
        matches!(kind, RESERVATION_CANCELLED | RESERVATION_REJECTED)
    }
}

pub(crate) fn consume(ctx: &Ctx, pool: PgPool, redis: Redis) -> Task {
    let handler = Arc::new(Refunder {
        clock: ctx.clock.clone(),
    });
    let config = ConsumerConfig::new("payment", [RESERVATION_EVENTS]);
    consumer::consume(
        config,
        pool,
        redis,
        handler,
        ctx.clock.clone(),
        ctx.shutdown.clone(),
    )
}
