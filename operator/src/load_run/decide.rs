//! What a run needs next, from what there is: pure. Nothing is remembered between looks but the objects
//! themselves, so an operator that is killed anywhere goes on where it was.

mod prepare;

pub use prepare::scenario;

use super::names;
use super::orders::Orders;
use super::seen::{Ended, JobSeen, Seen};
use crate::mapping;
use prepare::{before_runners, go_on_preparing, sale};
use urr_api::LoadRun;
use urr_api::conditions::run_reason as reason;
use urr_api::load_run::WhenRunnerLost;
use urr_core::time::Millis;

/// Between telling the start and the start: every runner has heard by then, also through a watch that
/// broke and was begun anew.
pub const START_NOTICE_MS: i64 = 3000;
/// A start that is set may be told this late; then those that hear last hear too late.
const START_NOTICE_LEAST_MS: i64 = 500;
/// After the scenario's own limit: what it takes to hand results in.
const HAND_IN_MS: i64 = 120_000;

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Nothing, until something changes or this instant comes.
    Wait {
        /// Where the run is.
        phase: &'static str,
        /// What it waits for.
        message: String,
        /// When to look again at the latest.
        until: Millis,
    },
    /// Write orders and make the Job.
    Prepare(Box<Preparation>),
    /// Tell all runners to begin at this instant.
    Start(Millis),
    /// All have ended: collect what they handed in and judge.
    Judge,
    /// It has failed.
    Fail(Failure),
    /// It is over: nothing changes any more.
    Over,
}

/// All that is made for a run before it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Preparation {
    /// For the runners.
    pub orders: Orders,
    /// The scenario as it was read.
    pub scenario_text: String,
    /// How long the Job may run, in seconds.
    pub deadline_s: i64,
}

/// Why a run has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One of `run_reason`.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

/// Where a run is, for people.
pub mod phase {
    /// Its runners are not made yet.
    pub const PREPARING: &str = "Preparing";
    /// They are made and come up.
    pub const WAITING: &str = "Waiting";
    /// They were told when to begin.
    pub const RUNNING: &str = "Running";
    /// It passed.
    pub const SUCCEEDED: &str = "Succeeded";
    /// It did not.
    pub const FAILED: &str = "Failed";
}

fn fail(reason: &'static str, message: impl Into<String>) -> Next {
    Next::Fail(Failure {
        reason,
        message: message.into(),
    })
}

/// Whether the verdict has been told.
#[must_use]
pub fn is_over(run: &LoadRun) -> bool {
    let shown = run.status.as_ref();
    shown.is_some_and(|status| status.finished_at.is_some())
}

/// What `run` needs at `now`. `target_url` is where its visitors go.
#[must_use]
pub fn next(run: &LoadRun, seen: &Seen, target_url: &str, now: Millis) -> Next {
    if is_over(run) {
        return Next::Over;
    }
    // Killed between the Job's end and the report: what it was ended for holds.
    if let Some(job) = seen.job.as_ref().filter(|job| job.is_ours && job.is_let_go)
        && let Some(because) = &job.ended_because
    {
        return Next::Fail(because.clone());
    }
    match (&seen.job, &seen.orders) {
        (None, orders) => {
            let shown = run.status.as_ref().and_then(|status| status.job.as_ref());
            if shown.is_some() || (orders.is_some() && seen.start.is_some()) {
                return fail(reason::JOB_LOST, "somebody deleted the Job: its runners are gone");
            }
            match orders {
                // Killed between the orders and the Job: what was written down holds.
                Some(orders) => go_on_preparing(seen, orders, now),
                None => before_runners(run, seen, target_url, now),
            }
        }
        (Some(job), Some(orders)) if job.is_ours => match seen.start {
            None => before_start(run, seen, (job, orders), now),
            Some(start) => after_start(run, seen, (job, orders), start, now),
        },
        (Some(_), Some(_)) => fail(reason::JOB_LOST, "the Job of its name is somebody else's"),
        (Some(_), None) => fail(
            reason::JOB_LOST,
            format!(
                "somebody deleted the ConfigMap {}: nobody knows any more what its runners were told",
                names::orders(&names::job(run))
            ),
        ),
    }
}

fn runners(run: &LoadRun) -> u32 {
    u32::try_from(run.spec.runners).unwrap_or(1).max(1)
}

fn before_start(run: &LoadRun, seen: &Seen, (job, orders): (&JobSeen, &Orders), now: Millis) -> Next {
    let of = runners(run);
    // Unless it is we who ended it, in a look of an operator that did not write down why: then for the reason
    // that is still there.
    if let Some(Ended::Failed { reason: why, message }) = &job.ended
        && job.failed == 0
        && !job.is_let_go
    {
        return fail(
            reason::JOB_LOST,
            format!("the Job ended before the start: {why}: {message}"),
        );
    }
    if job.failed > 0 || job.succeeded > 0 {
        let message = format!("a runner ended before all had begun{}", lost_indexes(job));
        return fail(reason::RUNNER_LOST, message);
    }
    // What they were told is the sale as it was.
    match sale(run, seen) {
        Err(what) => return fail(reason::SALE_CHANGED, what),
        Ok(sale) if sale.schedule.opens_at != orders.sale.schedule.opens_at => {
            let message = "the sale's opening was moved after its runners had been made";
            return fail(reason::SALE_CHANGED, message);
        }
        Ok(_) => {}
    }
    let (due, ready_by) = (orders.due, orders.ready_by);
    let opens_at = orders.sale.schedule.opens_at;
    if job.ready >= of {
        let at = if run.spec.start.at.is_some() {
            due
        } else {
            due.max(now.plus_ms(START_NOTICE_MS))
        };
        if at.since(now) < START_NOTICE_LEAST_MS {
            return fail(reason::NOT_READY, "all runners were ready only after start.at");
        }
        if at >= opens_at {
            return fail(
                reason::TOO_LATE,
                "all runners were ready only at the sale's opening",
            );
        }
        return Next::Start(at);
    }
    let message = format!("{} of {of} runners are ready", job.ready);
    if now >= ready_by || now >= opens_at {
        return fail(reason::NOT_READY, format!("{message}: too few in time"));
    }
    Next::Wait {
        phase: phase::WAITING,
        message,
        until: ready_by.min(opens_at),
    }
}

fn after_start(
    run: &LoadRun,
    seen: &Seen,
    (job, orders): (&JobSeen, &Orders),
    start: Millis,
    now: Millis,
) -> Next {
    let of = runners(run);
    let lost = job.failed > 0;
    if lost && run.spec.when_runner_lost == WhenRunnerLost::Fail {
        let message = format!(
            "a runner died and its visitors with it{}: the crowd is not the scenario's",
            lost_indexes(job)
        );
        return fail(reason::RUNNER_LOST, message);
    }
    match &job.ended {
        Some(Ended::Complete) => return Next::Judge,
        Some(Ended::Failed { reason: why, .. }) if why == "DeadlineExceeded" => {
            return fail(reason::DEADLINE_EXCEEDED, "the runners did not end in their time");
        }
        // With Continue a Job that lost some of its Pods ends as failed when the others are through.
        Some(Ended::Failed { .. }) if lost => return Next::Judge,
        Some(Ended::Failed { reason: why, message }) => {
            return fail(reason::JOB_LOST, format!("the Job failed: {why}: {message}"));
        }
        None => {}
    }
    let Ok(scenario) = scenario(run, seen.scenario_text.as_deref().unwrap_or_default()) else {
        return fail(
            reason::JOB_LOST,
            "what its runners were told cannot be read any more",
        );
    };
    let until = start.plus_ms(scenario.limits.run_at_most_ms + HAND_IN_MS);
    if now >= until {
        return fail(reason::DEADLINE_EXCEEDED, "the runners did not end in their time");
    }
    let when = if now < start { "begin" } else { "began" };
    let begin_at = mapping::time(start).0;
    let opens_at = mapping::time(orders.sale.schedule.opens_at).0;
    Next::Wait {
        phase: phase::RUNNING,
        message: format!(
            "{of} runners {when} at {begin_at}, the sale opens at {opens_at}, {} have ended",
            job.succeeded + job.failed
        ),
        until,
    }
}

fn lost_indexes(job: &JobSeen) -> String {
    if job.lost_indexes.is_empty() {
        String::new()
    } else {
        let segments: Vec<String> = job
            .lost_indexes
            .iter()
            .map(|index| (index + 1).to_string())
            .collect();
        format!(" (segment {})", segments.join(", "))
    }
}

#[cfg(test)]
mod tests;
