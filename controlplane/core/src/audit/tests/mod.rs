//! A clean history passes; one change to it breaks exactly the law it is about.

mod drawn;
mod history;
mod wrongs;

use super::{
    Charge, EXAMPLES_MAX, Evidence, Observations, Payment, PaymentKind, PaymentStatus, ReservationStatus,
    Verdict, audit,
};
use crate::{admission::LogKind, law::Law, testing::OPENS_AT};
use history::{Shape, clean, id, shape};
use proptest::prelude::*;
use wrongs::{WRONGS, nth_entry, polls};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_clean_history_passes(shape in shape()) {
        let report = audit(&clean(shape));
        for finding in &report.findings {
            prop_assert_eq!(finding.verdict, Verdict::Held, "{:?}", finding);
            prop_assert!(finding.checked > 0);
        }
        prop_assert!(report.passes());
        prop_assert_eq!(report.findings.len(), Law::ALL.len());
    }

    #[test]
    fn each_wrong_breaks_exactly_its_law(shape in shape()) {
        for wrong in WRONGS {
            let mut evidence = clean(shape);
            (wrong.act)(&mut evidence);
            let report = audit(&evidence);
            let broken: Vec<_> = report.broken().collect();
            prop_assert_eq!(&broken, &vec![wrong.law], "{}: {:?}", wrong.what, report.findings.iter().filter(|f| !f.passes()).collect::<Vec<_>>());
            let finding = report.finding(wrong.law).unwrap();
            prop_assert!(!finding.examples.is_empty() && finding.examples.len() <= EXAMPLES_MAX);
            prop_assert!(!report.passes());
        }
    }
}

const SHAPE: Shape = Shape {
    visitors: 100,
    rate_per_s: 10,
    burst: 5,
    cap: 20,
};

#[test]
fn every_law_has_a_wrong() {
    for law in Law::ALL {
        assert!(WRONGS.iter().any(|wrong| wrong.law == law), "{law}");
    }
}

#[test]
fn a_seat_sold_twice_is_named() {
    let mut evidence = clean(SHAPE);
    let item = evidence
        .items
        .iter()
        .find(|item| item.seat == Some(id(3, 0)))
        .unwrap()
        .clone();
    for reservation in evidence
        .reservations
        .iter_mut()
        .filter(|r| r.id == item.reservation)
    {
        reservation.status = ReservationStatus::Confirmed;
    }
    let report = audit(&evidence);
    let oversell = report.finding(Law::NoOversell).unwrap();
    assert!(
        oversell.examples[0].contains("seat A-1-0 is sold 2 times"),
        "{:?}",
        oversell.examples
    );
    assert!(report.broken().any(|law| law == Law::Fenced));
}

/// The first ticket goes through `hands` more of them; each pays, and everybody but the last has his charge back.
/// Answers which payments and charges are those of the ticket, in order.
fn sell_on(evidence: &mut Evidence, hands: u32) -> Vec<(usize, usize)> {
    let first = evidence
        .payments
        .iter()
        .position(|payment| payment.status == PaymentStatus::Confirmed)
        .unwrap();
    let paid = evidence.payments[first].clone();
    let charge = evidence
        .charges
        .iter()
        .position(|charge| charge.order_id == paid.order_id)
        .unwrap();
    let mut all = vec![(first, charge)];
    for hand in 0..hands {
        let &(before, given_back) = all.last().unwrap();
        evidence.payments[before].status = PaymentStatus::Refunded;
        evidence.charges[given_back].cancelled_amount = evidence.charges[given_back].amount;
        let (buyer, transfer, order_id) = (id(7, hand), Some(id(8, hand)), format!("ORD_resold_{hand}"));
        all.push((evidence.payments.len(), evidence.charges.len()));
        evidence.charges.push(Charge {
            payment_key: format!("key_resold_{hand}"),
            order_id: order_id.clone(),
            amount: 55_000,
            cancelled_amount: 0,
        });
        evidence.payments.push(Payment {
            order_id,
            kind: PaymentKind::Transfer,
            amount: 55_000,
            transfer,
            payer: buyer,
            ..paid.clone()
        });
        let its = |item: &&super::Item| Some(item.reservation) == paid.target;
        let seat = evidence.items.iter().find(its).unwrap().seat;
        for reservation in evidence
            .reservations
            .iter_mut()
            .filter(|r| Some(r.id) == paid.target)
        {
            (reservation.owner, reservation.transfer) = (buyer, transfer);
        }
        for seat in evidence.seats.iter_mut().filter(|s| Some(s.id) == seat) {
            seat.locked_by = Some(buyer);
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_ticket_that_was_sold_on_stands_on_its_last_buyers_charge_and_no_other(
        shape in shape(), hands in 0..4_u32, kept in 0..4_usize,
    ) {
        // R-TRF-02. One charge is kept either way; what counts is whose.
        let mut evidence = clean(shape);
        let ticket = sell_on(&mut evidence, hands);
        let kept = kept.min(ticket.len() - 1);
        for (number, (payment, charge)) in ticket.iter().enumerate() {
            let charge = &mut evidence.charges[*charge];
            (evidence.payments[*payment].status, charge.cancelled_amount) = if number == kept {
                (PaymentStatus::Confirmed, 0)
            } else {
                (PaymentStatus::Refunded, charge.amount)
            };
        }
        let broken: Vec<_> = audit(&evidence).broken().collect();
        let right = kept + 1 == ticket.len();
        prop_assert_eq!(broken, if right { vec![] } else { vec![Law::PaidMeansTicket] });
    }
}

#[test]
fn a_ticket_that_was_sold_on_is_paid_once_and_in_full() {
    // R-TRF-02.
    let mut evidence = clean(SHAPE);
    let (first, charge) = sell_on(&mut evidence, 1)[0];
    assert_eq!(audit(&evidence).broken().count(), 0);
    // The seller has kept his charge too; the buyer paid for nothing; or less than the ticket cost.
    let wrongs: [&dyn Fn(&mut Evidence); 3] = [
        &|wrong| {
            wrong.payments[first].status = PaymentStatus::Confirmed;
            wrong.charges[charge].cancelled_amount = 0;
        },
        &|wrong| wrong.payments.last_mut().unwrap().target = None,
        &|wrong| {
            wrong.payments.last_mut().unwrap().amount = 1;
            wrong.charges.last_mut().unwrap().amount = 1;
        },
    ];
    for wrong in wrongs {
        let mut evidence = evidence.clone();
        wrong(&mut evidence);
        let broken: Vec<_> = audit(&evidence).broken().collect();
        assert_eq!(broken, [Law::PaidMeansTicket]);
    }
}

#[test]
fn without_evidence_nothing_is_proven_and_the_drill_fails() {
    let mut evidence = clean(SHAPE);
    evidence.seats.clear();
    evidence.reservations.clear();
    evidence.items.clear();
    evidence.log.clear();
    evidence.places.clear();
    evidence.charges.clear();
    evidence.observed = Observations::default();
    let report = audit(&evidence);
    for finding in &report.findings {
        assert_eq!(finding.verdict, Verdict::Unproven, "{finding:?}");
        assert!(!finding.detail.is_empty());
    }
    assert!(!report.passes());
    let unexcused: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| !finding.passes())
        .map(|f| f.law)
        .collect();
    // Nothing was reserved, so nothing could be charged or held under a token.
    let excused = [Law::PaidMeansTicket, Law::Fenced];
    assert_eq!(
        unexcused,
        Law::ALL
            .into_iter()
            .filter(|law| !excused.contains(law))
            .collect::<Vec<_>>()
    );
}

#[test]
fn an_opening_held_by_an_operator_is_excused_from_being_on_time() {
    let mut evidence = clean(SHAPE);
    evidence.observed.held_at_opening = true;
    nth_entry(&mut evidence, LogKind::Open, 0).at = OPENS_AT.plus_s(60);
    let report = audit(&evidence);
    let finding = report.finding(Law::OnTime).unwrap();
    assert_eq!((finding.verdict, finding.excused), (Verdict::Unproven, true));
}

#[test]
fn answers_of_several_replicas_may_differ_by_the_age_of_their_copies() {
    let mut evidence = clean(SHAPE);
    // 900 ms old copies, now and then.
    for number in (30..190).step_by(7) {
        evidence.observed.serving[number].serving = evidence.observed.serving[number - 9].serving;
    }
    assert_eq!(
        audit(&evidence).broken().collect::<Vec<_>>(),
        [Law::MonotoneServing]
    );
    polls(&mut evidence).replicas = 3;
    assert_eq!(audit(&evidence).broken().count(), 0);
    for number in (30..190).step_by(7) {
        evidence.observed.serving[number].serving = evidence.observed.serving[number - 25].serving;
    }
    assert_eq!(
        audit(&evidence).broken().collect::<Vec<_>>(),
        [Law::MonotoneServing]
    );
}

#[test]
fn evidence_can_be_kept_and_judged_again() {
    let evidence = clean(SHAPE);
    let json = serde_json::to_string(&evidence).unwrap();
    let again: Evidence = serde_json::from_str(&json).unwrap();
    assert_eq!(again, evidence);
    assert_eq!(audit(&again), audit(&evidence));
}
