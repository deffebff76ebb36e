//! What the provider charged and gave back.
//!
//! Rules are Toss's: an order is charged at most once, a payment key belongs to one order, a
//! repeated charge is named as such and a payment can be given back once in full. Weaken one and
//! the drills' `paid-means-ticket` audit counts money that no real provider would have taken.

use std::collections::HashMap;

use serde::Serialize;

/// State of one payment at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Charged.
    Done,
    /// Charged and given back in full.
    Canceled,
    /// Declined; nothing was charged.
    Aborted,
}

/// One refund of a payment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancel {
    /// Won given back.
    pub cancel_amount: i64,
    /// The merchant's words.
    pub cancel_reason: String,
    /// When, RFC 3339.
    pub canceled_at: String,
}

/// One payment as the provider sees it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The provider's key of the payment.
    pub payment_key: String,
    /// The merchant's order.
    pub order_id: String,
    /// Won charged (or declined).
    pub amount: i64,
    /// See [`Status`].
    pub status: Status,
    /// Refunds, oldest first.
    pub cancels: Vec<Cancel>,
    /// When the charge was approved, RFC 3339; `None` for a declined one.
    pub approved_at: Option<String>,
}

/// Why the provider refuses. `code` is Toss's error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// This order or key was charged before.
    AlreadyProcessed,
    /// This payment was given back before.
    AlreadyCanceled,
    /// No such payment, or it was never charged.
    NotFound,
    /// The amount to give back is not the amount charged.
    AmountMismatch,
    /// The ledger holds as much as it may.
    LedgerFull,
}

/// All payments of a run, in the order of their first attempt.
#[derive(Debug)]
pub struct Ledger {
    payments: Vec<Payment>,
    by_key: HashMap<String, usize>,
    by_order: HashMap<String, usize>,
    payments_max: usize,
}

impl Ledger {
    /// An empty ledger of at most `payments_max` payments.
    #[must_use]
    pub fn new(payments_max: usize) -> Self {
        Self {
            payments: Vec::new(),
            by_key: HashMap::new(),
            by_order: HashMap::new(),
            payments_max,
        }
    }

    /// Charges `amount` won, or records that the card was declined.
    ///
    /// # Errors
    /// [`Refusal::AlreadyProcessed`] when the order or the key was charged before,
    /// [`Refusal::LedgerFull`] at the bound.
    pub fn charge(
        &mut self,
        payment_key: &str,
        order_id: &str,
        amount: i64,
        declined: bool,
        now: &str,
    ) -> Result<&Payment, Refusal> {
        let known = [self.by_key.get(payment_key), self.by_order.get(order_id)];
        if known
            .iter()
            .flatten()
            .any(|&&i| self.payments[i].status != Status::Aborted)
        {
            return Err(Refusal::AlreadyProcessed);
        }
        if self.payments.len() >= self.payments_max {
            return Err(Refusal::LedgerFull);
        }
        let index = self.payments.len();
        self.payments.push(Payment {
            payment_key: payment_key.to_owned(),
            order_id: order_id.to_owned(),
            amount,
            status: if declined { Status::Aborted } else { Status::Done },
            cancels: Vec::new(),
            approved_at: (!declined).then(|| now.to_owned()),
        });
        self.by_key.insert(payment_key.to_owned(), index);
        self.by_order.insert(order_id.to_owned(), index);
        Ok(&self.payments[index])
    }

    /// Gives a charge back. `amount` of `None` means all of it; a part is refused, since URR has
    /// no fee scale and a partial refund would be a bug.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::AlreadyCanceled`], [`Refusal::AmountMismatch`].
    pub fn cancel(
        &mut self,
        payment_key: &str,
        amount: Option<i64>,
        reason: &str,
        now: &str,
    ) -> Result<&Payment, Refusal> {
        let index = *self.by_key.get(payment_key).ok_or(Refusal::NotFound)?;
        let payment = &mut self.payments[index];
        match payment.status {
            Status::Aborted => return Err(Refusal::NotFound),
            Status::Canceled => return Err(Refusal::AlreadyCanceled),
            Status::Done => {}
        }
        if amount.is_some_and(|part| part != payment.amount) {
            return Err(Refusal::AmountMismatch);
        }
        payment.status = Status::Canceled;
        payment.cancels.push(Cancel {
            cancel_amount: payment.amount,
            cancel_reason: reason.to_owned(),
            canceled_at: now.to_owned(),
        });
        Ok(payment)
    }

    /// The payment with this key.
    #[must_use]
    pub fn by_key(&self, payment_key: &str) -> Option<&Payment> {
        self.by_key.get(payment_key).map(|&i| &self.payments[i])
    }

    /// The latest payment for this order.
    #[must_use]
    pub fn by_order(&self, order_id: &str) -> Option<&Payment> {
        self.by_order.get(order_id).map(|&i| &self.payments[i])
    }

    /// Every payment, oldest first.
    #[must_use]
    pub fn payments(&self) -> &[Payment] {
        &self.payments
    }
}

#[cfg(test)]
mod tests {
    use super::{Ledger, Refusal, Status};

    #[test]
    fn an_order_and_a_key_are_charged_at_most_once() {
        let mut ledger = Ledger::new(10);
        ledger.charge("k1", "o1", 100, false, "t").unwrap();
        for (key, order) in [("k1", "o1"), ("k2", "o1"), ("k1", "o2")] {
            let again = ledger.charge(key, order, 100, false, "t").err();
            assert_eq!(again, Some(Refusal::AlreadyProcessed), "{key} {order}");
        }
        assert_eq!(ledger.payments().len(), 1);
    }

    #[test]
    fn a_declined_charge_may_be_tried_again() {
        let mut ledger = Ledger::new(10);
        ledger.charge("k1", "o1", 100, true, "t").unwrap();
        ledger.charge("k1", "o1", 100, false, "t").unwrap();
        assert_eq!(ledger.by_key("k1").unwrap().status, Status::Done);
    }

    #[test]
    fn a_charge_is_given_back_once_and_in_full() {
        let mut ledger = Ledger::new(10);
        ledger.charge("k1", "o1", 100, false, "t").unwrap();
        let part = ledger.cancel("k1", Some(40), "r", "t").err();
        assert_eq!(part, Some(Refusal::AmountMismatch));
        ledger.cancel("k1", None, "r", "t").unwrap();
        let again = ledger.cancel("k1", None, "r", "t").err();
        assert_eq!(again, Some(Refusal::AlreadyCanceled));
        assert_eq!(ledger.by_order("o1").unwrap().cancels.len(), 1);
    }

    #[test]
    fn a_full_ledger_refuses_instead_of_forgetting() {
        let mut ledger = Ledger::new(1);
        ledger.charge("k1", "o1", 100, false, "t").unwrap();
        let next = ledger.charge("k2", "o2", 100, false, "t").err();
        assert_eq!(next, Some(Refusal::LedgerFull));
    }
}
