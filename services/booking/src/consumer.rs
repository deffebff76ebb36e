//! What booking hears: payments and refunds, and catalog's changes of events.
//!
//! A payment's event and the payment service's direct call end in the same function
//! ([`settle::confirm`]); whichever comes second finds the work done (R-PAY-07, quirk 24).

use crate::events;
use crate::filter::Filter;
use crate::store::sales::{self, EventCopy};
use crate::store::settle::{self, Cancel, Fencing, SettleError, Settled};
use futures::future::BoxFuture;
use sqlx::PgConnection;
use urr_kit::SharedClock;
use urr_kit::events::{
    EVENT_CHANGED, Envelope, EventChanged, HandleError, Handler, PAYMENT_CONFIRMED, PAYMENT_REFUNDED,
    PaymentConfirmed, PaymentRefunded, ReservationRejected,
};
use urr_kit::wire;

/// Booking's handler.
pub struct Listener {
    filter: Filter,
    clock: SharedClock,
    fencing: Fencing,
}

impl Listener {
    /// A listener that compares fencing tokens as this process does.
    #[must_use]
    pub fn new(filter: Filter, clock: SharedClock) -> Self {
        Self {
            filter,
            clock,
            fencing: Fencing::of_this_process(),
        }
    }

    async fn paid(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), HandleError> {
        let paid: PaymentConfirmed = event.decode()?;
        let Some(reservation) = paid.reservation_id else {
            // Transfers and memberships cannot be bought yet; they get their consumers with them.
            return Ok(());
        };
        if settle::is_confirmed(tx, reservation, paid.user_id).await? {
            return Ok(());
        }
        let now = self.clock.now();
        let confirmed = settle::confirm(
            tx,
            reservation,
            Some(paid.user_id),
            &paid.payment_method,
            self.fencing,
            wire::at(now),
        )
        .await;
        match confirmed {
            Ok(settled) => self.forget_keys(&settled, "confirmed").await,
            Err(SettleError::Store(error)) => return Err(error.into()),
            Err(refused @ (SettleError::NotFound | SettleError::Refused(_))) => {
                tracing::warn!(%reservation, payment = %paid.payment_id, user = %paid.user_id, reason = %refused,
                    "payment for a reservation that cannot be confirmed: to be refunded");
                let payload = ReservationRejected {
                    reservation_id: reservation,
                    payment_id: Some(paid.payment_id),
                    reason: refused.to_string(),
                };
                events::rejected(tx, event, &payload, now).await?;
            }
        }
        Ok(())
    }

    async fn refunded(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), HandleError> {
        let refund: PaymentRefunded = event.decode()?;
        let Some(reservation) = refund.reservation_id else {
            return Ok(());
        };
        match settle::cancel(tx, reservation, Cancel::Refunded, wire::at(self.clock.now())).await {
            Ok(settled) => self.forget_keys(&settled, "refunded").await,
            Err(SettleError::Store(error)) => return Err(error.into()),
            // A refund for something we never had: nothing to free.
            Err(SettleError::NotFound | SettleError::Refused(_)) => {
                tracing::warn!(%reservation, payment = %refund.payment_id, "refund for an unknown reservation");
            }
        }
        Ok(())
    }

    async fn event_changed(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), HandleError> {
        let changed: EventChanged = event.decode()?;
        let (id, as_of) = (changed.event_id, wire::at(event.time));
        sales::put_event(tx, id, &EventCopy::from(changed), as_of).await?;
        Ok(())
    }

    /// Before the commit, as there is no later moment here: if it does not come, the filter lets a
    /// few more through to Postgres, which decides anyway.
    async fn forget_keys(&self, settled: &Settled, outcome: &'static str) {
        forget_keys(&self.filter, settled, outcome).await;
    }
}

/// Drops the filter's keys of what was settled, and counts it.
pub(crate) async fn forget_keys(filter: &Filter, settled: &Settled, outcome: &'static str) {
    if settled.changed {
        metrics::counter!("urr_booking_reservations_total", "outcome" => outcome).increment(1);
        filter
            .release(settled.before.event_id, settled.before.user_id, &settled.seats)
            .await;
    }
}

impl Handler for Listener {
    fn handle<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        event: &'a Envelope,
    ) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(async move {
            match event.kind.as_str() {
                PAYMENT_CONFIRMED => self.paid(tx, event).await,
                PAYMENT_REFUNDED => self.refunded(tx, event).await,
                EVENT_CHANGED => self.event_changed(tx, event).await,
                _ => Ok(()),
            }
        })
    }

    fn wants(&self, kind: &str) -> bool {
        matches!(kind, PAYMENT_CONFIRMED | PAYMENT_REFUNDED | EVENT_CHANGED)
    }
}
