//! The same clean history with a draw, and what can be wrong with one.

use super::{
    SHAPE,
    history::{clean, id},
};
use crate::{
    audit::{Evidence, PlaceTold, audit},
    draw::{Draw, Seed},
    law::Law,
    sale::Ordering,
    testing::OPENS_AT,
    token::{
        Keyring,
        place::{self, Place},
    },
    visitor::VisitorKey,
};

/// Every visitor of the clean history came before the opening; 20 more came after it.
const EARLY: u64 = 100;
const LATE: u64 = 20;

fn drawn() -> Evidence {
    let mut evidence = clean(SHAPE);
    let keys = Keyring::new(&["0123456789abcdef0123456789abcdef"]).unwrap();
    let sale = evidence.sale.id;
    let seed = Seed::derive(&keys, sale, 1)[0];
    evidence.sale.ordering = Ordering::Shuffle;
    let room = evidence.room.as_mut().unwrap();
    room.ordering = Ordering::Shuffle;
    room.issued = EARLY;
    room.draw.commitment = Some(seed.commitment());
    *room = room.draw_closed(seed, OPENS_AT);
    room.issued = EARLY + LATE;
    for late in 1..=LATE {
        let number = EARLY + late;
        evidence.places.push(crate::audit::PlaceRow {
            key: VisitorKey::of(sale, &format!("late-{late}")),
            epoch: 1,
            position: number,
            created_at: OPENS_AT.plus_s(i64::try_from(late).unwrap()),
        });
    }
    let draw = Draw::new(&seed, EARLY);
    evidence.observed.places = (1..=EARLY + LATE)
        .map(|number| PlaceTold {
            request_id: place::issue(
                &keys,
                &Place {
                    sale,
                    epoch: 1,
                    position: number,
                },
                "v",
            ),
            position: draw.place(number),
        })
        .collect();
    // What joins told in the pre-queue was no place.
    evidence.observed.joins.truncate(1);
    evidence.observed.joins[0].request_id = Some(evidence.observed.places[0].request_id);
    evidence.observed.joins[0].position = draw.place(1);
    evidence
}

#[test]
fn a_fair_draw_passes_and_says_what_was_checked() {
    let report = audit(&drawn());
    assert_eq!(report.broken().count(), 0, "{:?}", report.findings);
    let finding = report.finding(Law::FairOrder).unwrap();
    assert!(
        finding.detail.contains("draw of 100 tickets"),
        "{}",
        finding.detail
    );
}

#[test]
fn each_wrong_draw_is_found_and_said() {
    type Wrong = (&'static str, fn(&mut Evidence));
    let wrongs: [Wrong; 8] = [
        ("not the one whose SHA-256", |e| {
            e.room.as_mut().unwrap().draw.seed = Some(Seed::from_bytes([7; 32]));
        }),
        ("was drawn to place", |e| {
            let (a, b) = (e.observed.places[3].position, e.observed.places[4].position);
            e.observed.places[3].position = b;
            e.observed.places[4].position = a;
        }),
        ("instead of in order of arrival", |e| {
            e.observed.places[110].position = 1;
        }),
        // Somebody was left out, so everybody else got other places.
        ("was drawn to place", |e| {
            e.room.as_mut().unwrap().draw.drawn = Some(99);
        }),
        ("is in the draw, but came", |e| {
            e.places[99].created_at = OPENS_AT.plus_ms(1100);
        }),
        ("is not in the draw, but came", |e| {
            for late in &mut e.places[100..] {
                late.created_at = OPENS_AT.plus_s(-5);
            }
        }),
        ("never closed", |e| {
            let draw = &mut e.room.as_mut().unwrap().draw;
            (draw.drawn, draw.seed) = (None, None);
        }),
        ("has none", |e| e.room.as_mut().unwrap().ordering = Ordering::Fifo),
    ];
    for (says, wrong) in wrongs {
        let mut evidence = drawn();
        wrong(&mut evidence);
        let report = audit(&evidence);
        assert!(report.broken().any(|law| law == Law::FairOrder), "{says}");
        let examples = &report.finding(Law::FairOrder).unwrap().examples;
        assert!(
            examples.iter().any(|example| example.contains(says)),
            "{says}: {examples:?}"
        );
    }
    // Ids that carry no number prove nothing and break nothing.
    let mut evidence = drawn();
    evidence.observed.places[0].request_id = id(2, 1);
    assert_eq!(audit(&evidence).broken().count(), 0);
}
