//! What a run needs next, from what there is: pure. Nothing is remembered between looks but the objects
//! themselves, so an operator that is killed anywhere goes on where it was.

use super::names;
use super::orders::Orders;
use super::seen::{Ended, JobSeen, Seen};
use crate::mapping;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use urr_api::LoadRun;
use urr_api::conditions::run_reason as reason;
use urr_api::load_run::WhenRunnerLost;
use urr_core::sale::Sale;
use urr_core::time::Millis;
use urr_loadgen::Scenario;
use urr_loadgen::segments::handover;

/// Between telling the start and the start: every runner has heard by then, also through a watch that
/// broke and was begun anew.
pub const START_NOTICE_MS: i64 = 3000;
/// A start that is set may be told this late; then those that hear last hear too late.
const START_NOTICE_LEAST_MS: i64 = 500;
/// After the scenario's own limit: what it takes to hand results in.
const HAND_IN_MS: i64 = 120_000;
/// While something is missing that somebody may still make.
const LOOK_AGAIN_MS: i64 = 5000;

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

fn timeout_ms(run: &LoadRun) -> i64 {
    i64::from(run.spec.start.timeout_seconds) * 1000
}

fn created_at(run: &LoadRun, now: Millis) -> Millis {
    let made = run.creation_timestamp();
    made.map_or(now, |Time(at)| Millis(at.as_millisecond()))
}

/// Until when something that is missing is waited for.
fn missing_until(run: &LoadRun, now: Millis) -> Millis {
    created_at(run, now).plus_ms(timeout_ms(run))
}

fn before_runners(run: &LoadRun, seen: &Seen, target_url: &str, now: Millis) -> Next {
    let until = missing_until(run, now);
    let missing = |why: &'static str, what: String| {
        if now >= until {
            return fail(why, what);
        }
        Next::Wait {
            phase: phase::PREPARING,
            message: what,
            until: until.min(now.plus_ms(LOOK_AGAIN_MS)),
        }
    };
    let sale = match sale(run, seen) {
        Ok(sale) => sale,
        Err(what) => return missing(reason::SALE_MISSING, what),
    };
    let Some(text) = &seen.scenario_text else {
        let of = &run.spec.scenario;
        let what = format!("there is no key {} in a ConfigMap {}", of.key, of.config_map);
        return missing(reason::SCENARIO_MISSING, what);
    };
    let scenario = match scenario(run, text) {
        Ok(scenario) => scenario,
        Err(what) => return fail(reason::SCENARIO_UNFIT, what),
    };
    if let Some(what) = unfit(run, &scenario, &sale) {
        return fail(reason::SCENARIO_UNFIT, what);
    }
    let opens_at = sale.schedule.opens_at;
    let due = due(run, &scenario, &sale);
    if run.spec.start.at.is_some() && due >= opens_at {
        return fail(reason::TOO_LATE, "start.at is not before the sale's opening");
    }
    if now.plus_ms(START_NOTICE_MS) >= opens_at {
        return fail(reason::TOO_LATE, "the sale opens before any runner can begin");
    }
    let make_at = due.plus_ms(-timeout_ms(run));
    if now < make_at {
        return Next::Wait {
            phase: phase::PREPARING,
            message: format!("runners are made at {}", mapping::time(make_at).0),
            until: make_at,
        };
    }
    let seed = scenario.seed;
    let run_at_most_ms = scenario.limits.run_at_most_ms;
    let ready_by = ready_by(run, now, due);
    let start_by = ready_by.max(due).plus_ms(START_NOTICE_MS);
    let job = names::job(run);
    Next::Prepare(Box::new(Preparation {
        orders: Orders {
            run_uid: run.uid().unwrap_or_default(),
            runners: runners(run),
            seed,
            fingerprint: handover::fingerprint(text, seed),
            sale,
            target_url: target_url.to_owned(),
            due,
            ready_by,
            start_by,
            hand_in_bytes_max: handover::budget(runners(run)),
            job,
        },
        scenario_text: text.clone(),
        deadline_s: deadline_s(start_by, run_at_most_ms, now),
    }))
}

fn go_on_preparing(seen: &Seen, orders: &Orders, now: Millis) -> Next {
    if now >= orders.ready_by {
        return fail(reason::NOT_READY, "the runners could not be made in time");
    }
    let text = seen.scenario_text.clone().unwrap_or_default();
    let Ok(scenario) = Scenario::parse(names::SCENARIO_KEY, &text) else {
        return fail(
            reason::JOB_LOST,
            "what runners were to be told cannot be read any more",
        );
    };
    Next::Prepare(Box::new(Preparation {
        orders: orders.clone(),
        scenario_text: text,
        deadline_s: deadline_s(orders.start_by, scenario.limits.run_at_most_ms, now),
    }))
}

/// How long a Job that is made now may run, in seconds.
fn deadline_s(start_by: Millis, run_at_most_ms: i64, now: Millis) -> i64 {
    (start_by.since(now) + run_at_most_ms + HAND_IN_MS) / 1000
}

/// The scenario of `text` with the run's seed.
///
/// # Errors
/// What is wrong with it, in the words of `ticketctl validate`.
pub fn scenario(run: &LoadRun, text: &str) -> Result<Scenario, String> {
    let mut scenario =
        Scenario::parse(&run.spec.scenario.key, text).map_err(|error| first_line(&error.to_string()))?;
    if let Some(seed) = run.spec.seed {
        scenario.seed = seed.unsigned_abs();
    }
    Ok(scenario)
}

/// A condition's message is read in one line; `ticketctl validate` shows the whole.
fn first_line(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.into_iter().take(3).collect::<Vec<_>>().join(" ")
}

fn sale(run: &LoadRun, seen: &Seen) -> Result<Sale, String> {
    let name = &run.spec.sale_ref.name;
    let Some(object) = &seen.sale else {
        return Err(format!("there is no TicketSale {name} that can be read"));
    };
    mapping::sale(name, &object.spec).map_err(|problems| {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        format!("the TicketSale {name} cannot be carried out: {first}")
    })
}

fn unfit(run: &LoadRun, scenario: &Scenario, sale: &Sale) -> Option<String> {
    let everybody = u64::from(scenario.crowd.visitors) + u64::from(scenario.browsers);
    if !handover::fits(scenario) {
        return Some(format!(
            "{everybody} visitors are more than are merged in a cluster ({} at most): use ticketctl load",
            handover::VISITORS_MAX
        ));
    }
    if !scenario.faults.is_empty() {
        let what =
            "it has faults, and a LoadRun breaks nothing: take them out, or run it with ticketctl drill";
        return Some(what.to_owned());
    }
    if !scenario.sales.is_empty() {
        return Some("it has several sales: make a LoadRun for each".to_owned());
    }
    if everybody < u64::from(runners(run)) {
        return Some(format!(
            "{everybody} visitors cannot be shared by {} runners",
            run.spec.runners
        ));
    }
    if scenario.seats() != u64::from(sale.seats) {
        return Some(format!(
            "the scenario sells {} seats, the sale {}",
            scenario.seats(),
            sale.seats
        ));
    }
    None
}

/// When the run is to begin.
fn due(run: &LoadRun, scenario: &Scenario, sale: &Sale) -> Millis {
    match &run.spec.start.at {
        Some(at) => mapping::millis(at),
        None => sale.schedule.opens_at.plus_ms(-scenario.sale.opens_in_ms),
    }
}

/// Until when runners made at `made_at` must be ready.
fn ready_by(run: &LoadRun, made_at: Millis, due: Millis) -> Millis {
    match &run.spec.start.at {
        Some(_) => due.plus_ms(-START_NOTICE_LEAST_MS),
        None => made_at.plus_ms(timeout_ms(run)),
    }
}

fn before_start(run: &LoadRun, seen: &Seen, (job, orders): (&JobSeen, &Orders), now: Millis) -> Next {
    let of = runners(run);
    // Unless it is we who ended it, in a look that did not come to its end: then for the reason that is still
    // there.
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
