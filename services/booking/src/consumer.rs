//! What booking hears: payments and refunds, catalog's changes of events, and what fans did in the community.
//!
//! A payment's event and the payment service's direct call end in the same function ([`settle::confirm()`],
//! [`handover::complete`], [`memberships::activate`]); whichever comes second finds the work done (R-PAY-07,
//! quirk 24).

use crate::events::{self, Bought};
use crate::filter::Filter;
use crate::membership;
use crate::store::handover::{self, Guarded};
use crate::store::memberships::{self, Verdict};
use crate::store::owed;
use crate::store::points::{self, Change, Deed, Unfit};
use crate::store::purchases::Purchase;
use crate::store::sales::{self, EventCopy};
use crate::store::settle::{self, Cancel, Fencing, Paid, SettleError, Settled, Sold};
use futures::future::BoxFuture;
use sqlx::PgConnection;
use urr_kit::SharedClock;
use urr_kit::events::{
    EVENT_CHANGED, Envelope, EventChanged, HandleError, Handler, PAYMENT_CONFIRMED, PAYMENT_REFUNDED,
    POINTS_EARNED, PaymentConfirmed, PaymentRefunded, PointsEarned, PurchaseRejected, ReservationRejected,
};
use urr_kit::wire;
use uuid::Uuid;

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
        match (paid.reservation_id, paid.reference_id) {
            (Some(reservation), _) => self.reservation_paid(tx, event, &paid, reservation).await,
            (None, Some(target)) => self.purchase_paid(tx, event, &paid, target).await,
            (None, None) => Err(HandleError::Invalid("a payment for nothing".to_owned())),
        }
    }

    async fn reservation_paid(
        &self,
        tx: &mut PgConnection,
        event: &Envelope,
        paid: &PaymentConfirmed,
        reservation: Uuid,
    ) -> Result<(), HandleError> {
        if let Some(sold) = settle::sold(tx, reservation, paid.user_id, paid.payment_id).await? {
            self.points_for(tx, sold, paid.user_id, reservation).await;
            return Ok(());
        }
        let now = self.clock.now();
        let payment = Paid {
            payment: Some(paid.payment_id),
            payer: Some(paid.user_id),
            amount: Some(paid.amount),
            method: &paid.payment_method,
        };
        let confirmed = settle::confirm(tx, reservation, payment, self.fencing, wire::at(now)).await;
        match confirmed {
            Ok(settled) => {
                self.forget_keys(&settled, "confirmed").await;
                if let Some(sold) = settle::sold(tx, reservation, paid.user_id, paid.payment_id).await? {
                    self.points_for(tx, sold, paid.user_id, reservation).await;
                }
            }
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

    /// A member's ticket earns points (R-MEM-03): here and not where it is sold, where a payer waits.
    async fn points_for(&self, tx: &mut PgConnection, sold: Sold, user: Uuid, reservation: Uuid) {
        if sold.artist_id.is_some() {
            let deed = Deed {
                user,
                artist: sold.artist_id,
                action: points::TICKET_PURCHASE,
                points: membership::TICKET_POINTS,
                description: "Ticket bought",
                reference: Some(reservation),
            };
            points::aside(tx, Change::Earned(deed), wire::at(self.clock.now())).await;
        }
    }

    /// A transfer or a membership was paid: the same step as the payment service's call, and a rejection if it
    /// came too late.
    async fn purchase_paid(
        &self,
        tx: &mut PgConnection,
        event: &Envelope,
        paid: &PaymentConfirmed,
        target: Uuid,
    ) -> Result<(), HandleError> {
        let now = self.clock.now();
        let purchase = Purchase {
            payment: paid.payment_id,
            target,
            payer: paid.user_id,
            method: &paid.payment_method,
        };
        let (what, refused) = match paid.payment_type.as_str() {
            "transfer" => {
                let verdict = handover::complete(tx, purchase, Guarded::Yes, wire::at(now)).await?;
                (Bought::Transfer, why(verdict, "Transfer not found"))
            }
            "membership" => {
                let verdict = memberships::activate(tx, purchase, wire::at(now)).await?;
                (Bought::Membership, why(verdict, "Membership not found"))
            }
            other => return Err(HandleError::Invalid(format!("a payment for a {other}"))),
        };
        if let Some(reason) = refused {
            tracing::warn!(%target, payment = %paid.payment_id, user = %paid.user_id, reason,
                "payment for something that is not to be had: to be refunded");
            let payload = PurchaseRejected {
                reference_id: target,
                payment_id: paid.payment_id,
                reason,
            };
            events::purchase_rejected(tx, what, event, &payload, now).await?;
        }
        Ok(())
    }

    async fn refunded(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), HandleError> {
        let refund: PaymentRefunded = event.decode()?;
        self.undo(tx, &refund).await?;
        if let Some(target) = refund.reservation_id.or(refund.reference_id) {
            owed::heard(tx, target, refund.payment_id).await?;
        }
        Ok(())
    }

    /// Ends what the payment had bought, if it still has it.
    async fn undo(&self, tx: &mut PgConnection, refund: &PaymentRefunded) -> Result<(), HandleError> {
        let now = wire::at(self.clock.now());
        let (reservation, transfer) = match (refund.reservation_id, refund.reference_id) {
            (Some(reservation), _) => (Some(reservation), None),
            (None, Some(id)) if refund.payment_type == "transfer" => {
                let standing = handover::refunded(tx, id, refund.payment_id, now).await?;
                (standing, Some(id))
            }
            (None, Some(id)) => {
                memberships::refunded(tx, id, refund.payment_id, now).await?;
                (None, None)
            }
            (None, None) => (None, None),
        };
        let Some(reservation) = reservation else {
            return Ok(());
        };
        let how = Cancel::Refunded {
            transfer,
            payment: Some(refund.payment_id),
        };
        match settle::cancel(tx, reservation, how, now).await {
            // A later payment bought the ticket, and its points with it.
            Ok(settled) if settled.before.stands_on_another(Some(refund.payment_id)) => return Ok(()),
            Ok(settled) => self.forget_keys(&settled, "refunded").await,
            Err(SettleError::Store(error)) => return Err(error.into()),
            // A refund for something we never had: nothing to free.
            Err(SettleError::NotFound | SettleError::Refused(_)) => {
                tracing::warn!(%reservation, payment = %refund.payment_id, "refund for an unknown reservation");
            }
        }
        let earned_by = transfer.unwrap_or(reservation);
        points::aside(tx, Change::Returned(earned_by), now).await;
        Ok(())
    }

    async fn event_changed(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), HandleError> {
        let changed: EventChanged = event.decode()?;
        let (id, as_of) = (changed.event_id, wire::at(event.time));
        sales::put_event(tx, id, &EventCopy::from(changed), as_of).await?;
        Ok(())
    }

    /// R-MEM-03. Who is no member, or of several artists and nobody said which, gets none.
    async fn points_earned(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), HandleError> {
        let told: PointsEarned = event.decode()?;
        let deed = Deed::try_from(&told).map_err(|unfit: Unfit| HandleError::Invalid(unfit.to_string()))?;
        points::award(tx, &deed, wire::at(event.time)).await?;
        Ok(())
    }

    /// Before the commit, as there is no later moment here: if it does not come, the filter lets a
    /// few more through to Postgres, which decides anyway.
    async fn forget_keys(&self, settled: &Settled, outcome: &'static str) {
        forget_keys(&self.filter, settled, outcome).await;
    }
}

/// The reason of a refusal, if it is one.
fn why<R: std::fmt::Display>(verdict: Verdict<R>, unknown: &str) -> Option<String> {
    match verdict {
        Verdict::Done { .. } => None,
        Verdict::Refused(refusal) => Some(refusal.to_string()),
        Verdict::NotFound => Some(unknown.to_owned()),
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
                POINTS_EARNED => self.points_earned(tx, event).await,
                _ => Ok(()),
            }
        })
    }

    fn wants(&self, kind: &str) -> bool {
        matches!(
            kind,
            PAYMENT_CONFIRMED | PAYMENT_REFUNDED | EVENT_CHANGED | POINTS_EARNED
        )
    }
}
