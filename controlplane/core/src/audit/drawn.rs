//! fair-order in a sale with a draw: the draw was the one that had been committed to, over those
//! who had come before the opening, and everybody got the place that it gives.

use super::{Evidence, check::Check};
use crate::{
    draw::verify,
    room::{COPY_AGE_MS, Room},
    sale::Ordering,
    token::place,
};

/// How far replicas' clocks may be apart, and how late they may hear of the opening: who came within
/// it of `opensAt` may be on either side.
const EITHER_SIDE_MS: i64 = COPY_AGE_MS;

/// Holds the draw against what was published. Returns what to add to the finding.
pub(super) fn as_published(check: &mut Check, evidence: &Evidence) -> String {
    let Some(room) = evidence
        .room
        .as_ref()
        .filter(|_| evidence.sale.ordering == Ordering::Shuffle)
    else {
        return String::new();
    };
    check.that(room.ordering == Ordering::Shuffle, || {
        "the sale promised a draw, but its waiting room has none".to_owned()
    });
    let draw = &room.draw;
    let (Some(commitment), Some(drawn), Some(seed)) = (draw.commitment, draw.drawn, draw.seed) else {
        let is_due = evidence.taken_at.since(room.opens_at) > EITHER_SIDE_MS;
        check.that(!is_due || room.issued == 0, || {
            format!(
                "the sale opened at {}, but its draw was never closed",
                room.opens_at.0
            )
        });
        return ", the draw is still ahead".to_owned();
    };
    let told = evidence.observed.places.iter().filter_map(|told| {
        let (number, _) = place::claimed(told.request_id)?;
        Some((number, told.position))
    });
    let joins = evidence.observed.joins.iter().filter_map(|join| {
        let (number, _) = join.request_id.and_then(place::claimed)?;
        Some((number, join.position))
    });
    match verify(&commitment, &seed, drawn, told.chain(joins)) {
        Ok(places) => {
            check.that(true, String::new);
            who_was_in_it(check, evidence, room, drawn);
            format!(", {places} of them checked against the draw of {drawn} tickets")
        }
        Err(violation) => {
            check.that(false, || violation.to_string());
            String::new()
        }
    }
}

/// Everybody who came before the opening is in the draw, and nobody who came after it.
fn who_was_in_it(check: &mut Check, evidence: &Evidence, room: &Room, drawn: u64) {
    for place in evidence.places.iter().filter(|place| place.epoch == room.epoch) {
        let after_ms = place.created_at.since(room.opens_at);
        let is_in = place.position <= drawn;
        check.that(
            if is_in {
                after_ms <= EITHER_SIDE_MS
            } else {
                after_ms >= -EITHER_SIDE_MS
            },
            || {
                let (was, by) = if is_in {
                    ("in", "after")
                } else {
                    ("not in", "before")
                };
                format!(
                    "ticket {} is {was} the draw, but came {} ms {by} the opening",
                    place.position,
                    after_ms.abs()
                )
            },
        );
    }
}
