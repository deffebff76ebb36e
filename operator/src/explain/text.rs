//! The explanation: pure, from what was observed and the time.

use super::Observed;
use super::owners::owners;
use crate::lease;
use crate::mapping::{self, millis, time};
use crate::status::ABORTED;
use crate::targets::Moves;
use crate::{decide, decide::Experience};
use kube::ResourceExt;
use std::fmt::Write as _;
use urr_api::TicketSaleStatus;
use urr_api::conditions::{ADMISSION_APPLIED, CAPACITY_READY, READY, ROOM_ACTIVE, SCHEDULE_HONOURED, reason};
use urr_core::sale::Sale;
use urr_core::time::Millis;

/// Explains `observed` at `now`.
#[must_use]
pub fn text(observed: &Observed, now: Millis) -> String {
    let sale = &observed.sale;
    let shown = sale.status.clone().unwrap_or_default();
    let mut out = String::new();
    let phase = shown.phase.as_deref().unwrap_or("not looked at yet");
    line(
        &mut out,
        0,
        &format!(
            "TicketSale {}/{}: {phase}",
            sale.namespace().unwrap_or_default(),
            sale.name_any()
        ),
    );
    let core = mapping::sale(&sale.name_any(), &sale.spec);
    out.push('\n');
    why(&mut out, observed, &shown, core.as_ref().ok(), now);
    out.push('\n');
    next(&mut out, observed, &shown, core.as_ref().ok(), now);
    out.push('\n');
    who(&mut out, observed);
    let mut to_do = short(&mut out, observed, &shown);
    if let Err(problems) = &core {
        to_do.extend(problems.iter().map(|problem| format!("{problem}")));
    }
    out.push('\n');
    line(&mut out, 0, "What to do");
    if to_do.is_empty() {
        line(&mut out, 1, "nothing");
    }
    for what in to_do {
        line(&mut out, 1, &format!("- {what}"));
    }
    out
}

fn line(out: &mut String, depth: usize, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{:width$}{text}", "", width = depth * 2);
}

fn at(instant: Millis, now: Millis) -> String {
    let away_s = instant.since(now).div_euclid(1000);
    let away = spoken(away_s.unsigned_abs());
    let when = if away_s >= 0 {
        format!("in {away}")
    } else {
        format!("{away} ago")
    };
    format!("{} ({when})", time(instant).0)
}

fn spoken(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn why(out: &mut String, observed: &Observed, shown: &TicketSaleStatus, sale: Option<&Sale>, now: Millis) {
    line(out, 0, "Why it is so");
    let spec = &observed.sale.spec;
    if let (Some(phase), Some(sale)) = (shown.phase.as_deref(), sale) {
        line(out, 1, &reason_of(phase, observed, sale, now));
    }
    if spec.abort && shown.phase.as_deref() != Some(ABORTED) {
        line(out, 1, "spec.abort is set; the room is being closed");
    }
    if spec.hold {
        line(out, 1, "spec.hold is set: the line does not move");
    }
    let generation = observed.sale.metadata.generation;
    if observed.sale.status.is_none() {
        line(out, 1, "no operator has looked at it yet");
    } else if shown.observed_generation != generation {
        let seen = shown.observed_generation.unwrap_or(0);
        let is = generation.unwrap_or(0);
        line(
            out,
            1,
            &format!("the operator has looked at generation {seen} of the spec, which is at {is}"),
        );
    }
    for type_ in [
        READY,
        CAPACITY_READY,
        ROOM_ACTIVE,
        ADMISSION_APPLIED,
        SCHEDULE_HONOURED,
    ] {
        let Some(found) = shown.conditions.iter().find(|found| found.type_ == type_) else {
            continue;
        };
        let since = at(millis(&found.last_transition_time), now);
        line(
            out,
            1,
            &format!(
                "{type_} is {} since {since}: {}: {}",
                found.status, found.reason, found.message
            ),
        );
    }
}

fn reason_of(phase: &str, observed: &Observed, sale: &Sale, now: Millis) -> String {
    let schedule = &sale.schedule;
    let lead = observed
        .sale
        .status
        .as_ref()
        .and_then(|status| status.lead_seconds)
        .unwrap_or(0);
    match phase {
        "Scheduled" => format!(
            "Scheduled: capacity is asked for {} before the pre-queue, which begins at {}",
            spoken(u64::from(lead.unsigned_abs())),
            at(schedule.pre_queue_at, now)
        ),
        "PreScaling" => format!(
            "PreScaling: the pre-queue begins at {}, and capacity needs up to {}",
            at(schedule.pre_queue_at, now),
            spoken(u64::from(lead.unsigned_abs()))
        ),
        "PreQueue" => format!(
            "PreQueue: people join since {}; the line moves at {}",
            at(schedule.pre_queue_at, now),
            at(schedule.opens_at, now)
        ),
        "Open" => format!(
            "Open: since {}, until {}",
            at(schedule.opens_at, now),
            at(schedule.closes_at, now)
        ),
        "Paused" => "Paused: it should move by the schedule, and the line is held (see Ready)".to_owned(),
        "SoldOut" => "SoldOut: every seat is sold".to_owned(),
        "Closed" => format!("Closed: since {}", at(schedule.closes_at, now)),
        ABORTED => "Aborted: spec.abort is set; that cannot be taken back".to_owned(),
        other => other.to_owned(),
    }
}

fn next(out: &mut String, observed: &Observed, shown: &TicketSaleStatus, sale: Option<&Sale>, now: Millis) {
    line(out, 0, "What wakes it next");
    if let Some(sale) = sale.filter(|_| shown.phase.as_deref() != Some(ABORTED)) {
        let spec = &observed.sale.spec;
        // Of other sales' experience only its own lead tells.
        let mut terms = decide::terms(spec, Some(shown), &Experience::default());
        terms.warm_up_s = terms.warm_up_s.max(i64::from(shown.lead_seconds.unwrap_or(0)));
        let boundaries = decide::boundaries(spec, sale, terms);
        let ahead: Vec<_> = boundaries.iter().filter(|(_, due)| *due > now).collect();
        match ahead.first() {
            Some((name, due)) => line(out, 1, &format!("the schedule: {name} at {}", at(*due, now))),
            None => line(out, 1, "the schedule: nothing any more"),
        }
        if let Some(due) = decide::next_due(&boundaries, spec, sale, now)
            && ahead.first().is_none_or(|(_, first)| due < *first)
        {
            line(out, 1, &format!("the gate: decided at {}", at(due, now)));
        }
    }
    line(
        out,
        1,
        "any change of the sale, of its workloads and autoscalers, and of LoadRuns it must wait for",
    );
    line(
        out,
        1,
        "the clock: every 2 s while something is missing, 10 s when near or open, 5 min otherwise",
    );
    match &observed.leader {
        Some((holder, Some(renewed))) => {
            line(
                out,
                1,
                &format!("the operator that looks: {holder}, renewed {}", at(*renewed, now)),
            );
        }
        Some((holder, None)) => line(out, 1, &format!("the operator that looks: {holder}")),
        None => line(
            out,
            1,
            "the operator that looks: none is known here (no lease can be read)",
        ),
    }
}

fn who(out: &mut String, observed: &Observed) {
    line(out, 0, "Who owns what");
    // Two steps into the spec: `spec.admission.cap`, not only `spec.admission`.
    let of_sale = owners(observed.sale.managed_fields(), |path| {
        let steps = path.split('.').count();
        let nested = [
            "spec.schedule",
            "spec.admission",
            "spec.capacity",
            "spec.rehearsal",
            "spec.completion",
        ];
        path.starts_with("spec.") && !(steps == 2 && nested.contains(&path))
    });
    line(out, 1, "TicketSale");
    for (path, by) in &of_sale {
        line(out, 2, &format!("{path}: {}", by.join(", ")));
    }
    for moved in &observed.moved {
        line(out, 1, &moved.object);
        for (path, by) in &moved.owners {
            line(out, 2, &format!("{path}: {}", by.join(", ")));
        }
        if moved.owners.is_empty() {
            line(out, 2, "nothing of what the operator moves has an owner");
        }
    }
}

/// Says what is short; gives back what to do about everything.
fn short(out: &mut String, observed: &Observed, shown: &TicketSaleStatus) -> Vec<String> {
    let mut to_do = Vec::new();
    let mut lines = Vec::new();
    let name = observed.sale.name_any();
    for what in &observed.missing {
        lines.push(format!("there is no {what}"));
        to_do.push(format!("create {what}, or take it off spec.targets"));
    }
    for moved in &observed.moved {
        let target = &moved.target;
        let wanted = shown.targets.iter().find(|shown| shown.name == target.name);
        let wanted = wanted.map_or(0, |wanted| wanted.desired.unsigned_abs());
        let what = target.moves.what();
        if target.ready < wanted {
            lines.push(format!(
                "{}: {} of {wanted} replicas are ready, {what} is {}",
                target.name, target.ready, target.count
            ));
            to_do.push(format!(
                "kubectl describe deployment {0}; kubectl get pods: see why Pods of {0} are not ready",
                target.name
            ));
        }
        if let Moves::Floor { autoscaler, max } = &target.moves
            && *max < wanted
        {
            lines.push(format!("{autoscaler} goes up to {max}, wanted are {wanted}"));
            to_do.push(format!("raise maxReplicas of {autoscaler} to {wanted} or more"));
        }
        if let Some(claim) = target.claim.as_ref().filter(|claim| claim.sale != name) {
            lines.push(format!("{} is scaled for the sale {}", target.name, claim.sale));
            to_do.push(format!(
                "let the windows of {name} and {} not overlap, or give each workloads of its own",
                claim.sale
            ));
        }
        // Somebody else who writes the count fights with us.
        for (path, by) in &moved.owners {
            let count = matches!(path.as_str(), "spec.replicas" | "spec.minReplicas");
            let others: Vec<_> = by
                .iter()
                .filter(|manager| !manager.starts_with(crate::targets::FIELD_MANAGER))
                .cloned()
                .collect();
            if count && by.len() > others.len() && !others.is_empty() {
                to_do.push(format!(
                    "{} of {} is also owned by {}: leave it out of what they apply",
                    path,
                    moved.object,
                    others.join(", ")
                ));
            }
        }
    }
    let ready = shown.conditions.iter().find(|found| found.type_ == READY);
    if ready.is_some_and(|ready| ready.reason == reason::NOT_REHEARSED) {
        let runs: Vec<String> = observed.runs.iter().map(ResourceExt::name_any).collect();
        let there = if runs.is_empty() {
            "there is none".to_owned()
        } else {
            format!("there is {}", runs.join(", "))
        };
        to_do.push(format!(
            "let a LoadRun pass ({there}), or set rehearsal.policy to Optional"
        ));
    }
    if observed.sale.spec.hold && shown.phase.as_deref() != Some(ABORTED) {
        to_do.push("set spec.hold to false when the line may move".to_owned());
    }
    let control = shown
        .conditions
        .iter()
        .any(|found| found.reason == reason::CONTROL_API_UNREACHABLE);
    if control {
        to_do.push(
            "see why the control API does not answer: kubectl get pods -l app.kubernetes.io/name=control"
                .to_owned(),
        );
    }
    if observed.sale.status.is_none() {
        to_do.push(format!(
            "see whether the operator runs: kubectl get lease {}",
            lease::NAME
        ));
    }
    for advice in &shown.advice {
        let urr_api::status::Advice {
            field,
            value,
            because,
        } = advice;
        to_do.push(format!("next time set {field} to {value}: {because}"));
    }
    if !lines.is_empty() {
        out.push('\n');
        line(out, 0, "What is short");
    }
    for text in lines {
        line(out, 1, &text);
    }
    to_do
}
