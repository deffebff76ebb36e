//! Booking and payment compared (R-JOB-02): what booking gave back must come back to who paid.
//!
//! What is owed and not heard of is said again, and where that has not helped payment is asked: it may have paid back long
//! ago, and its word was lost. Nothing here decides about money; payment refunds a charge once, however often it
//! is told to.

use crate::store::owed::{self, Owed};
use crate::store::settle::{self, Cancel, SettleError};
use crate::turns::Turns;
use serde::Deserialize;
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use urr_core::time::Millis;
use urr_kit::internal::InternalClient;
use urr_kit::wire;
use urr_kit::{BoxError, SharedClock};
use uuid::Uuid;

/// Batches in one round: a thousand refunds, so that a round ends and the bus is not flooded.
const BATCHES_MAX: usize = 20;

/// What payment says of a reservation's payment.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    payment_id: Option<Uuid>,
    #[serde(default)]
    status: Option<String>,
}

/// The job.
pub struct Reconciliation {
    pool: PgPool,
    payment: InternalClient,
    payment_url: String,
    clock: SharedClock,
}

impl Reconciliation {
    /// Compares with the payment service at `payment_url`.
    #[must_use]
    pub fn new(pool: PgPool, payment: InternalClient, payment_url: &str, clock: SharedClock) -> Self {
        Self {
            pool,
            payment,
            payment_url: payment_url.trim_end_matches('/').to_owned(),
            clock,
        }
    }

    /// Compares for as long as the process runs. A failed round is logged and tried again at the next.
    ///
    /// # Errors
    /// None today; the type is what a task returns.
    pub async fn run(self, interval: Duration, shutdown: CancellationToken) -> Result<(), BoxError> {
        let mut turns = Turns::every(interval, shutdown);
        while turns.next().await {
            let Some(round) = turns.unless_over(self.round(self.clock.now())).await else {
                break;
            };
            match round {
                Ok(0) => {}
                Ok(asked) => tracing::warn!(asked, "refunds that were not heard of were asked for again"),
                Err(error) => tracing::warn!(%error, "payments not compared"),
            }
        }
        Ok(())
    }

    /// Asks again for what is due. Answers how many.
    ///
    /// # Errors
    /// What the database fails with; batches before the failure stay done.
    pub async fn round(&self, now: Millis) -> Result<usize, sqlx::Error> {
        let mut asked = 0;
        for _ in 0..BATCHES_MAX {
            let batch = owed::ask_again(&self.pool, wire::at(now)).await?;
            asked += batch.len();
            for owed in batch.iter().filter(|owed| owed.asked >= 2) {
                self.compare(owed, now).await?;
            }
            if i64::try_from(batch.len()) != Ok(owed::BATCH) {
                break;
            }
        }
        let overdue = owed::overdue(&self.pool).await?;
        #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
        metrics::gauge!("urr_booking_refunds_overdue").set(overdue as f64);
        metrics::counter!("urr_booking_refunds_asked_again_total").increment(asked as u64);
        Ok(asked)
    }

    /// Asked before and still not heard of: is it on its way all the same? What payment says it has decided it sees
    /// through by itself. Of what was paid for a transfer payment
    /// is not to be asked by its id; that is only said again.
    async fn compare(&self, owed: &Owed, now: Millis) -> Result<(), sqlx::Error> {
        let charge = owed.charge;
        let (reservation, user) = (charge.target, charge.payer);
        if charge.is_transfer {
            return Ok(());
        }
        let url = format!(
            "{}/internal/payments/by-reservation/{reservation}",
            self.payment_url
        );
        let answer: Answer = match self.payment.get_json(&url).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%reservation, %user, %error, "payment was not to be asked about a refund");
                return Ok(());
            }
        };
        let (Some(payment), Some("refunded")) = (answer.payment_id, answer.status.as_deref()) else {
            tracing::error!(%reservation, %user, since = %owed.since, asked = owed.asked, status = answer.status,
                "a refund is owed and payment has not made it");
            return Ok(());
        };
        if charge.payment.is_some_and(|its| its != payment) {
            return Ok(());
        }
        let mut tx = self.pool.begin().await?;
        let how = Cancel::Refunded {
            transfer: None,
            payment: Some(payment),
        };
        match settle::cancel(&mut tx, reservation, how, wire::at(now)).await {
            Ok(_) | Err(SettleError::NotFound | SettleError::Refused(_)) => {}
            Err(SettleError::Store(error)) => return Err(error),
        }
        owed::heard(&mut tx, reservation, payment).await?;
        tx.commit().await?;
        tracing::info!(%reservation, %payment, %user, "a refund that was not heard of had been made");
        Ok(())
    }
}
