//! What booking decides without being asked: a reservation that was given up, a payment that it turned down, a
//! ticket that changed hands. If money is to go back, that is decided here, in the transaction that remembers the
//! event, and carried out by the recovery task a moment later: a consumer must not wait for a card
//! company.
//!
//! A ticket stands on one payment, its holder's (docs/decisions/0024): the buyer's of the last transfer, or the one the
//! reservation was made with. When it changes hands the seller's goes back to him, and when it is given up
//! its holder's does.

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::{PgConnection, PgPool};
use urr_kit::clock::SharedClock;
use urr_kit::events::{
    ConsumerConfig, Envelope, HandleError, Handler, MEMBERSHIP_EVENTS, MEMBERSHIP_REJECTED, PurchaseRejected,
    RESERVATION_CANCELLED, RESERVATION_EVENTS, RESERVATION_REJECTED, ReservationCancelled,
    ReservationRejected, TRANSFER_COMPLETED, TRANSFER_EVENTS, TRANSFER_REJECTED, TransferCompleted, consumer,
};
use urr_kit::{Ctx, Redis, Task};
use uuid::Uuid;

use crate::store::Store;

struct Refunder {
    clock: SharedClock,
}

/// Which payment goes back.
enum Owed {
    /// The one this reservation was made with.
    Reservation(Uuid),
    /// What this user paid for this transfer.
    Transfer(Uuid, Uuid),
    /// This one.
    Payment(Uuid),
}

/// What an event says is owed, and why.
fn owed(event: &Envelope) -> Result<Option<(Owed, String)>, HandleError> {
    Ok(Some(match event.kind.as_str() {
        RESERVATION_CANCELLED => {
            let gone: ReservationCancelled = event.decode()?;
            let standing = match gone.transfer_id {
                Some(transfer) => Owed::Transfer(transfer, gone.user_id),
                None => Owed::Reservation(gone.reservation_id),
            };
            (standing, gone.reason)
        }
        RESERVATION_REJECTED => {
            let rejected: ReservationRejected = event.decode()?;
            let turned_down = match rejected.payment_id {
                Some(payment) => Owed::Payment(payment),
                None => Owed::Reservation(rejected.reservation_id),
            };
            (turned_down, rejected.reason)
        }
        TRANSFER_COMPLETED => {
            let sold: TransferCompleted = event.decode()?;
            let sellers = match sold.previous_transfer_id {
                Some(transfer) => Owed::Transfer(transfer, sold.seller_id),
                None => Owed::Reservation(sold.reservation_id),
            };
            (sellers, "TICKET_SOLD".to_owned())
        }
        TRANSFER_REJECTED | MEMBERSHIP_REJECTED => {
            let rejected: PurchaseRejected = event.decode()?;
            (Owed::Payment(rejected.payment_id), rejected.reason)
        }
        _ => return Ok(None),
    }))
}

impl Handler for Refunder {
    fn handle<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        event: &'a Envelope,
    ) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(async move {
            let Some((owed, reason)) = owed(event)? else {
                return Ok(());
            };
            let now = self.clock.now();
            let decided = match owed {
                Owed::Reservation(id) => Store::decide_refund_of_reservation(tx, id, &reason, now).await?,
                Owed::Transfer(id, user) => {
                    Store::decide_refund_of_transfer(tx, id, user, &reason, now).await?
                }
                Owed::Payment(id) => Store::decide_refund_of_payment(tx, id, &reason, now).await?,
            };
            if decided {
                tracing::info!(kind = event.kind, about = event.aggregate_id, reason, "refunding");
            }
            Ok(())
        })
    }

    // Two thirds of booking's events are holds and sales, which owe no refund.
    fn wants(&self, kind: &str) -> bool {
        matches!(
            kind,
            RESERVATION_CANCELLED
                | RESERVATION_REJECTED
                | TRANSFER_COMPLETED
                | TRANSFER_REJECTED
                | MEMBERSHIP_REJECTED
        )
    }
}

pub(crate) fn consume(ctx: &Ctx, pool: PgPool, redis: Redis) -> Task {
    let handler = Arc::new(Refunder {
        clock: ctx.clock.clone(),
    });
    let config = ConsumerConfig::new(
        "payment",
        [RESERVATION_EVENTS, TRANSFER_EVENTS, MEMBERSHIP_EVENTS],
    );
    consumer::consume(
        config,
        pool,
        redis,
        handler,
        ctx.clock.clone(),
        ctx.shutdown.clone(),
    )
}
