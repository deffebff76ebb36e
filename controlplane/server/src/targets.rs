//! From a plan's targets to the records that say so. Pure: what is stored and the time come in,
//! the write (or none) goes out.
//!
//! Nothing is decided here: modes and rates are the plan's, lifetimes and instants the sale's. An
//! equal record is never written again, so an idle control plane writes nothing.

use urr_core::plan::{LimitsTarget, RoomTarget};
use urr_core::room::{Mode, Room, ServingClock, epoch_at};
use urr_core::sale::Sale;
use urr_core::time::Millis;
use urr_kit::state::limits::Limits;

/// What to do with the waiting room's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomStep {
    /// It is as it should be.
    Keep,
    /// Begin a line.
    Create(Room),
    /// Write this in place of the revision that was seen.
    Replace {
        /// Revision of the record that was seen.
        expected_revision: u64,
        /// What to write.
        room: Room,
    },
}

/// What makes `current` meet `target`.
#[must_use]
pub fn room_step(current: Option<&Room>, sale: &Sale, target: Option<RoomTarget>, now: Millis) -> RoomStep {
    let Some(target) = target else {
        return RoomStep::Keep;
    };
    let Some(current) = current else {
        return RoomStep::Create(with_target(Room::new(sale, epoch_at(now)), target, now));
    };
    // A room that was switched off stays off; who comes back begins a new line.
    if current.mode == Mode::Inactive && target.mode != Mode::Inactive {
        return RoomStep::Create(with_target(Room::after(current, sale, now), target, now));
    }
    let room = with_target(with_sale(current.clone(), sale, now), target, now);
    let unchanged = room
        == (Room {
            revision: room.revision,
            ..current.clone()
        });
    if unchanged {
        RoomStep::Keep
    } else {
        RoomStep::Replace {
            expected_revision: current.revision,
            room,
        }
    }
}

fn with_sale(room: Room, sale: &Sale, now: Millis) -> Room {
    let schedule = &sale.schedule;
    let same_schedule = (room.pre_queue_at, room.opens_at, room.closes_at)
        == (schedule.pre_queue_at, schedule.opens_at, schedule.closes_at);
    let room = if same_schedule {
        room
    } else {
        room.with_schedule(schedule, now)
    };
    // Who has a number has it under the terms he took it on.
    let ordering = if room.issued == 0 {
        sale.ordering
    } else {
        room.ordering
    };
    Room {
        ordering,
        poll_budget_per_s: sale.admission.poll_budget_per_s,
        token_ttl_s: sale.admission.token_ttl_s,
        clock: ServingClock {
            burst: sale.admission.burst,
            ..room.clock
        },
        ..room
    }
}

fn with_target(room: Room, target: RoomTarget, now: Millis) -> Room {
    // The rate first: a line that stands takes its new rate without a step, one that begins to
    // stand should stand where the old rate brought it.
    let (stands, will_stand) = (is_standing(room.mode), is_standing(target.mode));
    let set_mode = |room: Room| match target.mode {
        mode if mode == room.mode => room,
        Mode::Active => room.resumed(now),
        Mode::Paused => room.paused(now),
        Mode::Draining => room.draining(now),
        Mode::Inactive => room.deactivated(now),
    };
    let set_rate = |room: Room| {
        if room.clock.rate_per_s == target.rate_per_s {
            room
        } else {
            room.with_rate(target.rate_per_s, now)
        }
    };
    if will_stand && !stands {
        set_rate(set_mode(room))
    } else {
        set_mode(set_rate(room))
    }
}

const fn is_standing(mode: Mode) -> bool {
    matches!(mode, Mode::Paused | Mode::Inactive)
}

/// The limits to write, or `None` when those in force are already what they should be.
#[must_use]
pub fn limits_step(
    current: Option<&Limits>,
    sale: &Sale,
    target: &LimitsTarget,
    sold_out: bool,
    room: Option<&Room>,
) -> Option<Limits> {
    let admission = &sale.admission;
    let wanted = Limits {
        sale: sale.id,
        revision: current.map_or(0, |limits| limits.revision).saturating_add(1),
        epoch: room.map_or_else(|| current.map_or(0, |limits| limits.epoch), |room| room.epoch),
        rate_per_s: target.rate_per_s,
        cap: target.cap,
        burst: admission.burst,
        opens_at: sale.schedule.opens_at,
        closes_at: sale.schedule.closes_at,
        silence_s: admission.silence_s,
        active_ttl_s: admission.active_ttl_s,
        token_ttl_s: admission.token_ttl_s,
        paused: target.paused,
        sold_out,
        // Where there is a line at the door, nobody joins the second one past it.
        require_place: room.is_some(),
        one_line_per_user: admission.one_line_per_user,
    };
    let unchanged = current.is_some_and(|current| {
        Limits {
            revision: current.revision,
            ..wanted.clone()
        } == *current
    });
    (!unchanged).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use urr_core::testing::sale_that_opens;

    /// So early that epochs count from 1.
    const OPENS: Millis = Millis(1_000_000);

    fn sale() -> Sale {
        sale_that_opens(OPENS)
    }

    const fn active(rate_per_s: u32) -> Option<RoomTarget> {
        Some(RoomTarget {
            mode: Mode::Active,
            rate_per_s,
        })
    }

    #[test]
    fn a_sale_without_a_room_gets_one_that_opens_by_itself() {
        let RoomStep::Create(room) = room_step(None, &sale(), active(10), OPENS.plus_s(-900)) else {
            panic!("no room was made");
        };
        assert_eq!((room.epoch, room.opens_at, room.clock.since), (1, OPENS, OPENS));
        assert_eq!((room.clock.rate_per_s, room.mode), (10, Mode::Active));
    }

    #[test]
    fn what_is_as_it_should_be_is_not_written() {
        let room = Room::new(&sale(), 1);
        let now = OPENS.plus_s(5);
        assert_eq!(room_step(Some(&room), &sale(), active(10), now), RoomStep::Keep);
        assert_eq!(room_step(Some(&room), &sale(), None, now), RoomStep::Keep);
        let target = LimitsTarget {
            rate_per_s: 10,
            cap: 5,
            paused: false,
        };
        let limits = limits_step(None, &sale(), &target, false, Some(&room)).unwrap();
        assert_eq!(limits.revision, 1);
        assert_eq!(
            limits_step(Some(&limits), &sale(), &target, false, Some(&room)),
            None
        );
        let next = limits_step(Some(&limits), &sale(), &target, true, Some(&room)).unwrap();
        assert_eq!((next.revision, next.sold_out), (2, true));
    }

    #[test]
    fn a_moved_opening_moves_the_clock() {
        let room = Room::new(&sale(), 1);
        let mut later = sale();
        later.schedule.opens_at = OPENS.plus_s(30);
        let step = room_step(Some(&room), &later, active(10), OPENS.plus_s(-60));
        let RoomStep::Replace {
            expected_revision: 1,
            room,
        } = step
        else {
            panic!("{step:?}")
        };
        assert_eq!(
            (room.opens_at, room.clock.since),
            (OPENS.plus_s(30), OPENS.plus_s(30))
        );
    }

    #[test]
    fn a_room_that_was_switched_off_comes_back_as_a_new_line() {
        let room = Room {
            issued: 44,
            ..Room::new(&sale(), 3).deactivated(OPENS)
        };
        let step = room_step(Some(&room), &sale(), active(10), OPENS.plus_s(1));
        let RoomStep::Create(room) = step else {
            panic!("{step:?}")
        };
        assert_eq!((room.epoch, room.issued), (4, 0));
    }

    #[test]
    fn closing_and_lowering_the_rate_never_move_the_line_back() {
        // Law monotone-serving.
        let room = Room {
            issued: 1000,
            ..Room::new(&sale(), 1)
        };
        let now = OPENS.plus_s(10);
        let before = room.serving(now);
        for mode in [Mode::Inactive, Mode::Paused, Mode::Draining, Mode::Active] {
            let target = Some(RoomTarget { mode, rate_per_s: 0 });
            let step = room_step(Some(&room), &sale(), target, now);
            let RoomStep::Replace { room: next, .. } = step else {
                panic!("{step:?}")
            };
            assert_eq!((next.mode, next.clock.rate_per_s), (mode, 0));
            assert!(next.serving(now.plus_s(2)) >= before, "{mode:?}");
        }
    }
}
