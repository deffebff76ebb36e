//! fair-order and one-place: what the waiting room's ledger, the clients and the admission log must
//! agree on.
//!
//! Numbers are given out in the order of arrival, with a draw (then they are tickets) or without
//! (then they are places); what becomes of tickets is judged in `drawn.rs`.

use super::{Evidence, Finding, JoinSeen, check::Check, drawn};
use crate::{admission::LogKind, law::Law, time::Millis, visitor::VisitorKey};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Joins this far apart may be numbered in either order: the longest a replica gathers them.
const COMMIT_WINDOW_MS: i64 = 50;

/// Positions are unique, follow the order of arrival, and are admitted in their order.
pub(super) fn fair_order(evidence: &Evidence) -> Finding {
    let mut check = Check::of(Law::FairOrder);
    unique_and_in_order_of_arrival(&mut check, evidence);
    clients_saw_their_order(&mut check, &evidence.observed.joins);
    let draw = drawn::as_published(&mut check, evidence);
    let places = check.checked();
    admitted_in_order(&mut check, evidence);
    let admissions = check.checked() - places;
    if places == 0 || admissions == 0 {
        let why = if places == 0 {
            "nobody took a place"
        } else {
            "nobody was admitted"
        };
        return check.lacks(why, evidence.taken_at < evidence.sale.schedule.pre_queue_at);
    }
    check.conclude(format!(
        "{} places{draw}, {} joins seen by clients, {admissions} admissions",
        evidence.places.len(),
        evidence.observed.joins.len()
    ))
}

fn unique_and_in_order_of_arrival(check: &mut Check, evidence: &Evidence) {
    let mut places: Vec<_> = evidence.places.iter().collect();
    places.sort_unstable_by_key(|place| (place.epoch, place.position, place.created_at));
    let mut latest: Option<(u32, Millis)> = None;
    for (index, place) in places.iter().enumerate() {
        if let Some(previous) = index.checked_sub(1).map(|before| places[before]) {
            check.that(
                (previous.epoch, previous.position) != (place.epoch, place.position),
                || {
                    format!(
                        "position {} was given to {} and to {}",
                        place.position, previous.key, place.key
                    )
                },
            );
        }
        let latest_before = latest
            .filter(|(epoch, _)| *epoch == place.epoch)
            .map(|(_, at)| at);
        if let Some(before) = latest_before {
            check.that(before.since(place.created_at) <= COMMIT_WINDOW_MS, || {
                format!(
                    "position {} joined {} ms before somebody who stands ahead",
                    place.position,
                    before.since(place.created_at)
                )
            });
        }
        let latest_now = latest_before.map_or(place.created_at, |before| before.max(place.created_at));
        latest = Some((place.epoch, latest_now));
    }
}

/// Who had his answer before another even asked stands ahead of him, by the clients' clock. Only
/// first joins count: a repeat is asked late and told an early place.
fn clients_saw_their_order(check: &mut Check, joins: &[JoinSeen]) {
    let mut first: HashMap<&str, &JoinSeen> = HashMap::with_capacity(joins.len());
    for join in joins {
        let known = first.entry(&join.visitor).or_insert(join);
        if join.sent_at < known.sent_at {
            *known = join;
        }
    }
    let mut by_sent: Vec<_> = first.into_values().collect();
    let mut by_answered = by_sent.clone();
    by_sent.sort_unstable_by_key(|join| (join.sent_at, join.number()));
    by_answered.sort_unstable_by_key(|join| (join.answered_at, join.number()));
    let mut answered = by_answered.into_iter().peekable();
    let mut furthest = 0_u64;
    for join in by_sent {
        while let Some(earlier) =
            answered.next_if(|earlier| join.sent_at.since(earlier.answered_at) > COMMIT_WINDOW_MS)
        {
            furthest = furthest.max(earlier.number());
        }
        check.that(join.number() > furthest, || {
            format!(
                "{} was told number {} after somebody had already been told {furthest}",
                join.visitor,
                join.number()
            )
        });
    }
}

/// Replays tier 2's line: whoever goes in has the smallest position of all who wait. Users without
/// a place stand behind all who have one.
fn admitted_in_order(check: &mut Check, evidence: &Evidence) {
    let mut waiting: BTreeSet<(u64, Uuid)> = BTreeSet::new();
    let mut position_of: HashMap<Uuid, u64> = HashMap::new();
    for entry in &evidence.log {
        let Some(user) = entry.user else { continue };
        match entry.kind {
            LogKind::Open | LogKind::Limits | LogKind::Revive | LogKind::Resume => {}
            LogKind::Enqueue => {
                let position = entry.position.unwrap_or(u64::MAX);
                if let Some(before) = position_of.insert(user, position) {
                    waiting.remove(&(before, user));
                }
                waiting.insert((position, user));
            }
            LogKind::Leave => {
                if let Some(position) = position_of.remove(&user) {
                    waiting.remove(&(position, user));
                }
            }
            LogKind::Admit => {
                let queued = position_of.remove(&user);
                if let Some(position) = queued {
                    waiting.remove(&(position, user));
                }
                let position = queued.or(entry.position).unwrap_or(u64::MAX);
                let ahead = waiting
                    .first()
                    .filter(|(first, _)| *first < position || queued.is_none() && *first == position);
                check.that(ahead.is_none(), || {
                    let (first, who) = ahead.copied().unwrap_or_default();
                    format!("user {user} at position {position} went in while user {who} at {first} waited")
                });
            }
        }
    }
}

/// A visitor has one place, whatever is repeated, and it is still there.
pub(super) fn one_place(evidence: &Evidence) -> Finding {
    let mut check = Check::of(Law::OnePlace);
    let joins = &evidence.observed.joins;
    if joins.is_empty() {
        let excused = evidence.taken_at < evidence.sale.schedule.pre_queue_at;
        return check.lacks("no client joined", excused);
    }
    // A sorted list: a map of a million lists would be most of the auditor's memory.
    let mut rows: Vec<(VisitorKey, u32, u64)> = evidence
        .places
        .iter()
        .map(|place| (place.key, place.epoch, place.position))
        .collect();
    rows.sort_unstable();
    for pair in rows.windows(2) {
        let same = (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1);
        check.that(!same, || {
            let (key, epoch, first) = pair[0];
            format!(
                "{key} has places {first} and {} of epoch {epoch} at once",
                pair[1].2
            )
        });
    }
    let sale = evidence.sale.id;
    let mut told: HashMap<&str, &JoinSeen> = HashMap::with_capacity(joins.len());
    let mut repeats = 0_u64;
    for join in joins {
        let first = *told.entry(&join.visitor).or_insert(join);
        repeats += u64::from(!std::ptr::eq(first, join));
        check.that(
            (first.position, first.request_id) == (join.position, join.request_id),
            || {
                format!(
                    "{} was told position {} and then {}",
                    join.visitor, first.position, join.position
                )
            },
        );
    }
    for (visitor, join) in &told {
        let (key, number) = (VisitorKey::of(sale, visitor), join.number());
        let from = rows.partition_point(|(other, ..)| *other < key);
        let kept = rows[from..]
            .iter()
            .take_while(|(other, ..)| *other == key)
            .any(|(_, _, position)| *position == number);
        check.that(kept, || {
            format!("{visitor}'s number {number} is not in the waiting room's ledger")
        });
    }
    check.conclude(format!(
        "{} visitors, {repeats} of their joins repeated",
        told.len()
    ))
}
