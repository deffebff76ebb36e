//! All that is kept of a visitor who waits in line.
//!
//! A million of these lie in the engine's shelf, so its size is what a waiting visitor costs; a test
//! holds it. What follows from the seed and the index (key, user, patience) is worked out anew
//! each time and not kept.

use super::World;
use crate::measure::{Counters, Outcome};
use crate::seed::{Dice, Purpose};
use uuid::Uuid;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// The place's request id; nil before the first join.
    pub(crate) place: Uuid,
    /// Place in the waiting room; 0 before joining.
    pub(crate) position: u64,
    /// This visitor's dice.
    pub(crate) dice: Dice,
    /// When the visitor meant to arrive, us from the start of the run.
    pub(crate) arrival_us: u64,
    /// Which of the crowd; browsers count on from its end.
    pub(crate) index: u32,
    /// Which persona of the scenario.
    pub(crate) persona: u16,
    /// Sendings of the request at hand that failed so far.
    pub(crate) tries: u8,
    /// Times the place was lost and asked for again.
    pub(crate) rejoins: u8,
    /// Times the waiting room did not know the sale yet.
    pub(crate) early: u8,
    /// Pages opened after the first: tabs, or awakenings.
    pub(crate) reopened: u8,
    /// When the first join left, ms from the start of the run.
    pub(crate) joined_ms: u32,
    /// How long its answer took, ms.
    pub(crate) joining_ms: u16,
    /// Has joined at least once.
    pub(crate) joined: bool,
    /// Was told a place that will not change; before the draw nobody is.
    pub(crate) placed: bool,
    /// Is counted among those in line.
    pub(crate) in_line: bool,
}

impl Standing {
    /// A visitor who means to arrive `arrival_us` after the start of the run.
    pub(crate) fn new(seed: u64, index: u64, persona: usize, arrival_us: u64) -> Self {
        Self {
            place: Uuid::nil(),
            position: 0,
            dice: Dice::new(seed, index, Purpose::Journey),
            arrival_us,
            // A scenario's crowd and its personas are counted in 32 and 8 bits.
            index: u32::try_from(index).unwrap_or(u32::MAX),
            persona: u16::try_from(persona).unwrap_or(u16::MAX),
            tries: 0,
            rejoins: 0,
            early: 0,
            reopened: 0,
            joined_ms: 0,
            joining_ms: 0,
            joined: false,
            placed: false,
            in_line: false,
        }
    }

    /// Has to join again; the waiting room will know the place.
    pub(super) fn forget_place(&mut self) {
        self.place = Uuid::nil();
    }

    /// Counts the arrival.
    pub(crate) fn arrive(&self, world: &World) {
        Counters::add(&world.live.counters.arrived);
        Counters::add(&world.live.counters.under_way);
        world.tally.came(self.persona);
    }

    /// Counts how the journey ended; for whoever arrived, exactly once.
    pub(crate) fn end(&mut self, world: &World, outcome: Outcome) {
        if std::mem::take(&mut self.in_line) {
            Counters::sub(&world.live.counters.waiting);
        }
        Counters::sub(&world.live.counters.under_way);
        world.live.counters.end(outcome);
        world.tally.ended(self.persona, outcome);
    }
}
