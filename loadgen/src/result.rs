//! What a run yields: everything the report tells and a script may ask.
//!
//! Wire format of `load` in the JSON report: add fields, never change a meaning.

use crate::fairness::Fairness;
pub use crate::goose_shell::{GooseSummary, GooseThreshold};
use crate::http::Dialled;
use crate::measure::{Funnel, Second, StepSummary};
use crate::observe::{Observations, WaitSeen};
use crate::scenario::Rule;
use crate::stages::Milestones;
use crate::tally::PersonaResult;
use serde::{Deserialize, Serialize};
use urr_core::rate_steps::RateStep;
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
    /// Whether places followed arrival, or the draw.
    #[serde(default)]
    pub fairness: Fairness,
    /// What became of each kind of visitor, in the order of the scenario.
    #[serde(default)]
    pub personas: Vec<PersonaResult>,
    /// Every second.
    pub series: Vec<Second>,
    /// When what everybody asks about happened.
    #[serde(default)]
    pub milestones: Milestones,
    /// The scenario's rules with their verdicts.
    pub thresholds: Vec<Judged>,
    /// How an adaptive rate moved, where somebody told; else empty ([`LoadResult::rate_moved`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rate_steps: Vec<RateStep>,
    /// Whether the generator kept its own promises.
    pub validity: Validity,
    /// What the generator itself cost and how punctual it was.
    #[serde(default)]
    pub generator: Generator,
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

/// What the generator itself cost and how punctual it was; sums over all workers of a run, "most" is
/// the worst of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Generator {
    /// Requests that started more than 100 ms after they were due.
    pub late: u64,
    /// Of those: late because the system had every connection at work and queued on its side.
    pub late_by_system: u64,
    /// The most visitors who waited at once.
    pub waiting_most: u64,
    /// Bytes that the most who waited took, with everything that keeps their turns.
    pub waiting_bytes: u64,
    /// How late the generator's own loop was, µs, p99 of all its beats.
    pub lag_p99_us: u64,
    /// How late it was at worst, µs.
    pub lag_most_us: u64,
    /// CPU of the crowd's thread, s.
    pub cpu_s: f64,
    /// The most it used in one second, cores.
    pub cpu_most: f64,
    /// Seconds in which it had no CPU left.
    pub out_of_cpu_s: u64,
    /// What became of its connections.
    pub dialled: Dialled,
    /// The most memory its process had, bytes; 0 where the system does not tell.
    #[serde(default)]
    pub memory_most_bytes: u64,
    /// Files its process had open when the crowd was gone.
    #[serde(default)]
    pub files: u64,
    /// Files it may open; 0 where the system does not tell.
    #[serde(default)]
    pub files_limit: u64,
}

impl Generator {
    /// Requests whose lateness was the generator's own.
    #[must_use]
    pub const fn late_by_generator(&self) -> u64 {
        self.late.saturating_sub(self.late_by_system)
    }

    /// Adds another worker's.
    pub(crate) fn add(&mut self, other: &Self) {
        self.late += other.late;
        self.late_by_system += other.late_by_system;
        self.waiting_most += other.waiting_most;
        self.waiting_bytes += other.waiting_bytes;
        self.lag_p99_us = self.lag_p99_us.max(other.lag_p99_us);
        self.lag_most_us = self.lag_most_us.max(other.lag_most_us);
        self.cpu_s += other.cpu_s;
        self.cpu_most = self.cpu_most.max(other.cpu_most);
        self.out_of_cpu_s += other.out_of_cpu_s;
        self.dialled.add(other.dialled);
        self.memory_most_bytes += other.memory_most_bytes;
        self.files += other.files;
        self.files_limit += other.files_limit;
    }

    /// Adds another sale's, whose crowd lived on the same thread of the same before.
    pub(crate) fn add_beside(&mut self, other: &Self) {
        let before = self.clone();
        self.add(other);
        self.cpu_s = before.cpu_s.max(other.cpu_s);
        self.out_of_cpu_s = before.out_of_cpu_s.max(other.out_of_cpu_s);
        self.memory_most_bytes = before.memory_most_bytes.max(other.memory_most_bytes);
        self.files = before.files.max(other.files);
        self.files_limit = before.files_limit.max(other.files_limit);
    }

    /// Bytes for each of those who waited when most did.
    #[must_use]
    pub fn bytes_per_waiting(&self) -> Option<u64> {
        self.waiting_bytes.checked_div(self.waiting_most)
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
    /// How many of the crowd they are.
    #[serde(default)]
    pub came: u64,
    /// How many of them were let in.
    pub let_in: u64,
    /// Median wait, ms.
    pub p50_ms: u64,
    /// 95th percentile, ms.
    pub p95_ms: u64,
}

impl LoadResult {
    /// Tells how the rate of the sale moved, which no visitor can see: of those who keep pictures of it.
    /// `rules` are the scenario's, in its order; those about the rate are judged by this.
    pub fn rate_moved(&mut self, rules: &[Rule], steps: Vec<RateStep>) {
        crate::thresholds::judge_rate(rules, &steps, &mut self.thresholds);
        self.rate_steps = steps;
    }

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

/// Waiting times in ten parts of the crowd in order of arrival; `instants` are all arrivals, µs from
/// the opening, sorted. Who was never let in is counted and has no wait.
#[must_use]
pub fn deciles(observations: &Observations, instants: &[i64]) -> Vec<WaitDecile> {
    let n = instants.len();
    if n == 0 {
        return Vec::new();
    }
    let mut waits: Vec<&WaitSeen> = observations.waits.iter().collect();
    waits.sort_unstable_by_key(|wait| (wait.arrived_us, wait.position));
    let mut waited: Vec<Vec<u32>> = vec![Vec::new(); 10];
    for same in waits.chunk_by(|a, b| a.arrived_us == b.arrived_us) {
        let at = same.first().map_or(0, |wait| wait.arrived_us);
        let (from, to) = (
            instants.partition_point(|us| *us < at),
            instants.partition_point(|us| *us <= at),
        );
        // Who came in one instant is spread over it in order of place.
        for (nth, wait) in same.iter().enumerate() {
            let rank = from + (to - from) * nth / same.len();
            waited[(rank * 10 / n).min(9)].push(wait.waited_ms);
        }
    }
    waited
        .into_iter()
        .enumerate()
        .filter_map(|(tenth, mut waited)| {
            let part = &instants[n * tenth / 10..n * (tenth + 1) / 10];
            let (first, last) = (part.first()?, part.last()?);
            waited.sort_unstable();
            let at = |percent: usize| {
                let last = waited.len().saturating_sub(1);
                waited.get(last * percent / 100).copied().map_or(0, u64::from)
            };
            Some(WaitDecile {
                from_us: *first,
                to_us: *last,
                came: part.len() as u64,
                let_in: waited.len() as u64,
                p50_ms: at(50),
                p95_ms: at(95),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(arrivals: &[i64], waited_ms: impl Fn(usize) -> Option<u32>) -> Observations {
        let waits = arrivals.iter().enumerate().filter_map(|(nth, us)| {
            Some(WaitSeen {
                arrived_us: *us,
                waited_ms: waited_ms(nth)?,
                position: nth as u64 + 1,
                persona: 0,
            })
        });
        Observations {
            waits: waits.collect(),
            ..Observations::default()
        }
    }

    #[test]
    fn a_tenth_of_the_crowd_counts_those_who_never_got_in() {
        let arrivals: Vec<i64> = (0..1000).map(|n| n * 1000).collect();
        let seen = waits(&arrivals, |nth| (nth < 450).then(|| u32::try_from(nth).unwrap()));
        let deciles = deciles(&seen, &arrivals);
        let let_in: Vec<u64> = deciles.iter().map(|decile| decile.let_in).collect();
        assert_eq!(let_in, [100, 100, 100, 100, 50, 0, 0, 0, 0, 0]);
        assert!(deciles.iter().all(|decile| decile.came == 100));
        assert_eq!((deciles[1].p50_ms, deciles[1].p95_ms), (149, 194));
        assert_eq!((deciles[9].from_us, deciles[9].to_us), (900_000, 999_000));
    }

    #[test]
    fn who_came_at_once_is_told_apart_by_place() {
        let arrivals = vec![0; 1000];
        let seen = waits(&arrivals, |nth| Some(u32::try_from(nth).unwrap()));
        let deciles = deciles(&seen, &arrivals);
        assert!(deciles.iter().all(|decile| decile.let_in == 100));
        assert!(deciles.is_sorted_by_key(|decile| decile.p50_ms));
    }
}
