//! Before the charge: is there something to pay, and for how much?

use rand::Rng;
use urr_core::time::Millis;
use uuid::Uuid;

use super::{ConfirmRequest, Error, Payments, Receipt};
use crate::booking::{Payable, Refused};
use crate::payment::{Payment, Status, Target};
use crate::store::NewPayment;

/// What a payer wants to pay.
#[derive(Debug, Clone, Copy)]
pub struct PrepareRequest {
    /// The thing.
    pub target: Target,
    /// Won, as the payer's page shows it.
    pub amount: i64,
}

/// A payment by a method that needs no widget (R-PAY-11).
#[derive(Debug, Clone)]
pub struct InstantRequest {
    /// The thing.
    pub target: Target,
    /// `naver_pay`, `kakao_pay` or `bank_transfer`.
    pub method: String,
}

impl Payments {
    /// Registers a payment, or finds the unconfirmed one for the same thing (R-PAY-02).
    ///
    /// # Errors
    /// [`Error::NotPayable`], [`Error::AmountMismatch`], [`Error::AlreadyConfirmed`],
    /// [`Error::Store`].
    pub async fn prepare(&self, user: Uuid, request: PrepareRequest) -> Result<Payment, Error> {
        let payable = self.payable(request.target, user).await?;
        if payable.amount != request.amount {
            return Err(Error::AmountMismatch);
        }
        self.register(user, request.target, &payable, None).await
    }

    /// Pays at once, without a widget. A repeat returns the first result.
    ///
    /// # Errors
    /// As [`Payments::prepare`] and [`Payments::confirm`].
    pub async fn pay_instantly(&self, user: Uuid, request: InstantRequest) -> Result<Receipt, Error> {
        // Asked first: after the first call booking would answer that the target is paid.
        if let Some(paid) = self.0.store.paid(request.target.id, user).await? {
            return self.repeat(paid).await;
        }
        let payable = self.payable(request.target, user).await?;
        let payment = self
            .register(user, request.target, &payable, Some(&request.method))
            .await?;
        let confirm = ConfirmRequest {
            // One key per order, so that a double click is one charge.
            payment_key: format!("instant_{}", payment.order_id),
            order_id: payment.order_id,
            amount: payment.amount,
        };
        self.confirm(user, confirm).await
    }

    async fn register(
        &self,
        user: Uuid,
        target: Target,
        payable: &Payable,
        method: Option<&str>,
    ) -> Result<Payment, Error> {
        let now = self.now();
        let new = NewPayment {
            order_id: &order_id(now, rand::rng().random()),
            target,
            user_id: user,
            event_id: payable.event_id,
            amount: payable.amount,
            method,
        };
        let payment = self.0.store.prepare(&new, now).await?;
        match payment.status {
            Status::Pending | Status::Failed | Status::Confirming => Ok(payment),
            Status::Confirmed => Err(Error::AlreadyConfirmed),
            Status::Refunding | Status::Refunded => Err(Error::AlreadyRefunded),
        }
    }

    pub(super) async fn payable(&self, target: Target, user: Uuid) -> Result<Payable, Error> {
        let answer = self.0.booking.validate(target, user).await;
        answer.map_err(|refused: Refused| Error::NotPayable {
            kind: target.kind,
            refused,
        })
    }
}

/// `ORD_{ms}_{8 HEX}` (C§1).
fn order_id(now: Millis, random: u32) -> String {
    format!("ORD_{}_{random:08X}", now.0)
}

#[cfg(test)]
mod tests {
    use super::{Millis, order_id};

    #[test]
    fn order_ids_have_the_form_of_the_contract() {
        assert_eq!(
            order_id(Millis(1_769_940_000_000), 0xBEEF),
            "ORD_1769940000000_0000BEEF"
        );
    }
}
