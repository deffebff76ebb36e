//! What is done to a line while people stand in it: another rate, another schedule, a stop, an end. Each is
//! the next revision of the record, and none moves the line back (law monotone-serving).

use super::{COPY_AGE_MS, Mode, Room, ServingClock};
use crate::{sale::Schedule, time::Millis};

impl Room {
    /// The next revision of the record with another rate. A faster clock goes on from where the
    /// line is; a slower one counts from [`COPY_AGE_MS`] later, from where the line will then be,
    /// so that no replica's copy can have been further.
    #[must_use]
    pub fn with_rate(&self, rate_per_s: u32, now: Millis) -> Self {
        let clock = match self.mode {
            Mode::Paused | Mode::Inactive => ServingClock {
                rate_per_s,
                ..self.clock
            },
            _ if rate_per_s >= self.clock.rate_per_s => {
                self.clock.rebased(now.min(self.closes_at), rate_per_s)
            }
            _ => self.clock.rebased(self.copies_agree_at(now), rate_per_s),
        };
        Self {
            clock,
            ..self.next_revision()
        }
    }

    /// The next revision with another schedule. Once the line has begun to move, only the
    /// end can still be moved: an opening that was is not undone.
    #[must_use]
    pub fn with_schedule(&self, schedule: &Schedule, now: Millis) -> Self {
        let closes_at = schedule.closes_at;
        if now >= self.opens_at || self.draw.drawn.is_some() {
            return Self {
                closes_at,
                ..self.next_revision()
            };
        }
        Self {
            pre_queue_at: schedule.pre_queue_at,
            opens_at: schedule.opens_at,
            closes_at,
            clock: ServingClock {
                base: 0,
                since: schedule.opens_at,
                ..self.clock
            },
            ..self.next_revision()
        }
    }

    /// The next revision with the line standing: at where it is [`COPY_AGE_MS`] from now.
    #[must_use]
    pub fn paused(&self, now: Millis) -> Self {
        self.standing(Mode::Paused, now)
    }

    /// The next revision with the line moving again from where it stood. Does not wake a
    /// room that was deactivated: its next line has a new epoch.
    #[must_use]
    pub fn resumed(&self, now: Millis) -> Self {
        self.moving(Mode::Active, now)
    }

    /// The next revision with the room switched off.
    #[must_use]
    pub fn deactivated(&self, now: Millis) -> Self {
        self.standing(Mode::Inactive, now)
    }

    /// The next revision that takes nobody new while the line goes on.
    #[must_use]
    pub fn draining(&self, now: Millis) -> Self {
        self.moving(Mode::Draining, now)
    }

    fn standing(&self, mode: Mode, now: Millis) -> Self {
        let clock = match self.mode {
            Mode::Active | Mode::Draining => self
                .clock
                .rebased(self.copies_agree_at(now), self.clock.rate_per_s),
            Mode::Paused | Mode::Inactive => self.clock,
        };
        Self {
            mode,
            clock,
            ..self.next_revision()
        }
    }

    fn moving(&self, mode: Mode, now: Millis) -> Self {
        match self.mode {
            Mode::Inactive => self.next_revision(),
            Mode::Active | Mode::Draining => Self {
                mode,
                ..self.next_revision()
            },
            Mode::Paused => {
                // `since` may lie ahead: before the opening, or right after the pause.
                let since = self.clock.since.max(self.opens_at).max(now);
                Self {
                    mode,
                    clock: ServingClock { since, ..self.clock },
                    ..self.next_revision()
                }
            }
        }
    }

    fn copies_agree_at(&self, now: Millis) -> Millis {
        now.plus_ms(COPY_AGE_MS).min(self.closes_at)
    }

    pub(super) fn next_revision(&self) -> Self {
        Self {
            revision: self.revision.saturating_add(1),
            ..self.clone()
        }
    }
}
