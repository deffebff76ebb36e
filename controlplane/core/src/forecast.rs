//! When a visitor will be served, as two honest numbers.
//!
//! The middle one is what the serving clock says if nothing changes; as an instant it does not
//! depend on when it is asked, so counting down to it never makes it rise. The cautious one goes
//! by how the line has really moved since the opening, pauses and slow rates included, and by four
//! fifths of the present rate at best. Only a changed clock or a changed line moves either up,
//! never our rounding: everything is whole milliseconds, rounded up to seconds once, at the end.

use crate::{
    room::{Mode, Room},
    time::Millis,
};

/// Of the present rate, what the cautious forecast counts on at most.
const CAUTIOUS_MILLI: u64 = 800;
/// And at least, lest a line that has just begun to move tell people to go home.
const WORST_MILLI: u64 = 250;

/// Seconds until served, rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Forecast {
    /// As likely sooner as later.
    pub p50_s: u64,
    /// Nine times out of ten sooner.
    pub p90_s: u64,
}

/// The forecast for the holder of `place`; without one (the draw is still ahead) that of the
/// middle and of the last tenth of all who hold tickets.
#[must_use]
pub fn forecast(room: &Room, place: Option<u64>, now: Millis) -> Forecast {
    let (middle, far) = match place {
        Some(place) => (place, place),
        None => (
            room.issued.div_ceil(2),
            room.issued.saturating_mul(9).div_ceil(10),
        ),
    };
    let clock = Exact::of(room, now);
    Forecast {
        p50_s: seconds(clock.until_ms(middle, clock.rate_milli)),
        p90_s: seconds(clock.until_ms(far, clock.cautious_rate_milli())),
    }
}

/// The serving clock in thousandths of a position, so that nothing is lost between two looks.
struct Exact {
    /// Until the line moves.
    starts_in_ms: u64,
    /// Served by now, or by the start.
    served_milli: u64,
    /// Positions a second, times a thousand; at least 1 a second: a line that stands for an
    /// unknown time is told to the long side.
    rate_milli: u64,
    /// Since the opening.
    open_for_ms: u64,
}

impl Exact {
    fn of(room: &Room, now: Millis) -> Self {
        let moves = matches!(room.mode, Mode::Active | Mode::Draining);
        let starts_at = room.clock.since.max(room.opens_at);
        let at = now.max(starts_at);
        let rate = if moves { room.clock.rate_per_s } else { 0 };
        let moved_ms = u64::try_from(at.since(room.clock.since)).unwrap_or(0);
        Self {
            starts_in_ms: u64::try_from(starts_at.since(now)).unwrap_or(0),
            served_milli: room
                .clock
                .base
                .saturating_mul(1000)
                .saturating_add(moved_ms.saturating_mul(u64::from(rate))),
            rate_milli: u64::from(rate.max(1)) * 1000,
            open_for_ms: u64::try_from(now.since(room.opens_at)).unwrap_or(0),
        }
    }

    fn cautious_rate_milli(&self) -> u64 {
        let usual = self.rate_milli / 1000 * CAUTIOUS_MILLI;
        let worst = self.rate_milli / 1000 * WORST_MILLI;
        let so_far = self
            .served_milli
            .saturating_mul(1000)
            .checked_div(self.open_for_ms)
            .unwrap_or(usual);
        so_far.clamp(worst, usual)
    }

    fn until_ms(&self, place: u64, rate_milli: u64) -> u64 {
        let ahead_milli = place.saturating_mul(1000).saturating_sub(self.served_milli);
        self.starts_in_ms
            .saturating_add(ahead_milli.saturating_mul(1000).div_ceil(rate_milli.max(1)))
    }
}

const fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}
