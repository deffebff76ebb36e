//! What a run yields: everything the report tells and a script may ask.
//!
//! Wire format of `load` in the JSON report: add fields, never change a meaning.

pub use crate::goose_shell::{GooseSummary, GooseThreshold};
use crate::measure::{Funnel, Second, StepSummary};
use crate::observe::Observations;
use serde::{Deserialize, Serialize};
use urr_core::time::Millis;

/// Exit code when a threshold failed.
pub const EXIT_THRESHOLDS: i32 = 99;
/// Exit code when the generator itself was saturated, so that the run says nothing.
pub const EXIT_INVALID: i32 = 97;

/// A run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadResult {
    /// The scenario's name.
    pub scenario: String,
    /// What a person calls it.
    pub title: String,
    /// The seed; with it the same visitors do the same again.
    pub seed: u64,
    /// When it began.
    pub started_at: Millis,
    /// When the sale opened.
    pub opens_at: Millis,
    /// When the last journey ended.
    pub finished_at: Millis,
    /// Visitors of the crowd.
    pub visitors: u64,
    /// Visitors in real browsers.
    pub browsers: u64,
    /// Seats on sale.
    pub seats: u64,
    /// What became of people.
    pub funnel: Funnel,
    /// Latencies per step and lane.
    pub steps: Vec<StepSummary>,
    /// Waiting times by when people came, ten parts of the crowd in order of arrival.
    pub waiting: Vec<WaitDecile>,
    /// Every second.
    pub series: Vec<Second>,
    /// The scenario's rules with their verdicts.
    pub thresholds: Vec<Judged>,
    /// Whether the generator kept its own promises.
    pub validity: Validity,
    /// Goose's findings.
    pub goose: GooseSummary,
    /// Why the run ended before everybody was through, if it did.
    pub cut_short: Option<String>,
    /// What visitors saw, for the auditor. Not part of the JSON: a million visitors would make it
    /// a gigabyte.
    #[serde(skip)]
    pub observations: Observations,
}

/// A rule and whether it held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// As the scenario says it.
    pub rule: String,
    /// What was seen, as a person reads it.
    pub observed: String,
    /// Whether it held.
    pub passed: bool,
    /// Who judged, and what else saw.
    pub judge: String,
}

/// Whether a run can be believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Validity {
    /// Sentences on why not; empty when it can.
    pub reasons: Vec<String>,
}

impl Validity {
    /// Whether the figures are the system's and not the generator's.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// How long a tenth of the crowd waited, in order of arrival.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitDecile {
    /// First arrival, µs from the opening.
    pub from_us: i64,
    /// Last arrival, µs from the opening.
    pub to_us: i64,
    /// How many of them were let in.
    pub let_in: u64,
    /// Median wait, ms.
    pub p50_ms: u64,
    /// 95th percentile, ms.
    pub p95_ms: u64,
}

impl LoadResult {
    /// Whether every rule held.
    #[must_use]
    pub fn thresholds_hold(&self) -> bool {
        self.thresholds.iter().all(|judged| judged.passed)
    }

    /// 97 when the generator was saturated, 99 when a threshold failed, else 0. A law broken
    /// (98) is the auditor's to say.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        if !self.validity.is_valid() {
            EXIT_INVALID
        } else if self.thresholds_hold() {
            0
        } else {
            EXIT_THRESHOLDS
        }
    }
}

/// Waiting times in ten parts of those let in, by arrival.
#[must_use]
pub fn deciles(observations: &Observations) -> Vec<WaitDecile> {
    let mut waits = observations.waits.clone();
    waits.sort_unstable_by_key(|wait| wait.arrived_us);
    if waits.is_empty() {
        return Vec::new();
    }
    (0..10)
        .filter_map(|tenth| {
            let part = &waits[waits.len() * tenth / 10..waits.len() * (tenth + 1) / 10];
            let (first, last) = (part.first()?, part.last()?);
            let mut waited: Vec<u64> = part.iter().map(|wait| u64::from(wait.waited_ms)).collect();
            waited.sort_unstable();
            let at = |percent: usize| waited[(waited.len() - 1) * percent / 100];
            Some(WaitDecile {
                from_us: first.arrived_us,
                to_us: last.arrived_us,
                let_in: part.len() as u64,
                p50_ms: at(50),
                p95_ms: at(95),
            })
        })
        .collect()
}
