//! What one worker brings home, and how many of these become the result of the run.

use super::Segment;
use crate::crowd::{browsers, crowd};
use crate::engine::validity;
use crate::fairness;
use crate::measure::{Funnel, Lane, Second, Step, StepSummary, StepTally};
use crate::observe::Observations;
use crate::result::{Generator, GooseSummary, LoadResult, deciles};
use crate::scenario::Scenario;
use crate::stages::Milestones;
use crate::tally::{PersonaResult, add_waits};
use crate::thresholds::{Figures, judge};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use urr_core::time::Millis;

/// What one worker brings home: sums and whole histograms, no verdicts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentResult {
    /// Which part of the crowd.
    pub segment: Segment,
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// When it began.
    pub started_at: Millis,
    /// When the sale opened.
    pub opens_at: Millis,
    /// When its last journey ended.
    pub finished_at: Millis,
    /// What became of its people.
    pub funnel: Funnel,
    /// Latencies per step and lane.
    pub steps: Vec<StepTally>,
    /// Every second.
    pub series: Vec<Second>,
    /// What became of each kind of visitor.
    pub personas: Vec<PersonaResult>,
    /// What the generator cost and how punctual it was.
    pub generator: Generator,
    /// Goose's findings; workers of several judge nothing by goose.
    pub goose: GooseSummary,
    /// Why it ended before everybody was through, if it did.
    pub cut_short: Option<String>,
    /// What its visitors saw.
    pub observations: Observations,
}

/// Results that are not the pieces of one run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Nothing to merge.
    #[error("there is no segment to merge")]
    Nothing,
    /// Of another scenario, seed or opening.
    #[error("segment {segment} is of another run: {what} differs")]
    OtherRun {
        /// Which.
        segment: Segment,
        /// In what.
        what: &'static str,
    },
    /// Pieces missing or there twice.
    #[error("{found} of {of} segments are there, each must be there once")]
    Incomplete {
        /// How many different ones there are.
        found: usize,
        /// How many there must be.
        of: u32,
    },
}

/// The result of the run whose pieces these are, judged once and for everybody.
///
/// # Errors
/// [`MergeError`] when they are not the pieces of one run of `scenario`.
pub fn merge(scenario: &Scenario, parts: Vec<SegmentResult>) -> Result<LoadResult, MergeError> {
    check(scenario, &parts)?;
    complete(&parts)?;
    let alone = parts.len() == 1;
    add_up(scenario, parts, alone)
}

/// What there is of a run of which pieces are missing, and how many visitors went with them. Such a run
/// is never valid: the crowd was not the scenario's.
///
/// # Errors
/// [`MergeError`] when they are not pieces of one run of `scenario`, or one is there twice.
pub fn merge_what_is_there(
    scenario: &Scenario,
    parts: Vec<SegmentResult>,
) -> Result<(LoadResult, u64), MergeError> {
    check(scenario, &parts)?;
    let of = parts.first().ok_or(MergeError::Nothing)?.segment.of();
    let there: BTreeSet<u32> = parts.iter().map(|part| part.segment.nth()).collect();
    if there.len() != parts.len() {
        let found = there.len();
        return Err(MergeError::Incomplete { found, of });
    }
    let missing: Vec<Segment> = (1..=of)
        .filter(|nth| !there.contains(nth))
        .filter_map(|nth| Segment::new(nth, of))
        .collect();
    let lost = visitors_of(scenario, &missing);
    let alone = parts.len() == 1;
    let mut result = add_up(scenario, parts, alone)?;
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let reason = format!(
            "{lost} visitors are missing, those of segment {}: the crowd was not the scenario's",
            names.join(", ")
        );
        result.validity.reasons.insert(0, reason);
    }
    Ok((result, lost))
}

/// How many visitors belong to `segments` together.
#[must_use]
pub fn visitors_of(scenario: &Scenario, segments: &[Segment]) -> u64 {
    // Browsers' indices follow on the crowd's.
    let everybody = 0..u64::from(scenario.crowd.visitors) + u64::from(scenario.browsers);
    let lost = |index: &u64| segments.iter().any(|segment| segment.has(*index));
    everybody.filter(lost).count() as u64
}

/// The sum of `parts` with its verdicts; goose is believed only where it `heard_all` of them and nothing
/// else.
pub(crate) fn add_up(
    scenario: &Scenario,
    parts: Vec<SegmentResult>,
    heard_all: bool,
) -> Result<LoadResult, MergeError> {
    let mut parts = parts.into_iter();
    let mut sum = parts.next().ok_or(MergeError::Nothing)?;
    let mut series = vec![std::mem::take(&mut sum.series)];
    let mut tallies = std::mem::take(&mut sum.steps);
    for mut part in parts {
        series.push(std::mem::take(&mut part.series));
        tallies.append(&mut part.steps);
        sum.add(part);
    }
    let tallies = StepTally::sum(&tallies);
    let steps: Vec<StepSummary> = tallies.iter().map(StepTally::summary).collect();
    let percentile_us = |step: Step, percent: f64| {
        let crowd = tallies.iter().find(|t| t.step == step && t.lane == Lane::Crowd);
        crowd.map_or(0, |tally| tally.response.percentile_us(percent))
    };
    let fairness = fairness::judge(&sum.observations.places, sum.observations.draw.as_ref());
    let waiting = deciles(&sum.observations, &arrivals(scenario));
    add_waits(&mut sum.personas, &sum.observations);
    let figures = Figures {
        funnel: &sum.funnel,
        steps: &steps,
        percentile_us: &percentile_us,
        seats: scenario.seats(),
        goose: &sum.goose,
        fairness: &fairness,
        waiting: &waiting,
        personas: &sum.personas,
    };
    let thresholds = judge(&scenario.thresholds, &figures);
    let validity = validity(
        &scenario.limits,
        &sum.generator,
        &sum.funnel,
        &steps,
        heard_all.then_some(&sum.goose),
        sum.cut_short.as_deref(),
    );
    let milestones = Milestones::of(&sum.observations, scenario.seats(), sum.opens_at);
    Ok(LoadResult {
        milestones,
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        seed: scenario.seed,
        started_at: sum.started_at,
        opens_at: sum.opens_at,
        finished_at: sum.finished_at,
        visitors: u64::from(scenario.crowd.visitors),
        browsers: u64::from(scenario.browsers),
        seats: scenario.seats(),
        validity,
        waiting,
        fairness,
        personas: sum.personas,
        series: add_seconds(series, sum.opens_at),
        funnel: sum.funnel,
        steps,
        thresholds,
        rate_steps: Vec::new(),
        generator: sum.generator,
        goose: sum.goose,
        cut_short: sum.cut_short,
        observations: sum.observations,
    })
}

/// Every arrival, µs from the opening, in order.
fn arrivals(scenario: &Scenario) -> Vec<i64> {
    let everybody = crowd(scenario).into_iter().chain(browsers(scenario));
    let mut arrivals: Vec<i64> = everybody.map(|comer| comer.arrives_us).collect();
    arrivals.sort();
    arrivals
}

fn check(scenario: &Scenario, parts: &[SegmentResult]) -> Result<(), MergeError> {
    let first = parts.first().ok_or(MergeError::Nothing)?;
    for part in parts {
        let differs = [
            ("the scenario", part.scenario != scenario.name),
            ("the seed", part.seed != scenario.seed),
            ("the opening", part.opens_at != first.opens_at),
            ("the number of segments", part.segment.of() != first.segment.of()),
        ];
        if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
            let segment = part.segment;
            return Err(MergeError::OtherRun { segment, what });
        }
    }
    Ok(())
}

/// Each piece is there, and once.
fn complete(parts: &[SegmentResult]) -> Result<(), MergeError> {
    let of = parts.first().ok_or(MergeError::Nothing)?.segment.of();
    let different: BTreeSet<u32> = parts.iter().map(|part| part.segment.nth()).collect();
    if different.len() != of as usize || parts.len() != of as usize {
        let found = different.len();
        return Err(MergeError::Incomplete { found, of });
    }
    Ok(())
}

impl SegmentResult {
    /// Adds all of `other` but its series and steps.
    fn add(&mut self, other: Self) {
        self.started_at = self.started_at.min(other.started_at);
        self.finished_at = self.finished_at.max(other.finished_at);
        self.funnel.add(&other.funnel);
        for (mine, theirs) in self.personas.iter_mut().zip(&other.personas) {
            mine.merge(theirs);
        }
        self.generator.add(&other.generator);
        self.goose.requests += other.goose.requests;
        self.goose.reports.extend(other.goose.reports);
        if let Some(why) = other.cut_short {
            let why = format!("segment {}: {why}", other.segment);
            self.cut_short = Some(match self.cut_short.take() {
                Some(first) => format!("{first}; {why}"),
                None => why,
            });
        }
        self.observations.add(other.observations);
    }
}

/// The seconds of several workers, each added to those of the same second from the opening. A
/// percentile cannot be added; the merged second shows the worst worker's.
pub(crate) fn add_seconds(series: Vec<Vec<Second>>, opens_at: Millis) -> Vec<Second> {
    if let [_] = series.as_slice() {
        return series.into_iter().flatten().collect();
    }
    let mut sums: BTreeMap<i64, Second> = BTreeMap::new();
    for second in series.into_iter().flatten() {
        let nth = second.at.since(opens_at).div_euclid(1000);
        match sums.get_mut(&nth) {
            Some(sum) => sum.add(&second),
            None => {
                sums.insert(nth, second);
            }
        }
    }
    sums.into_values().collect()
}

#[cfg(test)]
mod tests;
