//! `verify`: a true record passes, and every way of tampering with one is named.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use urr_core::testing::{OPENS_AT, sale};
use urr_core::{
    admission::{LogEntry, LogKind},
    draw::{self, Draw, DrawRecord, Seed},
    sale::Ordering,
    verify::{Numbered, Record, Violation, verify},
};
use uuid::Uuid;

const PEOPLE: u64 = 60;
const DRAWN: u64 = 40;

fn user(place: u64) -> Uuid {
    Uuid::from_u128(u128::from(place))
}

/// A sale of 60 people, the first 40 by lot; all of them go in, three at a time.
fn record(ordering: Ordering) -> Record {
    let seed = Seed::from_bytes([7; 32]);
    let draw = Draw::new(&seed, DRAWN);
    let shuffled = ordering == Ordering::Shuffle;
    let numbered = (1..=PEOPLE).map(|ticket| Numbered {
        visitor: format!("anon-{ticket}"),
        epoch: 1,
        ticket,
        place: if shuffled { draw.place(ticket) } else { ticket },
        joined_at: OPENS_AT.plus_ms(i64::try_from(ticket).unwrap() * 100 - 4000),
        request_id: None,
    });
    let mut log = Vec::new();
    let mut inside = 0;
    let mut at = OPENS_AT;
    let mut write = |kind, place: Option<u64>, inside: u64| {
        at = at.plus_ms(1);
        log.push(LogEntry {
            kind,
            at,
            user: place.map(user),
            position: place,
            active_after: inside,
            cap: 50,
            rate_per_s: 10,
            reason: None,
        });
    };
    write(LogKind::Open, None, 0);
    for first in (1..=PEOPLE).step_by(3) {
        // They step up in no order and go in by place.
        for place in [first + 1, first, first + 2] {
            write(LogKind::Enqueue, Some(place), inside);
        }
        for place in first..first + 3 {
            inside += 1;
            write(LogKind::Admit, Some(place), inside);
        }
        for place in first..first + 3 {
            inside -= 1;
            write(LogKind::Leave, Some(place), inside);
        }
    }
    Record {
        sale: urr_core::sale::Sale { ordering, ..sale() },
        epoch: 1,
        issued: PEOPLE,
        draw: if shuffled {
            DrawRecord {
                commitment: Some(seed.commitment()),
                drawn: Some(DRAWN),
                seed: Some(seed),
            }
        } else {
            DrawRecord::default()
        },
        numbered: numbered.collect(),
        log,
    }
}

fn found(ordering: Ordering, tamper: impl FnOnce(&mut Record)) -> Violation {
    let mut record = record(ordering);
    verify(&record).expect("untouched it is proven");
    tamper(&mut record);
    verify(&record).expect_err("tampered with it is not")
}

fn line_of(record: &Record, kind: LogKind, place: u64) -> usize {
    record
        .log
        .iter()
        .position(|entry| entry.kind == kind && entry.position == Some(place))
        .unwrap()
}

#[test]
fn a_true_record_is_proven_and_the_proof_says_what_was_checked() {
    let proof = verify(&record(Ordering::Shuffle)).unwrap();
    assert_eq!((proof.numbered, proof.drawn, proof.admissions), (60, 40, 60));
    let proof = verify(&record(Ordering::Fifo)).unwrap();
    assert_eq!((proof.numbered, proof.drawn, proof.admissions), (60, 0, 60));
}

#[test]
fn one_swapped_pair_of_places_is_named() {
    let swap = |record: &mut Record| {
        let (a, b) = (record.numbered[4].place, record.numbered[9].place);
        record.numbered[4].place = b;
        record.numbered[9].place = a;
    };
    assert!(matches!(
        found(Ordering::Shuffle, swap),
        Violation::Draw(draw::Violation::WrongPlace { ticket: 5, .. })
    ));
    assert!(matches!(
        found(Ordering::Fifo, swap),
        Violation::Displaced { ticket: 5, .. }
    ));
}

#[test]
fn one_swapped_pair_of_admissions_is_named() {
    let violation = found(Ordering::Shuffle, |record| {
        let (a, b) = (
            line_of(record, LogKind::Admit, 10),
            line_of(record, LogKind::Admit, 11),
        );
        let (ua, ub) = (record.log[a].user, record.log[b].user);
        (record.log[a].user, record.log[a].position) = (ub, Some(11));
        (record.log[b].user, record.log[b].position) = (ua, Some(10));
    });
    assert!(
        matches!(
            violation,
            Violation::WentAhead {
                place: 11,
                ahead: 10,
                ..
            }
        ),
        "{violation}"
    );
    let violation = found(Ordering::Shuffle, |record| {
        let a = line_of(record, LogKind::Enqueue, 11);
        record.log.swap(a, a + 1);
    });
    assert!(matches!(violation, Violation::Backwards { .. }), "{violation}");
}

#[test]
fn one_skipped_visitor_is_named() {
    // Never numbered.
    let violation = found(Ordering::Shuffle, |record| {
        record.numbered.remove(16);
    });
    assert_eq!(
        violation,
        Violation::Missing {
            ticket: 17,
            issued: 60
        }
    );
    let violation = found(Ordering::Fifo, |record| {
        record.numbered.pop();
    });
    assert_eq!(
        violation,
        Violation::Missing {
            ticket: 60,
            issued: 60
        }
    );
    // In line, and never let in.
    let violation = found(Ordering::Shuffle, |record| {
        let admitted = line_of(record, LogKind::Admit, 17);
        record.log.remove(admitted);
    });
    assert!(
        matches!(
            violation,
            Violation::WentAhead {
                place: 18,
                ahead: 17,
                ..
            }
        ),
        "{violation}"
    );
    // Wiped out of the log altogether.
    let violation = found(Ordering::Shuffle, |record| {
        record.log.retain(|entry| entry.position != Some(17));
    });
    assert!(matches!(violation, Violation::Miscounted { .. }), "{violation}");
}

#[test]
fn one_changed_seed_is_named() {
    let violation = found(Ordering::Shuffle, |record| {
        record.draw.seed = Some(Seed::from_bytes([8; 32]));
    });
    assert_eq!(violation, Violation::Draw(draw::Violation::OtherSeed));
    // With the commitment to match it is the places that betray it.
    let violation = found(Ordering::Shuffle, |record| {
        let seed = Seed::from_bytes([8; 32]);
        record.draw.seed = Some(seed);
        record.draw.commitment = Some(seed.commitment());
    });
    assert!(matches!(
        violation,
        Violation::Draw(draw::Violation::WrongPlace { .. })
    ));
    let violation = found(Ordering::Shuffle, |record| record.draw.seed = None);
    assert!(matches!(violation, Violation::Undrawn { .. }));
}

#[test]
fn every_other_violation_is_named_too() {
    let violation = found(Ordering::Fifo, |record| record.numbered[3].ticket = 5);
    assert!(
        matches!(violation, Violation::Missing { ticket: 4, .. }),
        "{violation}"
    );
    let violation = found(Ordering::Fifo, |record| {
        let twin = Numbered {
            visitor: "twin".into(),
            ..record.numbered[3].clone()
        };
        record.numbered.push(twin);
    });
    assert!(
        matches!(violation, Violation::Twice { ticket: 4, .. }),
        "{violation}"
    );
    let violation = found(Ordering::Fifo, |record| {
        record.numbered[30].joined_at = OPENS_AT.plus_s(-60);
    });
    assert!(
        matches!(violation, Violation::Overtaken { ticket: 31, .. }),
        "{violation}"
    );
    let violation = found(Ordering::Fifo, |record| {
        let late = line_of(record, LogKind::Enqueue, 9);
        record.log[late].position = Some(99);
    });
    assert!(
        matches!(violation, Violation::UnknownPlace { place: 99, .. }),
        "{violation}"
    );
    let violation = found(Ordering::Fifo, |record| {
        let late = line_of(record, LogKind::Enqueue, 9);
        record.log[late].position = Some(2);
    });
    assert!(
        matches!(violation, Violation::PlaceUsedTwice { place: 2, .. }),
        "{violation}"
    );
    let violation = found(Ordering::Fifo, |record| {
        for entry in &mut record.log {
            entry.cap = 2;
        }
    });
    assert!(
        matches!(
            violation,
            Violation::OverCap {
                inside: 3,
                cap: 2,
                ..
            }
        ),
        "{violation}"
    );
    let violation = found(Ordering::Fifo, |record| {
        record.sale.schedule.opens_at = OPENS_AT.plus_s(1);
    });
    assert!(matches!(violation, Violation::TooEarly { .. }), "{violation}");
    let violation = found(Ordering::Fifo, |record| {
        let stepped_up = line_of(record, LogKind::Enqueue, 9);
        record.log.remove(stepped_up);
    });
    assert!(matches!(violation, Violation::OutOfNowhere { .. }), "{violation}");
}
