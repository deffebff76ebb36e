//! The waiting room's record and its serving clock (design.md section 4).
//!
//! One DynamoDB item per sale holds [`Room`]. The serving counter is a function of that record
//! and the time, so nothing has to tick for the line to move and every replica computes the same
//! number from its cached copy. What breaks if this changes: every replica in a rolling release
//! must agree on `serving`, so a change of meaning needs a new epoch.

use crate::{
    sale::{Sale, SaleId, Schedule},
    time::Millis,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How old a replica's copy of the record may be (law free-poll). Whatever slows the line takes
/// effect this much later, because until then a replica may still go by the faster clock, and
/// who has been told that he is served stays served (law monotone-serving).
pub const COPY_AGE_MS: i64 = 1000;

/// Whether the room takes people and whether its line moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Nobody can join; pollers are told to go on to tier 2, which decides by itself.
    Inactive,
    /// Takes people; the line moves once `clock.since` has come.
    Active,
    /// Takes people; the line stands.
    Paused,
    /// Takes nobody new; the line moves.
    Draining,
}

/// `base + rate x (now - since)`: how far the line would be served if it were endless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServingClock {
    /// Served at `since`.
    pub base: u64,
    /// The instant from which `rate_per_s` counts. Before it the line stands at `base`, which is
    /// how an opening needs nobody to act at `opens_at`.
    pub since: Millis,
    /// Positions per second.
    pub rate_per_s: u32,
    /// Unused rate that may be saved up while nobody waits.
    pub burst: u32,
}

/// A sale's waiting room as stored: one item, written only under conditions on `epoch` (control
/// plane) or as `ADD issued` (joins).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    /// Whose room this is.
    pub sale: SaleId,
    /// Rises with every activation; a place token of another epoch is not of this line.
    pub epoch: u32,
    /// Rises with every write of the control plane; the fence against stale writers.
    pub revision: u64,
    /// Whether people may join and the line moves.
    pub mode: Mode,
    /// From here on visitors may join.
    pub pre_queue_at: Millis,
    /// When the line starts to move.
    pub opens_at: Millis,
    /// From here on nobody may join or is served.
    pub closes_at: Millis,
    /// Positions handed out (1..=issued).
    pub issued: u64,
    /// The serving clock.
    pub clock: ServingClock,
    /// Polls per second for everybody who waits.
    pub poll_budget_per_s: u32,
    /// Lifetime of the tier-1 token given on admission.
    pub token_ttl_s: u32,
}

/// Why somebody cannot join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The room is switched off: go on to tier 2.
    #[error("the waiting room is not active")]
    Inactive,
    /// Before `pre_queue_at`.
    #[error("the waiting room has not opened yet")]
    NotYet,
    /// From `closes_at` on.
    #[error("the sale has closed")]
    Closed,
    /// Takes nobody new.
    #[error("the waiting room takes nobody new")]
    Draining,
}

impl ServingClock {
    /// How far an endless line would be served at `now`; `base` before `since`. Saturates.
    #[must_use]
    pub fn raw(&self, now: Millis) -> u64 {
        let elapsed_ms = u64::try_from(now.since(self.since)).unwrap_or(0);
        let moved_milli = elapsed_ms.saturating_mul(u64::from(self.rate_per_s));
        self.base.saturating_add(moved_milli / 1000)
    }

    /// The clock that has reached the same place at `at` and goes on at `rate_per_s`. The begun
    /// position is kept by starting a little earlier: else a controller that adjusts a slow rate
    /// every second would stop the line. (Changes that follow a slow-down within [`COPY_AGE_MS`] may
    /// count that begun position at their own rate.)
    fn rebased(&self, at: Millis, rate_per_s: u32) -> Self {
        if at <= self.since {
            return Self { rate_per_s, ..*self };
        }
        let begun_milli = at
            .since(self.since)
            .saturating_mul(i64::from(self.rate_per_s))
            .rem_euclid(1000);
        let head_start_ms = begun_milli.checked_div(i64::from(rate_per_s)).unwrap_or(0);
        Self {
            base: self.raw(at),
            since: at.plus_ms(-head_start_ms),
            rate_per_s,
            ..*self
        }
    }
}

impl Room {
    /// The room of a sale's new line: empty, standing until `opens_at`. `epoch` must be greater
    /// than that of any earlier line of this sale.
    #[must_use]
    pub fn new(sale: &Sale, epoch: u32) -> Self {
        Self {
            sale: sale.id,
            epoch,
            revision: 1,
            mode: Mode::Active,
            pre_queue_at: sale.schedule.pre_queue_at,
            opens_at: sale.schedule.opens_at,
            closes_at: sale.schedule.closes_at,
            issued: 0,
            clock: ServingClock {
                base: 0,
                since: sale.schedule.opens_at,
                rate_per_s: sale.admission.rate_per_s,
                burst: sale.admission.burst,
            },
            poll_budget_per_s: sale.admission.poll_budget_per_s,
            token_ttl_s: sale.admission.token_ttl_s,
        }
    }

    /// How far an endless line would be served at `now`: 0 before `opens_at`; stands while the
    /// mode does, and from `closes_at` on.
    #[must_use]
    pub fn raw(&self, now: Millis) -> u64 {
        match self.mode {
            // Slowing down just before the opening counts ahead of it; nobody goes in ahead of it.
            _ if now < self.opens_at => 0,
            Mode::Active | Mode::Draining => self.clock.raw(now.min(self.closes_at)),
            Mode::Paused | Mode::Inactive => self.clock.base,
        }
    }

    /// The serving counter: everybody with `position <= serving` may go on.
    #[must_use]
    pub fn serving(&self, now: Millis) -> u64 {
        self.issued.min(self.raw(now))
    }

    /// People in line.
    #[must_use]
    pub fn waiting(&self, now: Millis) -> u64 {
        self.issued - self.serving(now)
    }

    /// Whether the line moves at `now`.
    #[must_use]
    pub fn is_moving(&self, now: Millis) -> bool {
        matches!(self.mode, Mode::Active | Mode::Draining)
            && now >= self.clock.since.max(self.opens_at)
            && now < self.closes_at
            && self.clock.rate_per_s > 0
    }

    /// Whether somebody may take a place at `now`.
    ///
    /// # Errors
    /// [`Refusal`]: switched off, closed, not yet, or draining.
    pub fn admits_joins(&self, now: Millis) -> Result<(), Refusal> {
        match self.mode {
            Mode::Inactive => Err(Refusal::Inactive),
            _ if now >= self.closes_at => Err(Refusal::Closed),
            _ if now < self.pre_queue_at => Err(Refusal::NotYet),
            Mode::Draining => Err(Refusal::Draining),
            Mode::Active | Mode::Paused => Ok(()),
        }
    }

    /// The clock that a join at `now` must write together with its positions, if the line has been
    /// empty for so long that more than the burst would be saved up. `None`: only add to `issued`.
    ///
    /// The store must refuse the write unless `issued`, `revision` and `clock.since` are still those
    /// of this copy.
    #[must_use]
    pub fn reanchor_for_join(&self, now: Millis) -> Option<ServingClock> {
        let allowance = if self.is_moving(now) {
            u64::from(self.clock.burst)
        } else {
            0
        };
        let ahead = self.issued.saturating_add(allowance);
        (self.raw(now) > ahead).then(|| ServingClock {
            base: ahead,
            // A start that is still to come stays where it is.
            since: self.clock.since.max(now),
            ..self.clock
        })
    }

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
        if now >= self.opens_at {
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

    fn next_revision(&self) -> Self {
        Self {
            revision: self.revision.saturating_add(1),
            ..self.clone()
        }
    }
}
