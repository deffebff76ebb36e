//! What a person of the house may do to a reservation, as a pure decision (R-ADM-02; upstream took any text and
//! left seats and stock alone, quirk 14).
//!
//! He may end it. A ticket comes from a payment, an expiry from the clock, and that money is back the payment
//! service says: setting these by hand would break `paid-means-ticket` with a mouse.

use crate::reservation::{PaymentStatus, Status};

/// What follows from a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is so already.
    Nothing,
    /// Cancel; seats and stock return, and what was paid is paid back.
    Cancel,
}

/// Why a wish is refused. The text is what the client reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither field.
    #[error("status or paymentStatus is required")]
    NothingWanted,
    /// No word of ours.
    #[error("{0}")]
    Unknown(&'static str),
    /// The reservation does not get there by hand.
    #[error(
        "A reservation can only be cancelled by hand: payments confirm, the clock expires, refunds follow"
    )]
    NotByHand,
}

/// What follows from wishing these for a reservation that is so.
///
/// # Errors
/// [`Refusal`].
pub fn step(
    now: (Status, PaymentStatus),
    status: Option<&str>,
    payment: Option<&str>,
) -> Result<Step, Refusal> {
    if status.is_none() && payment.is_none() {
        return Err(Refusal::NothingWanted);
    }
    let status = status.map_or(Ok(Step::Nothing), |wanted| of_status(now, wanted))?;
    let payment = payment.map_or(Ok(Step::Nothing), |wanted| of_payment(now, wanted))?;
    Ok(if status == Step::Cancel { status } else { payment })
}

fn of_status((status, _): (Status, PaymentStatus), wanted: &str) -> Result<Step, Refusal> {
    let ends = match wanted {
        "pending" => return same(status == Status::Pending),
        "confirmed" => return same(status == Status::Confirmed),
        "expired" => return same(status == Status::Expired),
        "cancelled" => status.cancel().is_ok(),
        // A word of the admin's page only: what it wants is a cancellation of what is paid.
        "refunded" => status == Status::Confirmed,
        _ => {
            return Err(Refusal::Unknown(
                "status must be one of pending, confirmed, cancelled, expired, refunded",
            ));
        }
    };
    if ends {
        Ok(Step::Cancel)
    } else {
        same(status == Status::Cancelled)
    }
}

fn of_payment((status, payment): (Status, PaymentStatus), wanted: &str) -> Result<Step, Refusal> {
    let (is, gives_back) = match wanted {
        "pending" => (PaymentStatus::Pending, false),
        "completed" => (PaymentStatus::Completed, false),
        "refunded" => (PaymentStatus::Refunded, true),
        "refund_requested" => (PaymentStatus::RefundRequested, true),
        _ => {
            return Err(Refusal::Unknown(
                "paymentStatus must be one of pending, completed, refunded, refund_requested",
            ));
        }
    };
    if gives_back && status == Status::Confirmed && payment == PaymentStatus::Completed {
        return Ok(Step::Cancel);
    }
    same(payment == is)
}

fn same(already: bool) -> Result<Step, Refusal> {
    if already {
        Ok(Step::Nothing)
    } else {
        Err(Refusal::NotByHand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATUSES: [&str; 6] = ["pending", "confirmed", "cancelled", "expired", "refunded", "sold"];
    const PAYMENTS: [&str; 5] = ["pending", "completed", "refunded", "refund_requested", "paid"];

    #[test]
    fn quirk_14_a_paid_ticket_is_cancelled_by_either_word_and_nothing_else_is_done_to_it() {
        let paid = (Status::Confirmed, PaymentStatus::Completed);
        for (status, payment, then) in [
            (Some("cancelled"), None, Ok(Step::Cancel)),
            (Some("refunded"), None, Ok(Step::Cancel)),
            (None, Some("refunded"), Ok(Step::Cancel)),
            (Some("cancelled"), Some("refunded"), Ok(Step::Cancel)),
            (Some("confirmed"), Some("completed"), Ok(Step::Nothing)),
            (Some("pending"), None, Err(Refusal::NotByHand)),
            (Some("expired"), None, Err(Refusal::NotByHand)),
            (Some("cancelled"), Some("pending"), Err(Refusal::NotByHand)),
            (None, None, Err(Refusal::NothingWanted)),
        ] {
            assert_eq!(step(paid, status, payment), then, "{status:?} {payment:?}");
        }
    }

    proptest! {
        #[test]
        fn r_adm_02_only_what_lives_is_ended_and_nothing_is_ever_made_a_ticket(
            status in prop::sample::select(vec![
                Status::Pending, Status::Confirmed, Status::Cancelled, Status::Expired]),
            payment in prop::sample::select(vec![
                PaymentStatus::Pending, PaymentStatus::Completed, PaymentStatus::Refunded,
                PaymentStatus::RefundRequested]),
            wanted in prop::option::of(prop::sample::select(STATUSES.to_vec())),
            money in prop::option::of(prop::sample::select(PAYMENTS.to_vec())),
        ) {
            let step = step((status, payment), wanted, money);
            if step == Ok(Step::Cancel) {
                prop_assert!(matches!(status, Status::Pending | Status::Confirmed));
            }
            if wanted == Some("confirmed") {
                prop_assert!(step.is_err() || status == Status::Confirmed);
            }
            if wanted == Some("sold") || money == Some("paid") {
                prop_assert!(step.is_err());
            }
        }
    }
}
