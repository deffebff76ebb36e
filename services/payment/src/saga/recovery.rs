//! Finishing what a crash, a timeout or an outage left half done.
//!
//! Takes no input: it reads which rows owe something and brings each one step nearer to its end.
//! Many replicas may run it; a claim leases its rows. It never gives up on a refund, and it gives
//! up on an unknown charge only when the provider itself no longer could make it.
//!
//! Charges and refunds are two queues, each with its own loop: a payer waits for the first, and a
//! cancelled show owes tens of thousands of the second.

use std::time::Duration;

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;
use urr_kit::BoxError;

use super::charge::Said;
use super::{Error, Payments, Receipt};
use crate::payment::{Payment, Status};
use crate::provider::Charge;
use crate::store::{CLAIM_MAX, Debt};

/// A payment that was authorised in the widget and not confirmed expires at Toss after 10 minutes.
/// After 11 a charge the provider does not know will not be made any more.
const PROVIDER_FORGETS_MS: i64 = 11 * 60 * 1000;
/// Rows of a queue that are worked on at once: with the provider's 80 ms that is a hundred a second,
/// and when it hangs for its 10 s a claim of 50 rows is through in a minute. Each holds one connection
/// of the pool now and then, of which payers need the rest.
const AT_ONCE: usize = 8;
/// A row that was touched within this is on its way; what is older has met trouble, and people are told.
const OVERDUE_AFTER_MS: i64 = 60_000;

/// What one look did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Rows that were due.
    pub claimed: usize,
    /// Those of them that still owe something.
    pub open: usize,
}

impl Recovered {
    /// Whether more is due, and worth going on with: a provider that is away is not to be asked for all that
    /// is owed in one breath.
    const fn is_one_of_many(self) -> bool {
        self.claimed >= CLAIM_MAX && self.open == 0
    }
}

impl Payments {
    /// Looks once at everything that is due: charges, then refunds.
    ///
    /// # Errors
    /// [`Error::Store`] when the rows cannot be claimed; a failure of one row leaves the others
    /// alone and is logged.
    pub async fn recover(&self) -> Result<Recovered, Error> {
        let charges = self.finish_due(Debt::Tickets).await?;
        let refunds = self.finish_due(Debt::Refunds).await?;
        Ok(Recovered {
            claimed: charges.claimed + refunds.claimed,
            open: charges.open + refunds.open,
        })
    }

    /// How many payments have owed something for more than a minute: what `UrrPaymentsOwed` looks at. Every
    /// replica reports all of them, leased or not.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn measure_overdue(&self) -> Result<i64, Error> {
        let before = self.now().plus_ms(-OVERDUE_AFTER_MS);
        let overdue = self.0.store.owed_since(before).await?;
        metrics::gauge!("urr_payments_owed").set(f64::from(u32::try_from(overdue).unwrap_or(u32::MAX)));
        Ok(overdue)
    }

    async fn finish_due(&self, debt: Debt) -> Result<Recovered, Error> {
        let due = self.0.store.claim_owed(debt, self.now()).await?;
        let claimed = due.len();
        let payments = self.clone();
        let open = futures::stream::iter(due)
            .map(move |payment| payments.clone().leaves_open(payment))
            .buffer_unordered(AT_ONCE)
            .filter(|open| std::future::ready(*open))
            .count()
            .await;
        Ok(Recovered { claimed, open })
    }

    /// Brings a row forward, and says aloud how it went.
    async fn leaves_open(self, payment: Payment) -> bool {
        let (id, status) = (payment.id, payment.status);
        match self.finish(payment).await {
            Ok(true) => {
                tracing::info!(payment = %id, ?status, "recovered a payment");
                false
            }
            Ok(false) => true,
            Err(error) => {
                tracing::warn!(payment = %id, ?status,
                    error = &error as &dyn std::error::Error, "failed to recover a payment");
                true
            }
        }
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
        if matches!(said.charge, Charge::NotSeen) {
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

/// What is looked at.
#[derive(Clone, Copy)]
enum Look {
    At(Debt),
    AtWhatIsOverdue,
}

impl Look {
    /// Pause before the next look when all is well. The alert of what is overdue takes minutes anyway.
    const fn every_s(self) -> u64 {
        match self {
            Self::At(_) => 1,
            Self::AtWhatIsOverdue => 15,
        }
    }
}

/// Looks at both queues until shutdown, and counts what is overdue. None waits for another.
pub(crate) async fn run(payments: Payments, shutdown: CancellationToken) -> Result<(), BoxError> {
    let keep_looking = |look| keep_looking(payments.clone(), look, shutdown.clone());
    tokio::join!(
        keep_looking(Look::At(Debt::Tickets)),
        keep_looking(Look::At(Debt::Refunds)),
        keep_looking(Look::AtWhatIsOverdue),
    );
    Ok(())
}

/// Looks until shutdown. One look handles a bounded batch; the next follows at once if that was full and all of it
/// came to its end. A failed look is followed by a longer pause, up to half a minute, so that a
/// database that is down is not asked every second by every replica.
async fn keep_looking(payments: Payments, look: Look, shutdown: CancellationToken) {
    let mut pause_s = look.every_s();
    loop {
        let pause = Duration::from_secs(pause_s);
        if shutdown
            .run_until_cancelled(tokio::time::sleep(pause))
            .await
            .is_none()
        {
            return;
        }
        let looked = match look {
            Look::At(debt) => payments.finish_due(debt).await.map(Recovered::is_one_of_many),
            Look::AtWhatIsOverdue => payments.measure_overdue().await.map(|_| false),
        };
        pause_s = match looked {
            Ok(true) => 0,
            Ok(false) => look.every_s(),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "failed to look for owed payments"
                );
                (pause_s.max(1) * 2).min(30)
            }
        };
    }
}
