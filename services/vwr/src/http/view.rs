//! The line as one visitor sees it: the place, the forecast, and when to ask again.

use super::{App, public, wire::Object};
use crate::watched::{Known, Watched};
use urr_core::{
    forecast::{Forecast, forecast},
    pacing::{self, Crowd},
    room::{Mode, Room},
    time::Millis,
};
use uuid::Uuid;

/// The line as one visitor sees it now.
pub(super) struct View {
    pub(super) now: Millis,
    /// The place; before the draw the worst one there is.
    pub(super) position: u64,
    is_placed: bool,
    pub(super) is_admitted: bool,
    pub(super) serving: u64,
    phase: &'static str,
    /// What the room is doing: open, paused, draining, closed.
    room: &'static str,
    opens_at: Millis,
    forecast: Forecast,
    next_poll_ms: u64,
}

impl View {
    pub(super) fn of(app: &App, watched: &Watched, known: &Known, number: u64, id: Uuid) -> Self {
        let room = &known.room;
        let now = app.shared.clock.now();
        let serving = watched.serving(room, now);
        if room.draw_is_due(now) {
            app.cache.hurry();
        }
        let place = known.places.of(number);
        let position = place.unwrap_or_else(|| match room.mode {
            // Everybody goes on as he came: there will be no draw.
            Mode::Inactive => number,
            _ => room.issued.max(number),
        });
        // A room that is switched off holds nobody up; tier 2 still decides (R-VWR-07).
        let is_admitted = room.mode == Mode::Inactive || place.is_some_and(|place| place <= serving);
        let is_ahead_of_opening = now < room.opens_at || place.is_none();
        Self {
            now,
            position,
            is_placed: place.is_some(),
            is_admitted,
            serving,
            phase: match (is_admitted, is_ahead_of_opening) {
                (true, _) => "admitted",
                (false, true) => "pre-queue",
                (false, false) => "waiting",
            },
            room: public::phase(room, now),
            opens_at: room.opens_at,
            forecast: if is_admitted {
                Forecast { p50_s: 0, p90_s: 0 }
            } else {
                forecast(room, place, now)
            },
            next_poll_ms: if is_admitted {
                1000
            } else {
                next_poll_ms(room, place, position, serving, jitter(id, now), now)
            },
        }
    }

    /// The fields that both answers have.
    pub(super) fn tell(&self, answer: &mut Object) {
        answer
            .number("estimatedWait", self.forecast.p50_s)
            .number("nextPoll", self.next_poll_ms.div_ceil(1000))
            .number("nextPollMs", self.next_poll_ms)
            .plain("phase", self.phase)
            .flag("placed", self.is_placed)
            .instant("opensAt", self.opens_at)
            .instant("serverNow", self.now)
            .plain("room", self.room)
            .number("etaP50S", self.forecast.p50_s)
            .number("etaP90S", self.forecast.p90_s);
    }
}

fn next_poll_ms(
    room: &Room,
    place: Option<u64>,
    position: u64,
    serving: u64,
    jitter: f64,
    now: Millis,
) -> u64 {
    let crowd = Crowd {
        waiting: room.issued.max(position).saturating_sub(serving),
        // Also while the line is held: its front must be awake when it goes on.
        rate_per_s: room.clock.rate_per_s,
        budget_per_s: room.poll_budget_per_s,
        until_open_ms: room.clock.since.max(room.opens_at).since(now).max(0),
    };
    match place {
        None => pacing::next_poll_before_draw_ms(&crowd, jitter),
        Some(_) => pacing::next_poll_ms(position.saturating_sub(serving), &crowd, jitter),
    }
}

/// A draw from 0..1 that differs between visitors and between polls. It spreads load and guards
/// nothing, so mixing what is at hand (the id's MAC bits and the time) is enough.
fn jitter(id: Uuid, now: Millis) -> f64 {
    let (high, low) = id.as_u64_pair();
    let mixed = (high ^ low ^ now.0.unsigned_abs()).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    f64::from(u32::try_from(mixed).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}
