//! Finishing what a crash, a timeout or an outage left half done.
//!
//! Takes no input: it reads which rows owe something and brings each one step nearer to its end.
//! Many replicas may run it; a claim leases its rows. It never gives up on a refund, and it gives
//! up on an unknown charge only when the provider itself no longer could make it.

use std::time::Duration;

use urr_kit::BoxError;

use super::charge::Said;
use super::{Error, Payments, Receipt};
use crate::payment::{Payment, Status};
use crate::provider::Charge;

/// A payment that was authorised in the widget and not confirmed expires at Toss after 10 minutes.
/// After 11 a charge the provider does not know will not be made any more.
const PROVIDER_FORGETS_MS: i64 = 11 * 60 * 1000;

/// What one look did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Rows that were due.
    pub claimed: usize,
    /// Rows that still owe something.
    pub open: usize,
}

impl Payments {
    /// Looks once at everything that is due.
    ///
    /// # Errors
    /// [`Error::Store`] when the rows cannot be claimed; a failure of one row leaves the others
    /// alone and is logged.
    pub async fn recover(&self) -> Result<Recovered, Error> {
        let due = self.0.store.claim_owed(self.now()).await?;
        let mut seen = Recovered {
            claimed: due.len(),
            open: 0,
        };
        for payment in due {
            let (id, status) = (payment.id, payment.status);
            match self.finish(payment).await {
                Ok(true) => tracing::info!(payment = %id, ?status, "recovered a payment"),
                Ok(false) => seen.open += 1,
                Err(error) => {
                    seen.open += 1;
                    tracing::warn!(payment = %id, ?status,
                        error = &error as &dyn std::error::Error, "failed to recover a payment");
                }
            }
        }
        metrics::gauge!("urr_payments_owed").set(f64::from(u32::try_from(seen.open).unwrap_or(u32::MAX)));
        Ok(seen)
    }

    /// True when nothing is owed any more.
    async fn finish(&self, payment: Payment) -> Result<bool, Error> {
        match payment.status {
            Status::Confirming => self.finish_charge(payment).await,
            Status::Confirmed => settled(self.fulfil(payment).await),
            Status::Refunding => {
                let after = self.carry_out(payment).await?;
                Ok(after.status == Status::Refunded)
            }
            Status::Pending | Status::Failed | Status::Refunded => Ok(true),
        }
    }

    async fn finish_charge(&self, payment: Payment) -> Result<bool, Error> {
        let mut said = self.ask_what_became(&payment).await;
        if matches!(said.charge, Charge::NotFound) {
            self.keep(&payment, &mut said).await;
            said = self.unknown_to_the_provider(&payment).await;
        }
        settled(self.conclude(payment, said).await)
    }

    /// The request was lost, or is still on its way. The payer said yes, so while the target is
    /// payable the same attempt is made again: its idempotency key keeps it one charge whatever
    /// arrives. When the target is gone, wait until the lost request cannot arrive any more.
    async fn unknown_to_the_provider(&self, payment: &Payment) -> Said {
        let since = payment.confirming_since.map_or(0, |at| at.timestamp_millis());
        if self.now().0.saturating_sub(since) >= PROVIDER_FORGETS_MS {
            return Said::concluded(Charge::Declined {
                code: "NEVER_RECEIVED".to_owned(),
            });
        }
        if self.payable(payment.target(), payment.user_id).await.is_err() {
            return Said::concluded(Charge::Unknown);
        }
        let mut said = self.ask_to_charge(payment).await;
        if matches!(said.charge, Charge::NotSent) {
            // This request was not sent; the first one may have been.
            said.charge = Charge::Unknown;
        }
        said
    }
}

/// Whether an end leaves nothing open.
fn settled(result: Result<Receipt, Error>) -> Result<bool, Error> {
    match result {
        Ok(receipt) => Ok(receipt.fulfilled),
        Err(Error::Declined { .. } | Error::Compensated) => Ok(true),
        Err(Error::InProgress | Error::ProviderDown) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Looks every second until shutdown. One look handles a bounded batch; a failed one waits longer,
/// up to half a minute, so that a database that is down is not asked every second by every replica.
pub(crate) async fn run(
    payments: Payments,
    shutdown: tokio_util::sync::CancellationToken,
) -> Result<(), BoxError> {
    let mut pause_s = 1;
    loop {
        let pause = Duration::from_secs(pause_s);
        if shutdown
            .run_until_cancelled(tokio::time::sleep(pause))
            .await
            .is_none()
        {
            return Ok(());
        }
        pause_s = match payments.recover().await {
            Ok(_) => 1,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "failed to look for owed payments"
                );
                (pause_s * 2).min(30)
            }
        };
    }
}
