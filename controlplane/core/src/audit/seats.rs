//! no-oversell and fenced: what booking's tables and the snapshots must add up to.

use super::{Evidence, Finding, Item, Reservation, ReservationStatus, Seat, SeatStatus, check::Check};
use crate::law::Law;
use std::collections::HashMap;
use uuid::Uuid;

/// A seat's items with their reservations, oldest first.
type History<'a> = HashMap<Uuid, Vec<(&'a Item, &'a Reservation)>>;

fn history(evidence: &Evidence) -> History<'_> {
    let reservations: HashMap<Uuid, &Reservation> = evidence
        .reservations
        .iter()
        .map(|reservation| (reservation.id, reservation))
        .collect();
    let mut history = History::with_capacity(evidence.seats.len());
    for item in &evidence.items {
        if let (Some(seat), Some(reservation)) = (item.seat, reservations.get(&item.reservation)) {
            history.entry(seat).or_default().push((item, reservation));
        }
    }
    for items in history.values_mut() {
        items.sort_by_key(|(item, reservation)| (reservation.created_at, item.fencing_token));
    }
    history
}

fn with_status<'a>(
    history: &'a History<'_>,
    seat: &Seat,
    status: ReservationStatus,
) -> impl Iterator<Item = &'a (&'a Item, &'a Reservation)> {
    history
        .get(&seat.id)
        .into_iter()
        .flatten()
        .filter(move |(_, reservation)| reservation.status == status)
}

/// Every seat has at most one confirmed owner, and exactly one if it is sold; a held seat has a
/// living reservation; both are the user's whom the seat names; seats neither vanish nor multiply; every total seen on
/// the way adds up.
pub(super) fn no_oversell(evidence: &Evidence) -> Finding {
    let mut check = Check::of(Law::NoOversell);
    if evidence.seats.is_empty() {
        return check.lacks("booking has no seats of this sale", false);
    }
    let history = history(evidence);
    let mut sold = 0_u64;
    for seat in &evidence.seats {
        let owners: Vec<_> = with_status(&history, seat, ReservationStatus::Confirmed).collect();
        sold += u64::from(seat.status == SeatStatus::Reserved);
        check.that(owners.len() <= 1, || {
            let ids: Vec<_> = owners
                .iter()
                .map(|(_, reservation)| reservation.id.to_string())
                .collect();
            format!(
                "seat {} is sold {} times: reservations {}",
                seat.label,
                owners.len(),
                ids.join(", ")
            )
        });
        let agrees = match seat.status {
            SeatStatus::Reserved => owners
                .iter()
                .any(|(_, owned)| seat.locked_by == Some(owned.owner)),
            SeatStatus::Locked => {
                let mut holds = with_status(&history, seat, ReservationStatus::Pending);
                let held = |(item, pending): &(&Item, &Reservation)| {
                    item.fencing_token == Some(seat.fencing_token) && seat.locked_by == Some(pending.owner)
                };
                owners.is_empty() && holds.any(held)
            }
            SeatStatus::Available => owners.is_empty(),
        };
        check.that(agrees, || {
            let ids: Vec<_> = owners.iter().map(|(_, owned)| owned.owner.to_string()).collect();
            format!(
                "seat {} is {:?} by {:?} but has {} confirmed reservations, of users {}",
                seat.label,
                seat.status,
                seat.locked_by,
                owners.len(),
                ids.join(", ")
            )
        });
    }
    let (seats, meant) = (evidence.seats.len(), evidence.sale.seats);
    check.that(u64::try_from(seats) == Ok(u64::from(meant)), || {
        format!("the sale has {meant} seats, booking's table {seats}")
    });
    for seen in &evidence.observed.seats {
        check.that(seen.free + seen.held + seen.sold == seen.capacity, || {
            format!(
                "at {} free {} + held {} + sold {} was not capacity {}",
                seen.at.0, seen.free, seen.held, seen.sold, seen.capacity
            )
        });
    }
    let snapshots = evidence.observed.seats.len();
    check.conclude(format!(
        "{seats} seats, {sold} sold, and {snapshots} snapshots of their totals"
    ))
}

/// Nobody wrote under a token that was no longer the seat's, tokens only rise, and
/// neither do the waiting room's revisions go back.
pub(super) fn fenced(evidence: &Evidence) -> Finding {
    let mut check = Check::of(Law::Fenced);
    let history = history(evidence);
    for seat in &evidence.seats {
        judge_tokens(&mut check, seat, history.get(&seat.id).map_or(&[], Vec::as_slice));
    }
    let tokens = check.checked();
    let mut revisions: Vec<_> = evidence
        .observed
        .serving
        .iter()
        .filter_map(|seen| Some((seen.sent_at, seen.answered_at, seen.epoch?, seen.revision?)))
        .collect();
    revisions.sort_unstable_by_key(|(sent_at, ..)| *sent_at);
    let newest = evidence.room.as_ref().map(|room| (room.epoch, room.revision));
    for (_, answered_at, epoch, revision) in &revisions {
        check.that(newest.is_none_or(|newest| (*epoch, *revision) <= newest), || {
            format!(
                "at {} the room was at epoch {epoch} revision {revision}, now it is at {newest:?}",
                answered_at.0
            )
        });
    }
    if tokens == 0 {
        return check.lacks(
            "no seat was ever held under a fencing token",
            evidence.reservations.is_empty(),
        );
    }
    check.conclude(format!(
        "{tokens} fencing tokens of held and sold seats, {} room revisions",
        revisions.len()
    ))
}

fn judge_tokens(check: &mut Check, seat: &Seat, items: &[(&Item, &Reservation)]) {
    for (item, reservation) in items {
        let Some(token) = item.fencing_token else {
            check.that(reservation.status != ReservationStatus::Confirmed, || {
                format!(
                    "seat {} was sold to reservation {} without a fencing token",
                    seat.label, reservation.id
                )
            });
            continue;
        };
        let current = match reservation.status {
            ReservationStatus::Confirmed => token == seat.fencing_token,
            // A hold past its end may have lost its seat before the sweep gets to it.
            ReservationStatus::Pending | ReservationStatus::Cancelled | ReservationStatus::Expired => {
                token <= seat.fencing_token
            }
        };
        check.that(current, || {
            format!(
                "seat {} is at token {}, but {:?} reservation {} was written under {token}",
                seat.label, seat.fencing_token, reservation.status, reservation.id
            )
        });
    }
    for pair in items.windows(2) {
        let [(earlier, first), (later, second)] = pair else {
            continue;
        };
        // Who holds a seat and asks again is given the same token (R-BOOK-02).
        let rises = match first.user == second.user {
            true => earlier.fencing_token <= later.fencing_token,
            false => earlier.fencing_token < later.fencing_token,
        };
        check.that(rises, || {
            format!(
                "seat {}: token {:?} of user {} did not rise after {:?} of user {}",
                seat.label, later.fencing_token, second.user, earlier.fencing_token, first.user
            )
        });
    }
}
