//! Ways to break a law: each a change of the clean history that nothing but its law forbids.

use super::history::id;
use crate::{
    admission::{LogEntry, LogKind},
    audit::{
        Attempt, AttemptKind, Charge, Evidence, Payment, PaymentKind, PaymentStatus, PlaceRow, PollCost,
        ReadySeen, Reservation, ReservationStatus, Seat, SeatStatus,
    },
    law::Law,
    testing::OPENS_AT,
    visitor::VisitorKey,
};

/// One way in which a sale can break a law.
pub(super) struct Wrong {
    pub(super) what: &'static str,
    pub(super) law: Law,
    pub(super) act: fn(&mut Evidence),
}

pub(super) const WRONGS: &[Wrong] = &[
    Wrong {
        what: "a sold seat is free again",
        law: Law::NoOversell,
        act: |e| seat_with(e, SeatStatus::Reserved).status = SeatStatus::Available,
    },
    Wrong {
        what: "a seat is held by nobody",
        law: Law::NoOversell,
        act: |e| {
            let seat = seat_with(e, SeatStatus::Available);
            seat.status = SeatStatus::Locked;
        },
    },
    Wrong {
        what: "a sold seat names another than its owner",
        law: Law::NoOversell,
        act: |e| seat_with(e, SeatStatus::Reserved).locked_by = Some(id(9, 9)),
    },
    Wrong {
        what: "a seat is held in another's name",
        law: Law::NoOversell,
        act: |e| seat_with(e, SeatStatus::Locked).locked_by = Some(id(9, 9)),
    },
    Wrong {
        what: "a seat is missing",
        law: Law::NoOversell,
        act: |e| drop(e.seats.pop()),
    },
    Wrong {
        what: "a snapshot's totals do not add up",
        law: Law::NoOversell,
        act: |e| e.observed.seats[0].free += 1,
    },
    Wrong {
        what: "somebody is let in above the cap",
        law: Law::HardCap,
        act: |e| {
            let admitted = nth_entry(e, LogKind::Admit, 5);
            admitted.cap = u32::try_from(admitted.active_after).unwrap() - 1;
        },
    },
    Wrong {
        what: "the script counts fewer inside than there are",
        law: Law::HardCap,
        act: |e| nth_entry(e, LogKind::Admit, 5).active_after -= 1,
    },
    Wrong {
        what: "somebody is inside without admission",
        law: Law::HardCap,
        act: |e| e.active.push(id(9, 9)),
    },
    Wrong {
        what: "a position is given twice",
        law: Law::FairOrder,
        act: |e| {
            let twin = PlaceRow {
                key: VisitorKey([9; 16]),
                ..e.places[7]
            };
            e.places.push(twin);
        },
    },
    Wrong {
        what: "a late join stands ahead in the table",
        law: Law::FairOrder,
        act: |e| e.places[0].created_at = e.places[30].created_at,
    },
    Wrong {
        what: "a client who came later was told an earlier place",
        law: Law::FairOrder,
        act: |e| {
            for join in e
                .observed
                .joins
                .iter_mut()
                .filter(|join| join.visitor == "anon-1")
            {
                join.sent_at = join.sent_at.plus_s(30);
                join.answered_at = join.answered_at.plus_s(30);
            }
        },
    },
    Wrong {
        what: "somebody is let in past those ahead",
        law: Law::FairOrder,
        act: |e| {
            // Two who came in one step and bought nothing: only their order is wrong.
            let buyers: Vec<_> = e
                .reservations
                .iter()
                .map(|reservation| reservation.user)
                .collect();
            let idle: Vec<_> = (0..e.log.len())
                .filter(|at| e.log[*at].kind == LogKind::Admit && !buyers.contains(&e.log[*at].user.unwrap()))
                .collect();
            let (first, last) = (idle[0], idle[idle.len() - 1]);
            let (a, b) = (e.log[first].user, e.log[last].user);
            for entry in &mut e.log {
                if entry.kind == LogKind::Enqueue {
                    continue;
                }
                entry.user = if entry.user == a {
                    b
                } else if entry.user == b {
                    a
                } else {
                    entry.user
                };
            }
        },
    },
    Wrong {
        what: "a repeated join gets another place",
        law: Law::OnePlace,
        act: |e| e.observed.joins[1].position += 100_000,
    },
    Wrong {
        what: "a place is lost",
        law: Law::OnePlace,
        act: |e| {
            e.places.remove(10);
        },
    },
    Wrong {
        what: "a visitor has two places",
        law: Law::OnePlace,
        act: |e| {
            let last = *e.places.last().unwrap();
            e.places.push(PlaceRow {
                key: e.places[3].key,
                position: last.position + 1,
                ..last
            });
        },
    },
    Wrong {
        what: "every poll reads the store",
        law: Law::FreePoll,
        act: |e| polls(e).store_reads = polls(e).polls,
    },
    Wrong {
        what: "the counter goes back",
        law: Law::MonotoneServing,
        act: |e| e.observed.serving[150].serving = e.observed.serving[40].serving,
    },
    Wrong {
        what: "the counter passes the last place",
        law: Law::MonotoneServing,
        act: |e| {
            let last = e.observed.serving.last_mut().unwrap();
            last.serving = last.issued + 1;
        },
    },
    Wrong {
        what: "the rate is above what is ready",
        law: Law::CapacityFirst,
        act: |e| {
            e.sale.capacity.rate_per_replica = 1;
        },
    },
    Wrong {
        what: "replicas went before the rate did",
        law: Law::CapacityFirst,
        act: |e| {
            e.observed.ready.push(ReadySeen {
                at: OPENS_AT.plus_ms(1_500),
                replicas: 0,
            });
        },
    },
    Wrong {
        what: "more are let in than rate and burst allow",
        law: Law::CapacityFirst,
        act: |e| {
            let last = e
                .log
                .iter()
                .rposition(|entry| entry.kind == LogKind::Admit)
                .unwrap();
            let now = e.log[last].at;
            for entry in e.log.iter_mut().filter(|entry| entry.kind == LogKind::Admit) {
                entry.at = now;
            }
            // Who reserves was inside; only the pace is wrong.
            e.reservations
                .iter_mut()
                .for_each(|reservation| reservation.created_at = now.plus_s(1));
            let tokens: std::collections::HashMap<_, _> = e
                .items
                .iter()
                .map(|item| (item.reservation, item.fencing_token.unwrap()))
                .collect();
            e.reservations
                .iter_mut()
                .for_each(|r| r.created_at = r.created_at.plus_ms(tokens[&r.id]));
        },
    },
    Wrong {
        what: "the line opens late",
        law: Law::OnTime,
        act: |e| shift_log(e, 231),
    },
    Wrong {
        what: "the line opens early",
        law: Law::OnTime,
        act: |e| shift_log(e, -21),
    },
    Wrong {
        what: "an intruder gets in",
        law: Law::NoBackDoor,
        act: |e| {
            e.observed.attempts.push(Attempt {
                kind: AttemptKind::RefreshAsAccess,
                status: 200,
                got_in: true,
            });
        },
    },
    Wrong {
        what: "a stranger reserves",
        law: Law::NoBackDoor,
        act: |e| {
            let stranger = Reservation {
                id: id(9, 1),
                user: id(9, 2),
                status: ReservationStatus::Cancelled,
                ..e.reservations[0].clone()
            };
            e.reservations.push(stranger);
        },
    },
    Wrong {
        what: "somebody reserves before being let in",
        law: Law::NoBackDoor,
        act: |e| e.reservations[0].created_at = OPENS_AT.plus_s(-10),
    },
    Wrong {
        what: "somebody reserves long after every token ended",
        law: Law::NoBackDoor,
        act: |e| {
            let last = e.reservations.last_mut().unwrap();
            last.created_at = OPENS_AT.plus_s(2_900);
        },
    },
    Wrong {
        what: "a ticket was never charged",
        law: Law::PaidMeansTicket,
        act: |e| drop(kept_charge(e)),
    },
    Wrong {
        what: "a charge ended as nothing",
        law: Law::PaidMeansTicket,
        act: |e| {
            e.charges
                .iter_mut()
                .for_each(|charge| charge.cancelled_amount = 0);
        },
    },
    Wrong {
        what: "a refund is short",
        law: Law::PaidMeansTicket,
        act: |e| {
            e.charges
                .iter_mut()
                .find(|charge| charge.cancelled_amount > 0)
                .unwrap()
                .cancelled_amount -= 1;
        },
    },
    Wrong {
        what: "a ticket was charged twice",
        law: Law::PaidMeansTicket,
        act: |e| {
            let twice = kept_charge(e);
            e.charges.extend([
                twice.clone(),
                Charge {
                    payment_key: "again".into(),
                    ..twice
                },
            ]);
        },
    },
    Wrong {
        what: "a ticket stands on somebody else's charge",
        law: Law::PaidMeansTicket,
        act: |e| {
            let kept = |payment: &&mut Payment| payment.status == PaymentStatus::Confirmed;
            e.payments.iter_mut().find(kept).unwrap().payer = id(9, 9);
        },
    },
    Wrong {
        what: "a membership is charged that payment never confirmed",
        law: Law::PaidMeansTicket,
        act: |e| {
            let order_id = "ORD_member".to_owned();
            e.payments.push(Payment {
                order_id: order_id.clone(),
                kind: PaymentKind::Membership,
                target: Some(id(9, 3)),
                transfer: None,
                payer: id(9, 2),
                amount: 30_000,
                status: PaymentStatus::Pending,
            });
            e.charges.push(Charge {
                payment_key: "key_member".into(),
                order_id,
                amount: 30_000,
                cancelled_amount: 0,
            });
        },
    },
    Wrong {
        what: "a charge of an order nobody knows",
        law: Law::PaidMeansTicket,
        act: |e| {
            let unknown = Charge {
                payment_key: "k".into(),
                order_id: "?".into(),
                amount: 1,
                cancelled_amount: 0,
            };
            e.charges.push(unknown);
        },
    },
    Wrong {
        what: "a seat was sold under a token that was no longer its own",
        law: Law::Fenced,
        act: |e| {
            let stale = seat_with(e, SeatStatus::Reserved);
            stale.fencing_token += 1;
        },
    },
    Wrong {
        what: "two users held a seat under one token",
        law: Law::Fenced,
        act: |e| {
            let (seat, second) = (e.items[0].seat, 1);
            assert_eq!(e.items[second].seat, seat);
            e.items[0].fencing_token = e.items[second].fencing_token;
        },
    },
    Wrong {
        what: "the room's record is older than what a client saw of it",
        law: Law::Fenced,
        act: |e| e.observed.serving[5].revision = Some(7),
    },
];

pub(super) fn seat_with(evidence: &mut Evidence, status: SeatStatus) -> &mut Seat {
    evidence
        .seats
        .iter_mut()
        .find(|seat| seat.status == status)
        .unwrap()
}

pub(super) fn nth_entry(evidence: &mut Evidence, kind: LogKind, n: usize) -> &mut LogEntry {
    evidence
        .log
        .iter_mut()
        .filter(|entry| entry.kind == kind)
        .nth(n)
        .unwrap()
}

/// The clean log opens 20 ms after the announced instant.
fn shift_log(evidence: &mut Evidence, ms: i64) {
    for entry in &mut evidence.log {
        entry.at = entry.at.plus_ms(ms);
    }
}

pub(super) fn polls(evidence: &mut Evidence) -> &mut PollCost {
    evidence.observed.polls.as_mut().unwrap()
}

fn kept_charge(evidence: &mut Evidence) -> Charge {
    let kept = evidence
        .charges
        .iter()
        .position(|charge| charge.cancelled_amount == 0)
        .unwrap();
    evidence.charges.remove(kept)
}
