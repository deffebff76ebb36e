//! Until the Job is there: what a run needs before runners can be made, and what they will be told.

use super::super::names;
use super::super::orders::Orders;
use super::super::seen::Seen;
use super::{HAND_IN_MS, Next, Preparation, START_NOTICE_LEAST_MS, START_NOTICE_MS, fail, phase, runners};
use crate::mapping;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use urr_api::LoadRun;
use urr_api::conditions::run_reason as reason;
use urr_core::sale::Sale;
use urr_core::time::Millis;
use urr_loadgen::Scenario;
use urr_loadgen::segments::handover;

/// While something is missing that somebody may still make.
const LOOK_AGAIN_MS: i64 = 5000;

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

pub(super) fn before_runners(run: &LoadRun, seen: &Seen, target_url: &str, now: Millis) -> Next {
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

pub(super) fn go_on_preparing(seen: &Seen, orders: &Orders, now: Millis) -> Next {
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

pub(super) fn sale(run: &LoadRun, seen: &Seen) -> Result<Sale, String> {
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
    if let Some(rule) = scenario.needs_pictures() {
        return Some(format!(
            "`{rule}` is nothing that visitors see: take it out, or run it with ticketctl drill"
        ));
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
