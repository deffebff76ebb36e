//! One verdict from what all runners handed in: pure.

use super::collect::Handed;
use super::decide::Failure;
use super::orders::Orders;
use std::collections::BTreeMap;
use urr_api::LoadRun;
use urr_api::conditions::run_reason as reason;
use urr_api::load_run::WhenRunnerLost;
use urr_core::time::Millis;
use urr_loadgen::segments::handover::{HandIn, laws_seen_broken};
use urr_loadgen::segments::{MergeError, SegmentResult, merge, merge_what_is_there};
use urr_loadgen::{LoadResult, Scenario};

/// What a run came to.
#[derive(Debug)]
pub struct Verdict {
    /// `None`: it passed.
    pub failure: Option<Failure>,
    /// When the last runner's last visitor was through.
    pub finished_at: Option<Millis>,
    /// How far apart the runners began, by the target's clock where it could be asked, in milliseconds.
    pub skew_ms: Option<i64>,
    /// Visitors who never came.
    pub lost_visitors: Option<u64>,
    /// Laws that visitors saw broken.
    pub broken_laws: Vec<String>,
    /// Thresholds that were missed.
    pub missed_thresholds: Vec<String>,
    /// The merged result, where there is one.
    pub merged: Option<Box<LoadResult>>,
}

impl Verdict {
    /// One without a result.
    #[must_use]
    pub const fn failed(failure: Failure) -> Self {
        Self {
            failure: Some(failure),
            finished_at: None,
            skew_ms: None,
            lost_visitors: None,
            broken_laws: Vec::new(),
            missed_thresholds: Vec::new(),
            merged: None,
        }
    }
}

fn failed(reason: &'static str, message: String) -> Verdict {
    Verdict::failed(Failure { reason, message })
}

/// Judges what was `handed` in for `run`, once and for everybody.
#[must_use]
pub fn judge(run: &LoadRun, orders: &Orders, scenario: &Scenario, handed: BTreeMap<u32, Handed>) -> Verdict {
    let mut parts: Vec<HandIn> = Vec::new();
    let mut missing: Vec<String> = (1..=orders.runners)
        .filter(|nth| !handed.contains_key(nth))
        .map(|nth| format!("segment {nth} was not handed in"))
        .collect();
    for (nth, result) in handed {
        match result {
            Handed::Whole(part) => parts.push(*part),
            Handed::Broken(what) => missing.push(what),
            Handed::Twice(what) => return failed(reason::RESULT_TWICE, what),
        }
        if nth > orders.runners {
            let message = format!("segment {nth} of {} was handed in", orders.runners);
            return failed(reason::RESULT_OF_ANOTHER_RUN, message);
        }
    }
    for part in &parts {
        if let Some(what) = stranger(part, orders) {
            let segment = part.result.segment;
            return failed(
                reason::RESULT_OF_ANOTHER_RUN,
                format!("segment {segment}: {what}"),
            );
        }
    }
    let goes_on = run.spec.when_runner_lost == WhenRunnerLost::Continue;
    if !missing.is_empty() && (!goes_on || parts.is_empty()) {
        return failed(reason::RESULT_MISSING, shortened(&missing));
    }
    let begun: Vec<i64> = parts.iter().map(|part| part.began_at().0).collect();
    let skew_ms = begun
        .iter()
        .max()
        .zip(begun.iter().min())
        .map(|(last, first)| last - first);
    let got_in = parts.iter().map(|part| part.intrusions_got_in).sum();
    let results = parts.into_iter().map(|part| part.result).collect();
    match put_together(scenario, results, missing.is_empty()) {
        Ok((merged, lost)) => told(run, merged, lost, skew_ms, got_in),
        Err(error @ MergeError::OtherRun { .. }) => failed(reason::RESULT_OF_ANOTHER_RUN, error.to_string()),
        Err(error) => failed(reason::RESULT_MISSING, error.to_string()),
    }
}

fn put_together(
    scenario: &Scenario,
    parts: Vec<SegmentResult>,
    complete: bool,
) -> Result<(LoadResult, u64), MergeError> {
    if complete {
        return merge(scenario, parts).map(|merged| (merged, 0));
    }
    merge_what_is_there(scenario, parts)
}

/// In what a result differs from what its runner was told.
fn stranger(part: &HandIn, orders: &Orders) -> Option<String> {
    let result = &part.result;
    if part.fingerprint != orders.fingerprint || result.seed != orders.seed {
        return Some("the scenario or its seed differs".to_owned());
    }
    if result.opens_at != orders.sale.schedule.opens_at {
        return Some("the opening differs".to_owned());
    }
    if result.segment.of() != orders.runners {
        return Some(format!("it is one of {}", result.segment.of()));
    }
    None
}

fn told(run: &LoadRun, merged: LoadResult, lost: u64, skew_ms: Option<i64>, got_in: u64) -> Verdict {
    let missed_thresholds: Vec<String> = merged
        .thresholds
        .iter()
        .filter(|judged| !judged.passed)
        .map(|judged| format!("{} ({})", judged.rule, judged.observed))
        .collect();
    let broken = laws_seen_broken(got_in, &merged.fairness);
    let skewed = skew_ms.filter(|skew| *skew > i64::from(run.spec.start.max_skew_milliseconds));
    // A run that cannot be believed says nothing of thresholds; a broken law stays one.
    let failure = if !broken.is_empty() {
        let message = format!("visitors saw {} broken", broken.join(", "));
        Some((reason::LAW_BROKEN, message))
    } else if let Some(skew) = skewed {
        let most = run.spec.start.max_skew_milliseconds;
        Some((
            reason::SKEWED,
            format!("the runners began {skew} ms apart; {most} ms are allowed"),
        ))
    } else if !merged.validity.is_valid() {
        Some((reason::INVALID, shortened(&merged.validity.reasons)))
    } else if !missed_thresholds.is_empty() {
        Some((reason::THRESHOLDS_MISSED, shortened(&missed_thresholds)))
    } else {
        None
    };
    Verdict {
        failure: failure.map(|(reason, message)| Failure { reason, message }),
        finished_at: Some(merged.finished_at),
        skew_ms,
        lost_visitors: (lost > 0).then_some(lost),
        broken_laws: broken.into_iter().map(str::to_owned).collect(),
        missed_thresholds,
        merged: Some(Box::new(merged)),
    }
}

/// A condition's message is for people: the first few, and how many more.
fn shortened(all: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if all.len() > SHOWN {
        text.push_str(&format!("; and {} more", all.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests;
