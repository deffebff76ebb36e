//! paid-means-ticket: the provider's ledger against tickets, order by order.
//!
//! The ledger is the outside party's own, so a service that forgot a charge cannot hide it. A ticket that was sold on
//! stands on the charge of its last buyer, and those of all before him were given back (docs/decisions/0024): one charge a
//! ticket either way, and it is the present owner's.

use super::{
    Charge, Evidence, Finding, Payment, PaymentKind, PaymentStatus, Reservation, ReservationStatus,
    check::Check,
};
use crate::law::Law;
use std::collections::HashMap;
use uuid::Uuid;

/// Every charge ends as a ticket of that price or is given back in full; no ticket without a
/// charge, none charged twice.
pub(super) fn paid_means_ticket(evidence: &Evidence) -> Finding {
    let mut check = Check::of(Law::PaidMeansTicket);
    let payments: HashMap<&str, &Payment> = evidence
        .payments
        .iter()
        .map(|payment| (payment.order_id.as_str(), payment))
        .collect();
    let reservations: HashMap<Uuid, &Reservation> = evidence
        .reservations
        .iter()
        .map(|reservation| (reservation.id, reservation))
        .collect();
    let mut kept_charges: HashMap<Uuid, u32> = HashMap::new();
    let mut refunded = 0_u64;
    for charge in &evidence.charges {
        if charge.cancelled_amount != 0 {
            refunded += 1;
            check.that(charge.cancelled_amount == charge.amount, || {
                format!(
                    "order {}: {} of {} KRW were given back",
                    charge.order_id, charge.cancelled_amount, charge.amount
                )
            });
            continue;
        }
        let payment = payments.get(charge.order_id.as_str()).copied();
        if let Some(target) = payment.and_then(|payment| payment.target) {
            *kept_charges.entry(target).or_default() += 1;
        }
        let fault = fault_of_kept(charge, payment, &reservations);
        check.that(fault.is_none(), || {
            format!(
                "order {} charged {} KRW: {}",
                charge.order_id,
                charge.amount,
                fault.unwrap_or_default()
            )
        });
    }
    let mut tickets = 0_u64;
    for reservation in evidence
        .reservations
        .iter()
        .filter(|r| r.status == ReservationStatus::Confirmed)
    {
        tickets += 1;
        let charges = kept_charges.get(&reservation.id).copied().unwrap_or(0);
        let due = u32::from(reservation.total_amount > 0);
        check.that(charges == due, || {
            format!(
                "reservation {} is confirmed and was charged {charges} times",
                reservation.id
            )
        });
    }
    if check.checked() == 0 {
        return check.lacks(
            "nothing was charged and no ticket was sold",
            evidence.reservations.is_empty(),
        );
    }
    check.conclude(format!(
        "{} charges, {refunded} of them given back, {tickets} tickets",
        evidence.charges.len()
    ))
}

/// What is wrong with a charge that was kept, if anything.
fn fault_of_kept(
    charge: &Charge,
    payment: Option<&Payment>,
    reservations: &HashMap<Uuid, &Reservation>,
) -> Option<String> {
    let Some(payment) = payment else {
        return Some("payment knows no such order".into());
    };
    if payment.amount != charge.amount {
        return Some(format!("payment expected {}", payment.amount));
    }
    if payment.status != PaymentStatus::Confirmed {
        return Some(format!("payment has it as {:?}", payment.status));
    }
    let resold = match payment.kind {
        // No sale's: the confirmed payment is the end.
        PaymentKind::Membership => return None,
        PaymentKind::Transfer => true,
        PaymentKind::Reservation => false,
    };
    let Some(reservation) = payment.target.and_then(|id| reservations.get(&id)) else {
        return Some(if resold {
            "it handed no ticket over and was not given back".into()
        } else {
            "its reservation does not exist".into()
        });
    };
    if reservation.status != ReservationStatus::Confirmed {
        return Some(format!(
            "reservation {} is {:?} and nothing was given back",
            reservation.id, reservation.status
        ));
    }
    // Of a ticket that went from A to B to C, C's is the charge that is kept, and nobody else's.
    if payment.payer != reservation.owner || payment.transfer != reservation.transfer {
        return Some(format!(
            "reservation {} is {}'s by another charge, and this one of {} was not given back",
            reservation.id, reservation.owner, payment.payer
        ));
    }
    let right = if resold {
        // With the fee on top.
        charge.amount >= reservation.total_amount
    } else {
        charge.amount == reservation.total_amount
    };
    (!right).then(|| {
        format!(
            "reservation {} costs {}",
            reservation.id, reservation.total_amount
        )
    })
}
