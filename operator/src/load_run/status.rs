//! What is told of a run: pure, and equal to what is shown as long as nothing changes.

use super::decide::{Failure, phase};
use super::names;
use super::seen::Seen;
use super::verdict::Verdict;
use crate::mapping::time;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use std::fmt::Write as _;
use urr_api::conditions::{STARTED, SUCCEEDED, run_reason as reason};
use urr_api::load_run::{Artefact, Figures, Rehearsed};
use urr_api::{LoadRun, LoadRunStatus};
use urr_core::sale::Sale;
use urr_core::time::Millis;
use urr_loadgen::LoadResult;
use urr_loadgen::measure::{Lane, Step};

/// Longest message of a condition: the API server takes 32 KiB, people read a line.
const MESSAGE_BYTES_MAX: usize = 1000;

/// The status of a run that goes on.
#[must_use]
pub fn under_way(run: &LoadRun, seen: &Seen, phase: &str, message: &str, now: Millis) -> LoadRunStatus {
    let mut status = common(run, seen, now);
    status.phase = Some(phase.to_owned());
    let succeeded = condition(run, SUCCEEDED, "Unknown", reason::UNDER_WAY, message, now);
    put(&mut status.conditions, succeeded);
    status
}

/// The last status of a run.
#[must_use]
pub fn over(
    run: &LoadRun,
    seen: &Seen,
    verdict: &Verdict,
    artefacts: Vec<Artefact>,
    now: Millis,
) -> LoadRunStatus {
    let mut status = common(run, seen, now);
    let (phase, value, why, message) = match &verdict.failure {
        Some(Failure { reason, message }) => (phase::FAILED, "False", *reason, message.clone()),
        None => (
            phase::SUCCEEDED,
            "True",
            reason::PASSED,
            "valid, and every threshold held".to_owned(),
        ),
    };
    status.phase = Some(phase.to_owned());
    status.finished_at = Some(time(verdict.finished_at.unwrap_or(now)));
    status.skew_milliseconds = verdict.skew_ms.and_then(|skew| i32::try_from(skew).ok());
    status.lost_visitors = verdict.lost_visitors.and_then(|lost| i64::try_from(lost).ok());
    status.figures = verdict.merged.as_deref().map(figures);
    status.broken_laws.clone_from(&verdict.broken_laws);
    status.missed_thresholds.clone_from(&verdict.missed_thresholds);
    status.artefacts = artefacts;
    if seen.start.is_none() || why == reason::SKEWED {
        let started = condition(run, STARTED, "False", why, &message, now);
        put(&mut status.conditions, started);
    }
    let succeeded = condition(run, SUCCEEDED, value, why, &message, now);
    put(&mut status.conditions, succeeded);
    status
}

fn figures(merged: &LoadResult) -> Figures {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let polls = merged
        .steps
        .iter()
        .find(|step| step.step == Step::Poll && step.lane == Lane::Crowd && step.total() > 0);
    Figures {
        joined: signed(merged.funnel.joined),
        let_in: signed(merged.funnel.admitted),
        sold: signed(merged.funnel.sold),
        poll_p95_milliseconds: polls.map(|polls| signed(polls.p95_us.div_ceil(1000))),
    }
}

fn common(run: &LoadRun, seen: &Seen, now: Millis) -> LoadRunStatus {
    let mut status = run.status.clone().unwrap_or_default();
    status.observed_generation = run.metadata.generation;
    if let Some(job) = &seen.job {
        status.job = Some(names::job(run));
        let ready = i32::try_from(job.ready).unwrap_or(i32::MAX);
        // "Or were": those that have ended are not ready any more.
        status.ready_runners = Some(status.ready_runners.unwrap_or(0).max(ready));
        if seen.start.is_none() {
            status.ready_runners = Some(ready);
        }
    }
    if let Some(orders) = &seen.orders {
        status.rehearsed = Some(rehearsed(&orders.sale));
    }
    if let Some(start) = seen.start {
        status.started_at = Some(time(start));
        let message = format!("all runners were told to begin at {}", time(start).0);
        let started = condition(run, STARTED, "True", reason::BEGAN_TOGETHER, &message, now);
        put(&mut status.conditions, started);
    }
    status
}

/// The part of `sale` that a rehearsal proves something about.
#[must_use]
pub fn rehearsed(sale: &Sale) -> Rehearsed {
    let signed = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    Rehearsed {
        event_id: sale.id.to_string(),
        opens_at: Some(time(sale.schedule.opens_at)),
        seats: signed(sale.seats),
        rate_per_second: signed(sale.admission.rate_per_s),
        cap: signed(sale.admission.cap),
        replicas: signed(sale.capacity.replicas),
        rate_per_replica: signed(sale.capacity.rate_per_replica),
    }
}

/// What a run left, and where.
#[must_use]
pub fn artefacts(run: &LoadRun, has_result: bool) -> Vec<Artefact> {
    let job = names::job(run);
    let mut all = Vec::new();
    if has_result {
        let map = names::result(&job);
        for key in [names::RESULT_KEY, names::SUMMARY_KEY] {
            all.push(Artefact {
                name: key.to_owned(),
                place: format!("ConfigMap {map}, key {key}"),
            });
        }
    }
    if let Some(claim) = &run.spec.artefacts.volume_claim {
        all.push(Artefact {
            name: "runners".to_owned(),
            place: format!("PersistentVolumeClaim {claim}, {job}/<segment>"),
        });
    }
    all
}

/// The result for people.
#[must_use]
pub fn summary(run: &LoadRun, verdict: &Verdict, merged: &LoadResult) -> String {
    let mut text = format!("{}: {}\n", run.name_any(), merged.title);
    let line = match &verdict.failure {
        None => "passed".to_owned(),
        Some(Failure { reason, message }) => format!("failed: {reason}: {message}"),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}\n");
    for judged in &merged.thresholds {
        let met = if judged.passed { "met" } else { "MISSED" };
        let _ = writeln!(text, "{:<40} {met:<7} {}", judged.rule, judged.observed);
    }
    let funnel = &merged.funnel;
    let _ = writeln!(
        text,
        "\narrived {}, let in {}, sold {} of {}",
        funnel.arrived, funnel.admitted, funnel.sold, merged.seats
    );
    if let Some(skew) = verdict.skew_ms {
        let _ = writeln!(text, "runners began {skew} ms apart");
    }
    text
}

fn condition(
    run: &LoadRun,
    type_: &str,
    status: &str,
    reason: &str,
    message: &str,
    now: Millis,
) -> Condition {
    let shown = run.status.iter().flat_map(|status| &status.conditions);
    let unchanged = shown
        .filter(|shown| shown.type_ == type_ && shown.status == status)
        .map(|shown| shown.last_transition_time.clone())
        .next();
    let cut = message.floor_char_boundary(MESSAGE_BYTES_MAX);
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.get(..cut).unwrap_or(message).to_owned(),
        observed_generation: run.metadata.generation,
        last_transition_time: unchanged.unwrap_or_else(|| time(now)),
    }
}

fn put(conditions: &mut Vec<Condition>, condition: Condition) {
    match conditions.iter_mut().find(|old| old.type_ == condition.type_) {
        Some(old) => *old = condition,
        None => conditions.push(condition),
    }
}
