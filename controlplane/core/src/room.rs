//! The waiting room's record and its serving clock (design.md section 4).
//!
//! One DynamoDB item per sale holds [`Room`]. The serving counter is a function of that record
//! and the time, so nothing has to tick for the line to move and every replica computes the same
//! number from its cached copy. What breaks if this changes: every replica in a rolling release
//! must agree on `serving`, so a change of meaning needs a new epoch.

use crate::{
    draw::{Draw, DrawRecord, Places, Seed},
    pacing::{self, Crowd},
    sale::{Ordering, Sale, SaleId},
    time::Millis,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

mod change;

/// How old a replica's copy of the record may be (law free-poll). Whatever slows the line takes
/// effect this much later, because until then a replica may still go by the faster clock, and
/// who has been told that he is served stays served (law monotone-serving).
pub const COPY_AGE_MS: i64 = 1000;

/// Once it shows that the record was lost and made anew, new joins wait this much longer than
/// anybody who waits is told to be silent, so that all who hold a place have shown it. What polls
/// take on their way is in it.
pub const RESTORE_MARGIN_MS: i64 = 5000;

/// Epochs count steps of this many ms since 2026, so that a record that is made anew after a loss
/// is of a later line than any before it, without anybody remembering that one.
const EPOCH_STEP_MS: i64 = 10_000;
const EPOCH_ORIGIN: Millis = Millis(1_767_225_600_000);

/// The epoch of a line that is the first anybody knows of, at `now`.
#[must_use]
pub fn epoch_at(now: Millis) -> u32 {
    let steps = now.since(EPOCH_ORIGIN).max(0) / EPOCH_STEP_MS;
    u32::try_from(steps).unwrap_or(u32::MAX).max(1)
}

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
    /// Positions handed out (1..=issued). In a sale with a draw these are tickets.
    pub issued: u64,
    /// Blocks of the ledger that were appended in this epoch; their keys follow from it.
    #[serde(default)]
    pub blocks: u64,
    /// How those who come before the opening are put in line.
    #[serde(default)]
    pub ordering: Ordering,
    /// The draw, in a sale that has one.
    #[serde(default)]
    pub draw: DrawRecord,
    /// Places of epochs up to this one are nobody's: their lines were ended on purpose. Places of
    /// a later epoch that is not this one survived the loss of the record, and count.
    #[serde(default)]
    pub voids: u32,
    /// Until then nobody new is numbered: the record was lost, and who holds a place is showing it.
    #[serde(default)]
    pub restoring_until: Option<Millis>,
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
    /// Takes nobody new for a minute or longer: see [`Room::restoring_until`].
    #[error("the waiting room is being restored; places that were given out count")]
    Restoring,
}

/// What a genuine place token is worth in this line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is of this line.
    Ours,
    /// It is of this line or one before it, and beyond what the record knows to be issued: either
    /// the copy is old or the record was lost. It counts.
    Unheard,
    /// It is of a line that this copy does not know yet.
    Later,
    /// Its line was ended on purpose.
    Void,
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
            blocks: 0,
            ordering: sale.ordering,
            draw: DrawRecord::default(),
            voids: 0,
            restoring_until: None,
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

    /// The room of a sale's next line after one that was ended on purpose: places of `ended` and
    /// of all before it are void.
    #[must_use]
    pub fn after(ended: &Self, sale: &Sale, now: Millis) -> Self {
        Self {
            revision: ended.revision.saturating_add(1),
            voids: ended.epoch,
            ..Self::new(sale, ended.epoch.saturating_add(1).max(epoch_at(now)))
        }
    }

    /// How far an endless line would be served at `now`: 0 before `opens_at` and before the
    /// draw; stands while the mode does, and from `closes_at` on.
    #[must_use]
    pub fn raw(&self, now: Millis) -> u64 {
        match self.mode {
            // Slowing down just before the opening counts ahead of it; nobody goes in ahead of it.
            _ if now < self.opens_at || self.is_undrawn() => 0,
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
            && !self.is_undrawn()
    }

    /// Whether places are still to be drawn.
    #[must_use]
    pub fn is_undrawn(&self) -> bool {
        self.ordering == Ordering::Shuffle && self.draw.drawn.is_none()
    }

    /// Whether the draw is to be closed now. Any replica may; the store lets one.
    #[must_use]
    pub fn draw_is_due(&self, now: Millis) -> bool {
        self.is_undrawn() && self.mode != Mode::Inactive && now >= self.opens_at
    }

    /// The next revision with the draw closed over all tickets given out so far and its seed
    /// revealed. The line moves from then on. The store must copy its own `issued`.
    #[must_use]
    pub fn draw_closed(&self, seed: Seed, now: Millis) -> Self {
        Self {
            draw: DrawRecord {
                drawn: Some(self.issued),
                seed: Some(seed),
                ..self.draw
            },
            clock: ServingClock {
                base: 0,
                since: self.clock.since.max(self.opens_at).max(now),
                ..self.clock
            },
            ..self.next_revision()
        }
    }

    /// How numbers become places in this line.
    #[must_use]
    pub fn places(&self) -> Places {
        match (self.ordering, self.draw.drawn, self.draw.seed) {
            (Ordering::Fifo, ..) => Places::AsIssued,
            (Ordering::Shuffle, Some(drawn), Some(seed)) => Places::Drawn(Box::new(Draw::new(&seed, drawn))),
            (Ordering::Shuffle, ..) => Places::Undrawn,
        }
    }

    /// What a genuine place of `epoch` with number `position` is worth here.
    #[must_use]
    pub const fn standing_of(&self, epoch: u32, position: u64) -> Standing {
        if epoch <= self.voids {
            Standing::Void
        } else if epoch > self.epoch {
            Standing::Later
        } else if position > self.issued {
            Standing::Unheard
        } else {
            Standing::Ours
        }
    }

    /// The next revision of a record that was lost and made anew, once somebody has shown a place
    /// beyond what it knows: numbers go on behind it, and nobody new is numbered until everybody in a
    /// line of that length has had to ask again.
    #[must_use]
    pub fn restored(&self, position: u64, now: Millis) -> Self {
        let issued = self.issued.max(position);
        let silence_ms = pacing::longest_ms(&Crowd {
            waiting: issued,
            rate_per_s: self.clock.rate_per_s,
            budget_per_s: self.poll_budget_per_s,
            until_open_ms: 0,
        });
        let silence_ms = i64::try_from(silence_ms).unwrap_or(i64::MAX);
        let until = now.plus_ms(silence_ms.saturating_add(RESTORE_MARGIN_MS));
        Self {
            issued,
            restoring_until: Some(self.restoring_until.map_or(until, |at| at.max(until))),
            ..self.next_revision()
        }
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
            _ if self.restoring_until.is_some_and(|until| now < until) => Err(Refusal::Restoring),
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
}
