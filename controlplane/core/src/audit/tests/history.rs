//! The clean history that the audit's tests start from.

use crate::{
    admission::{Bucket, Limits, LogEntry, LogKind, admit},
    audit::{
        Attempt, AttemptKind, Charge, Evidence, Item, JoinSeen, Observations, Payment, PaymentKind,
        PaymentStatus, PlaceRow, PollCost, ReadySeen, Reservation, ReservationStatus, Seat, SeatStatus,
        SeatsSeen, ServingSeen,
    },
    room::Room,
    testing::{OPENS_AT, sale},
    time::Millis,
    visitor::VisitorKey,
};
use proptest::prelude::Strategy;
use std::collections::VecDeque;
use uuid::Uuid;

/// What a generated sale depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) visitors: u32,
    pub(super) rate_per_s: u32,
    pub(super) burst: u32,
    pub(super) cap: u32,
}

pub(super) fn shape() -> impl Strategy<Value = Shape> {
    (60..150_u32, 5..20_u32, 1..30_u32, 5..60_u32).prop_map(|(visitors, rate_per_s, burst, cap)| Shape {
        visitors,
        rate_per_s,
        burst,
        cap,
    })
}

pub(super) const SEATS: u32 = 24;

pub(super) fn id(kind: u128, number: u32) -> Uuid {
    Uuid::from_u128(kind << 64 | u128::from(number))
}

fn user(number: u32) -> Uuid {
    id(1, number)
}

/// A whole sale that kept every law: everybody joins in the pre-queue, goes through both tiers in
/// order and stays a few seconds; the first buy, every fourth seat after somebody let it expire.
pub(super) fn clean(shape: Shape) -> Evidence {
    let mut sale = sale();
    sale.seats = SEATS;
    sale.admission.rate_per_s = shape.rate_per_s;
    sale.admission.burst = shape.burst;
    sale.admission.cap = shape.cap;
    let mut room = Room::new(&sale, 1);
    room.issued = u64::from(shape.visitors);
    let mut evidence = Evidence {
        taken_at: OPENS_AT.plus_s(3000),
        seats: Vec::new(),
        reservations: Vec::new(),
        items: Vec::new(),
        log: log(shape, &sale),
        active: Vec::new(),
        places: Vec::new(),
        room: Some(room.clone()),
        payments: Vec::new(),
        charges: Vec::new(),
        observed: Observations::default(),
        sale,
    };
    line(&mut evidence, shape, &room);
    sales(&mut evidence);
    evidence.observed.ready = vec![
        ReadySeen {
            at: OPENS_AT.plus_s(-1900),
            replicas: 1,
        },
        ReadySeen {
            at: OPENS_AT.plus_s(-1800),
            replicas: 4,
        },
    ];
    evidence.observed.polls = Some(PollCost {
        polls: 50_000,
        store_reads: 300,
        replicas: 1,
        duration_ms: 120_000,
    });
    evidence.observed.attempts = vec![
        Attempt {
            kind: AttemptKind::NoEntryToken,
            status: 403,
            got_in: false,
        },
        Attempt {
            kind: AttemptKind::MadeUpPosition,
            status: 200,
            got_in: false,
        },
    ];
    evidence
}

fn log(shape: Shape, sale: &crate::sale::Sale) -> Vec<LogEntry> {
    const STAY_MS: i64 = 2_500;
    let limits = Limits {
        rate_per_s: shape.rate_per_s,
        burst: shape.burst,
        cap: shape.cap,
    };
    let entry = |kind, at, number: Option<u32>, active: usize| LogEntry {
        kind,
        at,
        user: number.map(user),
        position: number.map(|number| u64::from(number) + 1),
        active_after: active as u64,
        cap: shape.cap,
        rate_per_s: shape.rate_per_s,
        reason: None,
    };
    let mut log = vec![entry(LogKind::Open, sale.schedule.opens_at.plus_ms(20), None, 0)];
    let mut bucket = Bucket::at_opening(OPENS_AT, limits);
    let mut waiting: VecDeque<u32> = (0..shape.visitors).collect();
    let mut inside: VecDeque<(Millis, u32)> = VecDeque::new();
    let mut now = OPENS_AT.plus_ms(20);
    for number in 0..shape.visitors {
        log.push(entry(LogKind::Enqueue, now, Some(number), 0));
    }
    while !waiting.is_empty() || !inside.is_empty() {
        now = now.plus_ms(100);
        while inside
            .front()
            .is_some_and(|(since, _)| now.since(*since) >= STAY_MS)
        {
            let (_, number) = inside.pop_front().unwrap();
            log.push(entry(LogKind::Leave, now, Some(number), inside.len()));
        }
        let (admitted, after) = admit(bucket, limits, now, waiting.len() as u64, inside.len() as u64);
        bucket = after;
        for _ in 0..admitted {
            let number = waiting.pop_front().unwrap();
            inside.push_back((now, number));
            log.push(entry(LogKind::Admit, now, Some(number), inside.len()));
        }
    }
    log
}

fn line(evidence: &mut Evidence, shape: Shape, room: &Room) {
    for number in 0..shape.visitors {
        // The last of each window are numbered against their order of arrival, as they may be.
        let created_at = OPENS_AT.plus_ms(i64::from(number / 3) * 120 - i64::from(number % 3) * 20 - 60_000);
        let visitor = format!("anon-{number}");
        let position = u64::from(number) + 1;
        evidence.places.push(PlaceRow {
            key: VisitorKey::of(evidence.sale.id, &visitor),
            epoch: 1,
            position,
            created_at,
        });
        let joins = if number % 5 == 0 { 2 } else { 1 };
        for repeat in 0..joins {
            evidence.observed.joins.push(JoinSeen {
                visitor: visitor.clone(),
                sent_at: created_at.plus_ms(-3 + repeat * 30_000),
                answered_at: created_at.plus_ms(25 + repeat * 30_000),
                position,
                request_id: Some(id(2, number)),
            });
        }
    }
    for step in 0..200 {
        let at = OPENS_AT.plus_ms(step * 100 - 1_000);
        evidence.observed.serving.push(ServingSeen {
            sent_at: at.plus_ms(-step % 7),
            answered_at: at.plus_ms(step % 11),
            serving: room.serving(at),
            issued: room.issued,
            epoch: Some(1),
            revision: Some(1),
        });
    }
}

fn sales(evidence: &mut Evidence) {
    let admitted: Vec<_> = evidence
        .log
        .iter()
        .filter(|entry| entry.kind == LogKind::Admit)
        .map(|entry| (entry.user.unwrap(), entry.at))
        .collect();
    let mut buyers = admitted.into_iter();
    for number in 0..SEATS {
        let seat = id(3, number);
        let (mut token, mut status, mut owner) = (0, SeatStatus::Available, None);
        if number % 4 == 0 {
            let (user, at) = buyers.next().unwrap();
            token += 1;
            // Paid too late, given back in full.
            buy(
                evidence,
                (number, user, at),
                ReservationStatus::Expired,
                token,
                Some((PaymentStatus::Refunded, 50_000)),
            );
        }
        if number % 6 != 5 {
            let (user, at) = buyers.next().unwrap();
            token += 1;
            let sold = number % 8 != 7;
            status = if sold {
                SeatStatus::Reserved
            } else {
                SeatStatus::Locked
            };
            owner = Some(user);
            match sold {
                true => buy(
                    evidence,
                    (number, user, at),
                    ReservationStatus::Confirmed,
                    token,
                    Some((PaymentStatus::Confirmed, 0)),
                ),
                false => buy(
                    evidence,
                    (number, user, at),
                    ReservationStatus::Pending,
                    token,
                    None,
                ),
            }
        }
        let label = format!("A-1-{number}");
        evidence.seats.push(Seat {
            id: seat,
            label,
            status,
            fencing_token: token,
            locked_by: owner,
        });
    }
    let count = |status| evidence.seats.iter().filter(|seat| seat.status == status).count() as u64;
    evidence.observed.seats = vec![SeatsSeen {
        at: evidence.taken_at,
        capacity: u64::from(SEATS),
        free: count(SeatStatus::Available),
        held: count(SeatStatus::Locked),
        sold: count(SeatStatus::Reserved),
    }];
}

fn buy(
    evidence: &mut Evidence,
    (number, user, admitted_at): (u32, Uuid, Millis),
    status: ReservationStatus,
    token: i64,
    paid: Option<(PaymentStatus, i64)>,
) {
    let reservation = id(4, number * 10 + u32::try_from(token).unwrap());
    evidence.reservations.push(Reservation {
        id: reservation,
        user,
        owner: user,
        transfer: None,
        status,
        total_amount: 50_000,
        created_at: admitted_at.plus_ms(1_000 + token),
    });
    evidence.items.push(Item {
        reservation,
        seat: Some(id(3, number)),
        fencing_token: Some(token),
    });
    if let Some((status, cancelled_amount)) = paid {
        let order_id = format!("ORD_{reservation}");
        evidence.payments.push(Payment {
            order_id: order_id.clone(),
            kind: PaymentKind::Reservation,
            target: Some(reservation),
            transfer: None,
            payer: user,
            amount: 50_000,
            status,
        });
        evidence.charges.push(Charge {
            payment_key: format!("key_{reservation}"),
            order_id,
            amount: 50_000,
            cancelled_amount,
        });
    }
}
