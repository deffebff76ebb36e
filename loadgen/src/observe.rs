//! What visitors saw, for the auditor: it compares these notes with the stores.
//!
//! Bounded: a note is 16 to 100 bytes and each list has a limit that fits a million visitors;
//! beyond it notes are counted and not kept, and the auditor is told so.

use crate::scenario::Trick;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use urr_core::audit::{self, Attempt, JoinSeen, PlaceTold, ServingSeen};
use urr_core::draw::{Commitment, Seed};
use urr_core::time::Millis;
use uuid::Uuid;

/// Most joins, waits and purchases kept: two for each of a million visitors.
const PEOPLE_MAX: usize = 2_000_000;
/// Most polls kept; enough to see the counter move, too few to matter for memory.
const SERVING_MAX: usize = 100_000;
/// Most intrusions kept.
const EVENTS_MAX: usize = 100_000;

/// Everything visitors saw.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observations {
    /// What the auditor weighs: joins (repeats included), what polls said of the line (a sample
    /// spread over the run) and tries of the back door. The drill adds what it saw itself.
    pub laws: audit::Observations,
    /// Tries of the back door.
    pub intrusions: Vec<Intrusion>,
    /// The place of everybody who was told one.
    #[serde(default)]
    pub places: Vec<PlaceSeen>,
    /// What was published of the draw, where places are drawn.
    #[serde(default)]
    pub draw: Option<DrawSeen>,
    /// What each buyer believes to own.
    pub purchases: Vec<Purchase>,
    /// Arrival and admission of everybody let in.
    pub waits: Vec<WaitSeen>,
    /// Earliest instant at which anybody was served.
    pub first_served_at: Option<Millis>,
    /// Earliest instant at which anybody held a seat.
    pub first_hold_at: Option<Millis>,
    /// Notes that were counted and not kept.
    pub not_kept: u64,
}

/// A try of the back door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intrusion {
    /// How.
    pub trick: Trick,
    /// What was asked for.
    pub request: String,
    /// The answer's status; 0 without an answer.
    pub status: u16,
    /// Whether it got past the door.
    pub got_in: bool,
}

/// What a buyer believes to own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Purchase {
    /// Whose.
    pub user: Uuid,
    /// The reservation.
    pub reservation: Uuid,
    /// The seats.
    pub seats: Vec<Uuid>,
    /// The payment's order id.
    pub order: String,
    /// The payment key.
    pub payment_key: String,
    /// KRW.
    pub amount_krw: u64,
    /// When it was confirmed.
    pub at: Millis,
}

/// Somebody let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitSeen {
    /// Arrival, µs from the opening.
    pub arrived_us: i64,
    /// From arrival to being let in, ms.
    pub waited_ms: u32,
    /// Place in the waiting room.
    pub position: u64,
    /// Which persona of the scenario.
    #[serde(default)]
    pub persona: u16,
}

/// What was published of a draw: the commitment before the opening, the rest after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DrawSeen {
    /// SHA-256 of the seed, as it was told before the opening.
    pub commitment: Option<Commitment>,
    /// The seed, as it was told after it.
    pub seed: Option<Seed>,
    /// Tickets in the draw.
    pub drawn: Option<u64>,
}

/// A place as a visitor was first told it for good: at the join, or, where places are drawn, after
/// the opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceSeen {
    /// When the first join left, µs from the opening.
    pub sent_us: i64,
    /// When its answer came, µs from the opening.
    pub answered_us: i64,
    /// The place.
    pub position: u64,
}

/// Takes notes from everywhere.
#[derive(Debug, Default)]
pub struct Observer {
    notes: Mutex<(Observations, Sampling)>,
}

/// Keeps the sample of polls spread over the whole run: when it is full every other one goes, and
/// from then on half as many are kept.
#[derive(Debug, Default)]
struct Sampling {
    /// Polls passed over between two that are kept.
    stride: u64,
    skipped: u64,
}

impl Sampling {
    /// Whether the next poll is passed over.
    const fn skips(&mut self) -> bool {
        let skips = self.skipped < self.stride;
        self.skipped = if skips { self.skipped + 1 } else { 0 };
        skips
    }
}

impl Observer {
    /// Takes one note with `take`.
    pub fn note(&self, take: impl FnOnce(&mut Observations)) {
        take(&mut self.lock().0);
    }

    /// A poll.
    pub fn served(&self, seen: ServingSeen) {
        let mut notes = self.lock();
        let (observations, sampling) = &mut *notes;
        observations.served(seen, sampling);
    }

    /// All notes, leaving none.
    #[must_use]
    pub fn take(&self) -> Observations {
        std::mem::take(&mut self.lock().0)
    }

    fn lock(&self) -> MutexGuard<'_, (Observations, Sampling)> {
        // A writer that panicked between two notes leaves usable ones.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observations {
    /// Adds what another worker's visitors saw.
    pub(crate) fn add(&mut self, other: Self) {
        self.laws.joins.extend(other.laws.joins);
        self.laws.serving.extend(other.laws.serving);
        self.laws.serving.sort_by_key(|seen| seen.sent_at);
        self.laws.attempts.extend(other.laws.attempts);
        self.laws.places.extend(other.laws.places);
        self.intrusions.extend(other.intrusions);
        self.places.extend(other.places);
        self.draw = self.draw.or(other.draw);
        self.purchases.extend(other.purchases);
        self.waits.extend(other.waits);
        let first = |ours: Option<Millis>, theirs: Option<Millis>| match (ours, theirs) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        self.first_served_at = first(self.first_served_at, other.first_served_at);
        self.first_hold_at = first(self.first_hold_at, other.first_hold_at);
        self.not_kept += other.not_kept;
    }

    /// A join or a repeated one.
    pub fn join(&mut self, join: JoinSeen) {
        keep(&mut self.laws.joins, join, PEOPLE_MAX, &mut self.not_kept);
    }

    /// A place that is told for good.
    pub fn place(&mut self, place: PlaceSeen) {
        keep(&mut self.places, place, PEOPLE_MAX, &mut self.not_kept);
    }

    /// The same for the auditor, by request id.
    pub fn told(&mut self, told: PlaceTold) {
        keep(&mut self.laws.places, told, PEOPLE_MAX, &mut self.not_kept);
    }

    /// An answer that told how far the line is served.
    fn served(&mut self, seen: ServingSeen, sampling: &mut Sampling) {
        if seen.serving > 0 {
            let first = self.first_served_at.get_or_insert(seen.answered_at);
            *first = (*first).min(seen.answered_at);
        }
        if sampling.skips() {
            return;
        }
        let sample = &mut self.laws.serving;
        sample.push(seen);
        if sample.len() >= SERVING_MAX {
            let mut odd = false;
            sample.retain(|_| {
                odd = !odd;
                odd
            });
            sampling.stride = sampling.stride * 2 + 1;
        }
    }

    /// A try of the back door.
    pub fn intrusion(&mut self, intrusion: Intrusion) {
        let attempt = Attempt {
            kind: intrusion.trick.attempt(),
            status: intrusion.status,
            got_in: intrusion.got_in,
        };
        keep(&mut self.laws.attempts, attempt, EVENTS_MAX, &mut self.not_kept);
        keep(&mut self.intrusions, intrusion, EVENTS_MAX, &mut self.not_kept);
    }

    /// A purchase.
    pub fn purchase(&mut self, purchase: Purchase) {
        keep(&mut self.purchases, purchase, PEOPLE_MAX, &mut self.not_kept);
    }

    /// An admission.
    pub fn wait(&mut self, wait: WaitSeen) {
        keep(&mut self.waits, wait, PEOPLE_MAX, &mut self.not_kept);
    }

    /// A hold.
    pub fn hold(&mut self, at: Millis) {
        let first = self.first_hold_at.get_or_insert(at);
        *first = (*first).min(at);
    }
}

fn keep<T>(list: &mut Vec<T>, item: T, most: usize, not_kept: &mut u64) {
    if list.len() < most {
        list.push(item);
    } else {
        *not_kept += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_a_sample_of_polls_spread_over_all_of_it() {
        let observer = Observer::default();
        let polls = i64::try_from(SERVING_MAX).unwrap() * 5;
        for at in 0..polls {
            observer.served(ServingSeen {
                sent_at: Millis(at),
                answered_at: Millis(at),
                serving: 1,
                issued: 1,
                epoch: None,
                revision: None,
            });
        }
        let kept = observer.take().laws.serving;
        assert!(
            kept.len() < SERVING_MAX && kept.len() > SERVING_MAX / 3,
            "{}",
            kept.len()
        );
        let half = kept.iter().filter(|seen| seen.sent_at.0 < polls / 2).count();
        assert!(
            (kept.len() * 2 / 5..=kept.len() * 3 / 5).contains(&half),
            "{half} of {}",
            kept.len()
        );
    }
}
