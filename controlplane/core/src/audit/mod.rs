//! The audit: whether the laws held in a sale that has happened, judged from what is left of it.
//!
//! [`Evidence`] is plain rows, read from the stores themselves and from what clients saw; nothing
//! in it is a service's opinion of itself. One file per group of laws holds their rules. A law is
//! `Held`, `Broken` (with examples that name the seat, user or position) or `Unproven`: no evidence
//! is no acquittal. A rule that is softened here lets a broken opening pass its drill.

mod admission;
mod check;
mod doors;
mod drawn;
mod evidence;
mod line;
mod money;
mod report;
mod seats;
mod serving;
#[cfg(test)]
mod tests;

pub use evidence::{
    Attempt, AttemptKind, Charge, Evidence, Item, JoinSeen, Observations, Payment, PaymentKind,
    PaymentStatus, PlaceRow, PlaceTold, PollCost, ReadySeen, Reservation, ReservationStatus, Seat,
    SeatStatus, SeatsSeen, ServingSeen,
};
pub use report::{AuditReport, EXAMPLES_MAX, Finding, Verdict};

use crate::law::Law;

/// Judges every law, in the order of [`Law::ALL`].
#[must_use]
pub fn audit(evidence: &Evidence) -> AuditReport {
    let findings = Law::ALL.into_iter().map(|law| judge(law, evidence)).collect();
    AuditReport {
        sale: evidence.sale.id,
        taken_at: evidence.taken_at,
        findings,
    }
}

fn judge(law: Law, evidence: &Evidence) -> Finding {
    match law {
        Law::NoOversell => seats::no_oversell(evidence),
        Law::HardCap => admission::hard_cap(evidence),
        Law::FairOrder => line::fair_order(evidence),
        Law::OnePlace => line::one_place(evidence),
        Law::FreePoll => serving::free_poll(evidence),
        Law::MonotoneServing => serving::monotone_serving(evidence),
        Law::CapacityFirst => admission::capacity_first(evidence),
        Law::OnTime => admission::on_time(evidence),
        Law::NoBackDoor => doors::no_back_door(evidence),
        Law::PaidMeansTicket => money::paid_means_ticket(evidence),
        Law::Fenced => seats::fenced(evidence),
    }
}
