//! Giving money back, always in full (R-PAY-10).

use urr_kit::events::{Envelope, PAYMENT_EVENTS, outbox};
use uuid::Uuid;

use super::charge::{count, into_internal};
use super::{Error, Payments, Step, owned};
use crate::outgoing;
use crate::payment::{Payment, PaymentType, Status};
use crate::provider::Refund;
use crate::store::Store;

impl Payments {
    /// Gives a payment back at its payer's wish. Booking is asked first: it knows whether the
    /// ticket may still be given up (not on the day of the show, not when it was passed on), and its
    /// `RESERVATION_CANCELLED` refunds even if this process dies after asking.
    ///
    /// Returns the payment and the won given back. A repeat of a refund that is decided is a success.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotOwner`], [`Error::NotConfirmed`], [`Error::Final`],
    /// [`Error::NotReleased`] when booking refuses, [`Error::Store`].
    pub async fn cancel(&self, user: Uuid, key: &str, reason: &str) -> Result<Payment, Error> {
        let payment = owned(self.0.store.by_key(key).await?, user)?;
        match payment.status {
            Status::Confirmed => {}
            Status::Refunding | Status::Refunded => return Ok(payment),
            Status::Pending | Status::Confirming | Status::Failed => {
                return Err(Error::NotConfirmed);
            }
        }
        if payment.payment_type != PaymentType::Reservation {
            return Err(Error::Final(payment.payment_type));
        }
        let released = self.0.booking.release(&payment, reason).await;
        released.map_err(|refused| Error::NotReleased { refused })?;
        self.give_back(payment, reason).await
    }

    /// Decides a refund and carries it out. Once decided it is owed: if the provider does not
    /// answer now, recovery asks until it does.
    pub(super) async fn give_back(&self, payment: Payment, reason: &str) -> Result<Payment, Error> {
        let decided = self.0.store.decide_refund(payment.id, reason, self.now()).await?;
        // `None`: a twin or an event decided it first, and carries it out.
        let Some(owed) = decided else { return Ok(payment) };
        self.0.fail_points.pass(Step::RefundDecided)?;
        self.carry_out(owed).await
    }

    /// refunding -> refunded, if the provider gives the money back now.
    pub(super) async fn carry_out(&self, payment: Payment) -> Result<Payment, Error> {
        let reason = payment.refund_reason.as_deref().unwrap_or("refund");
        let (refund, exchange) = self.0.provider.refund(&payment, reason).await;
        self.count_call(&exchange);
        self.log(&payment, &exchange).await;
        match refund {
            Refund::Done => {
                self.0.fail_points.pass(Step::Refunded)?;
                count("refunded");
                self.record_refund(payment).await
            }
            Refund::Unknown => {
                tracing::warn!(payment = %payment.id, order = payment.order_id,
                    "the provider did not confirm a refund; it stays owed");
                Ok(payment)
            }
            // A no: asking again at once gets it again, but its reason may pass (a balance that is too
            // low) or be mended by people. It stays owed, and is asked for less and less often.
            Refund::Refused { code } => {
                count("refund_refused");
                tracing::error!(payment = %payment.id, order = payment.order_id, code,
                    refusals = payment.refund_refusals + 1,
                    "the provider refuses a refund; it stays owed");
                self.0.store.put_off_refund(&payment, self.now()).await?;
                Ok(payment)
            }
            // We recorded a charge the provider does not know. Money is not at risk, our books are:
            // this needs a human, so it is loud, and it stays in the list of what is owed.
            Refund::NothingCharged => {
                count("refund_without_charge");
                tracing::error!(payment = %payment.id, order = payment.order_id,
                    "the provider knows no charge for a payment to be refunded");
                self.0.store.put_off_refund(&payment, self.now()).await?;
                Ok(payment)
            }
        }
    }

    async fn record_refund(&self, payment: Payment) -> Result<Payment, Error> {
        let now = self.now();
        let mut tx = self.0.store.pool().begin().await?;
        let recorded = Store::record_refund(&mut tx, payment.id, now).await?;
        if let Some(refunded) = &recorded {
            let event: Envelope = outgoing::refunded(refunded, now).map_err(Error::Internal)?;
            outbox::enqueue(&mut tx, PAYMENT_EVENTS, &event)
                .await
                .map_err(into_internal)?;
        }
        tx.commit().await?;
        Ok(recorded.unwrap_or(payment))
    }
}
