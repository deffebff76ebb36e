//! From the payer's "yes" to the ticket.

use std::time::Duration;

use serde::Deserialize;
use uuid::Uuid;

use super::{Error, Payments, Step, owned};
use crate::booking::Refused;
use crate::outgoing;
use crate::payment::{Payment, Status};
use crate::provider::{Approval, Charge, Exchange};

/// How long a second click waits for the first one's result. With the provider's 10 s this would
/// pass the browser's 15 s, so it ends earlier and says "under way".
const FOLLOW: Duration = Duration::from_secs(9);
/// How often it looks.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

/// What the browser brings back from the provider's widget.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfirmRequest {
    /// The provider's key of the payment.
    pub payment_key: String,
    /// Our order.
    pub order_id: String,
    /// Won.
    pub amount: i64,
}

/// A payment that was charged.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// As it stands now.
    pub payment: Payment,
    /// Whether an earlier call had charged it.
    pub repeated: bool,
    /// Whether booking has acted on it; if not, the event will make it (R-PAY-12).
    pub fulfilled: bool,
}

/// What the provider said about a charge.
pub(super) struct Said {
    pub(super) charge: Charge,
    /// The exchange it said it in, until that is kept: an approval's together with its effect.
    pub(super) unkept: Option<Exchange>,
}

impl Said {
    /// What follows without another word of the provider.
    pub(super) const fn concluded(charge: Charge) -> Self {
        Self { charge, unkept: None }
    }
}

impl Payments {
    /// Charges an order once, however often it is asked (R-PAY-03, -05).
    ///
    /// A repeat with the same key gets the first result, as C§10's client treats both 200 and 400
    /// `Payment already confirmed` as success, and a payer who lost the first answer should see a
    /// receipt rather than an error. Another key for a paid order is that 400: it would be a second
    /// charge.
    ///
    /// # Errors
    /// See [`Error`]; `Compensated` means the money goes back.
    pub async fn confirm(&self, user: Uuid, request: ConfirmRequest) -> Result<Receipt, Error> {
        let payment = owned(self.0.store.by_order(&request.order_id).await?, user)?;
        if payment.amount != request.amount {
            return Err(Error::AmountMismatch);
        }
        if !matches!(payment.status, Status::Pending | Status::Failed) {
            return self.follow(payment, &request.payment_key).await;
        }
        if !self.breaker_allows() {
            return Err(Error::ProviderDown);
        }
        let payable = self.payable(payment.target(), user).await?;
        if payable.amount != payment.amount {
            return Err(Error::AmountMismatch);
        }
        match self.begin(&payment, &request.payment_key).await? {
            Some(begun) => self.charge(begun).await,
            None => {
                let now = owned(self.0.store.by_order(&request.order_id).await?, user)?;
                self.follow(now, &request.payment_key).await
            }
        }
    }

    fn breaker_allows(&self) -> bool {
        let now = self.now();
        self.breaker(|breaker| breaker.allows(now))
    }

    /// Commits the intent to charge. `None` when another call was first.
    async fn begin(&self, payment: &Payment, key: &str) -> Result<Option<Payment>, Error> {
        let now = self.now();
        // Recovery keeps its hands off until the provider, a query and booking had their time.
        let recheck_at = now.plus_ms(self.0.provider.timeout_ms() + 5_000);
        let guarded = self.0.fail_points.charge_guard();
        match self
            .0
            .store
            .begin_charge(payment.id, key, recheck_at, guarded, now)
            .await
        {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(Error::KeyInUse),
            other => Ok(other?),
        }
    }

    async fn charge(&self, payment: Payment) -> Result<Receipt, Error> {
        self.0.fail_points.pass(Step::IntentCommitted)?;
        let mut said = self.ask_to_charge(&payment).await;
        if matches!(said.charge, Charge::Approved(_)) {
            self.0.fail_points.pass(Step::Charged)?;
        }
        if matches!(said.charge, Charge::Unknown) {
            self.keep(&payment, &mut said).await;
            said = self.ask_what_became(&payment).await;
        }
        self.conclude(payment, said).await
    }

    pub(super) async fn ask_to_charge(&self, payment: &Payment) -> Said {
        let (charge, exchange) = self.0.provider.charge(payment).await;
        self.count_call(&exchange);
        Said {
            charge,
            unkept: Some(exchange),
        }
    }

    pub(super) async fn ask_what_became(&self, payment: &Payment) -> Said {
        let (charge, exchange) = self.0.provider.query(payment).await;
        self.count_call(&exchange);
        Said {
            charge,
            unkept: Some(exchange),
        }
    }

    /// Keeps the exchange, once.
    pub(super) async fn keep(&self, payment: &Payment, said: &mut Said) {
        if let Some(exchange) = said.unkept.take() {
            self.log(payment, &exchange).await;
        }
    }

    /// Writes down what the provider said and goes on from there.
    pub(super) async fn conclude(&self, payment: Payment, mut said: Said) -> Result<Receipt, Error> {
        if let Charge::Approved(approval) = &said.charge
            && approval.amount == payment.amount
        {
            return self.approved(payment, approval, said.unkept.as_ref()).await;
        }
        self.keep(&payment, &mut said).await;
        match said.charge {
            Charge::Approved(approval) => {
                tracing::error!(payment = %payment.id, order = payment.order_id,
                    asked = payment.amount, charged = approval.amount,
                    "the provider charged another amount; refunding");
                self.give_back(payment, "amount-mismatch").await?;
                Err(Error::Compensated)
            }
            Charge::Declined { code } => {
                let now = self.now();
                self.0.store.abandon_charge(&payment, Some(&code), now).await?;
                count("declined");
                Err(Error::Declined { code })
            }
            Charge::NotSent => {
                self.0.store.abandon_charge(&payment, None, self.now()).await?;
                count("provider_down");
                Err(Error::ProviderDown)
            }
            // The row stays `confirming`; recovery asks again until there is an answer.
            Charge::Unknown | Charge::NotSeen => {
                count("unknown");
                Err(Error::InProgress)
            }
        }
    }

    /// confirming -> confirmed with the event, and on to the ticket.
    async fn approved(
        &self,
        payment: Payment,
        approval: &Approval,
        exchange: Option<&Exchange>,
    ) -> Result<Receipt, Error> {
        let now = self.now();
        let charged = payment.charged(approval, now);
        let event = outgoing::confirmed(&charged, now).map_err(Error::Internal)?;
        if !self
            .0
            .store
            .record_charge(&charged, &event, exchange, now)
            .await?
        {
            // Recovery or a twin recorded it first.
            let now = self.0.store.by_order(&payment.order_id).await?;
            return self.follow(owned(now, payment.user_id)?, payment.key()).await;
        }
        count("charged");
        self.0.fail_points.pass(Step::ChargeCommitted)?;
        self.fulfil(charged).await
    }

    /// Has booking act on the payment, or gives the money back.
    pub(super) async fn fulfil(&self, payment: Payment) -> Result<Receipt, Error> {
        match self.0.booking.fulfil(&payment).await {
            Ok(()) => {
                self.0.fail_points.pass(Step::Fulfilled)?;
                self.0.store.mark_fulfilled(payment.id, self.now()).await?;
                Ok(Receipt {
                    payment,
                    repeated: false,
                    fulfilled: true,
                })
            }
            // Charged, and the event is on its way: that is a success to the payer (R-DATA-04,
            // "confirmation after payment is eventual"). If booking turns it down later, its
            // RESERVATION_REJECTED brings the refund.
            Err(Refused::Unreachable(source)) => {
                tracing::warn!(payment = %payment.id, order = payment.order_id,
                    error = source.as_ref() as &dyn std::error::Error,
                    "booking did not answer; the event will confirm the ticket");
                Ok(Receipt {
                    payment,
                    repeated: false,
                    fulfilled: false,
                })
            }
            Err(refused) => {
                self.0.fail_points.pass(Step::TicketRefused)?;
                tracing::warn!(payment = %payment.id, order = payment.order_id,
                    error = &refused as &dyn std::error::Error, "target lost after the charge; refunding");
                count("compensated");
                self.give_back(payment, "target-lost").await?;
                Err(Error::Compensated)
            }
        }
    }

    /// The receipt of a charge that an earlier call made. If booking had not answered that one, it is
    /// asked now: who presses again hears whether he has a ticket, and need not believe a "perhaps".
    pub(super) async fn repeat(&self, payment: Payment) -> Result<Receipt, Error> {
        if payment.fulfilled_at.is_some() {
            return Ok(Receipt {
                payment,
                repeated: true,
                fulfilled: true,
            });
        }
        Ok(Receipt {
            repeated: true,
            ..self.fulfil(payment).await?
        })
    }

    /// Answers a call that came too late to charge, from what the first one did.
    async fn follow(&self, mut payment: Payment, key: &str) -> Result<Receipt, Error> {
        let deadline = tokio::time::Instant::now() + FOLLOW;
        loop {
            match payment.status {
                Status::Confirmed if payment.key() == key => return self.repeat(payment).await,
                Status::Confirmed => return Err(Error::AlreadyConfirmed),
                Status::Refunding | Status::Refunded => return Err(Error::AlreadyRefunded),
                Status::Failed if payment.key() == key => {
                    return Err(Error::Declined {
                        code: "DECLINED".to_owned(),
                    });
                }
                Status::Pending | Status::Failed => return Err(Error::InProgress),
                Status::Confirming => {}
            }
            if payment.key() != key || tokio::time::Instant::now() >= deadline {
                return Err(Error::InProgress);
            }
            tokio::time::sleep(FOLLOW_EVERY).await;
            payment = self
                .0
                .store
                .by_order(&payment.order_id)
                .await?
                .ok_or(Error::NotFound)?;
        }
    }
}

pub(super) fn into_internal(error: impl Into<urr_kit::BoxError>) -> Error {
    Error::Internal(error.into())
}

/// Outcomes, for R-OBS-01. A closed set of labels.
pub(super) fn count(outcome: &'static str) {
    metrics::counter!("urr_payments_total", "outcome" => outcome).increment(1);
}
