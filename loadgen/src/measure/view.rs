//! What screens and reports read of a run: the run at one instant, and what each second looked like.

use super::counters::Funnel;
use super::step::Step;
use serde::{Deserialize, Serialize};
use urr_core::time::Millis;

/// One second of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Second {
    /// Its end.
    pub at: Millis,
    /// Visitors who came in it.
    pub arrived: u64,
    /// Visitors let in.
    pub admitted: u64,
    /// Seats paid for.
    pub sold: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Requests that started late.
    pub late: u64,
    /// Requests dropped.
    pub dropped: u64,
    /// Visitors in line at its end.
    pub waiting: u64,
    /// Visitors inside at its end.
    pub inside: u64,
    /// p95 response time in µs of each step of the crowd, in the order of [`Step::ALL`];
    /// `None` where nobody took that step.
    pub p95_us: Vec<Option<u64>>,
}

impl Second {
    /// Adds the same second of another worker; of a percentile, which cannot be added, the worse.
    pub(crate) fn add(&mut self, other: &Self) {
        self.at = self.at.max(other.at);
        self.arrived += other.arrived;
        self.admitted += other.admitted;
        self.sold += other.sold;
        self.requests += other.requests;
        self.errors += other.errors;
        self.late += other.late;
        self.dropped += other.dropped;
        self.waiting += other.waiting;
        self.inside += other.inside;
        for (ours, theirs) in self.p95_us.iter_mut().zip(&other.p95_us) {
            *ours = (*ours).max(*theirs);
        }
    }
}

/// The run at one instant, for a screen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveView {
    /// Totals.
    pub funnel: Funnel,
    /// Steps somebody has taken.
    pub steps: Vec<StepView>,
    /// The newest closed seconds, oldest first, at most 120.
    pub seconds: Vec<Second>,
}

/// One step of the crowd on a screen.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepView {
    /// Which.
    pub step: Step,
    /// How often in all.
    pub count: u64,
    /// How often with an error.
    pub failed: u64,
    /// Of the last seconds: p50, p95, p99 in µs; `None` when nobody took it.
    pub recent_us: Option<[u64; 3]>,
    /// Of the whole run: p50, p95, p99 in µs.
    pub run_us: [u64; 3],
    /// Of the whole run: requests that did not fail, by [`urr_core::crowd::BOUNDS_MS`].
    #[serde(default)]
    pub buckets: Vec<u64>,
}
