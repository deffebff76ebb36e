//! A TicketSale on one page: what it is to be, what the operator sees, and why.

use super::cluster::{ACTOR, REASON};
use crate::{
    output::Table,
    text::{countdown, grouped, instant},
};
use kube::ResourceExt as _;
use std::fmt::Write as _;
use urr_api::TicketSale;
use urr_core::time::Millis;
use urr_operator::mapping;

/// The page, as of `now`.
pub(super) fn page(sale: &TicketSale, namespace: &str, now: Millis) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, sale, namespace, now);
    out
}

fn write(out: &mut String, sale: &TicketSale, namespace: &str, now: Millis) -> std::fmt::Result {
    let spec = &sale.spec;
    let status = sale.status.clone().unwrap_or_default();
    let note = |key: &str| sale.annotations().get(key).cloned();
    let (pre_queue, opens, closes) = (
        mapping::millis(&spec.schedule.pre_queue_at),
        mapping::millis(&spec.schedule.opens_at),
        mapping::millis(&spec.schedule.closes_at),
    );
    let number = |n: i32| grouped(u64::try_from(n).unwrap_or(0));
    writeln!(out, "Name        {namespace}/{}", sale.name_any())?;
    if let Some(name) = &spec.display_name {
        writeln!(out, "Called      {name}")?;
    }
    writeln!(out, "Event       {}", spec.event_id)?;
    if let (Some(actor), Some(reason)) = (note(ACTOR), note(REASON)) {
        writeln!(out, "Changed by  {actor}: {reason}")?;
    }
    let phase = status
        .phase
        .as_deref()
        .unwrap_or("unknown: the operator has not seen it yet");
    writeln!(out, "Phase       {phase}  {}", countdown(now, opens))?;
    writeln!(out, "Pre-queue   {}", instant(pre_queue))?;
    writeln!(out, "Opens       {}", instant(opens))?;
    writeln!(out, "Closes      {}", instant(closes))?;
    writeln!(
        out,
        "Expected    {} people for {} seats",
        grouped(u64::try_from(spec.crowd.expected_visitors).unwrap_or(0)),
        number(spec.seats)
    )?;
    let admission = &spec.admission;
    let now_at = match status.rate_per_second {
        Some(rate) if rate != admission.rate_per_second => format!(" (now {}/s)", number(rate)),
        _ => String::new(),
    };
    writeln!(
        out,
        "Admission   {}/s{now_at}, at most {} inside, burst {}",
        number(admission.rate_per_second),
        number(admission.cap),
        number(admission.burst)
    )?;
    let ready = status
        .ready_replicas
        .map_or_else(|| "an unknown number".to_owned(), number);
    writeln!(
        out,
        "Capacity    {} replicas of {}/s, {ready} ready",
        number(spec.capacity.replicas),
        number(spec.capacity.rate_per_replica)
    )?;
    if let Some(seconds) = status.slack_seconds {
        let (word, seconds) = if seconds < 0 {
            ("after", -seconds)
        } else {
            ("before", seconds)
        };
        let seconds = grouped(seconds.unsigned_abs());
        writeln!(
            out,
            "Slack       capacity is there {seconds} s {word} the first visitor may come"
        )?;
    }
    if let Some(line) = &status.line {
        let number = |n: i64| grouped(u64::try_from(n).unwrap_or(0));
        writeln!(
            out,
            "Line        {} waiting, {} inside, {} seats sold",
            number(line.waiting),
            number(line.active),
            number(line.sold)
        )?;
    }
    if let Some(at) = &status.next_transition_at {
        writeln!(out, "Next        {}", instant(mapping::millis(at)))?;
    }
    for advice in &status.advice {
        writeln!(
            out,
            "Next time   {} = {}: {}",
            advice.field, advice.value, advice.because
        )?;
    }
    if !status.targets.is_empty() {
        let mut table = Table::new(&["TARGET", "READY", "WANTED", "BEFORE"], &[]);
        let number = |n: i32| u64::try_from(n).unwrap_or(0);
        for target in &status.targets {
            table.row(vec![
                target.name.clone().into(),
                number(target.ready).into(),
                number(target.desired).into(),
                target.before.map(number).into(),
            ]);
        }
        write!(out, "\n{}", table.render(false, true))?;
    }
    if !status.conditions.is_empty() {
        let mut table = Table::new(&["CONDITION", "IS", "REASON", "MESSAGE"], &[]);
        for condition in &status.conditions {
            table.row(vec![
                condition.type_.clone().into(),
                condition.status.clone().into(),
                condition.reason.clone().into(),
                condition.message.clone().into(),
            ]);
        }
        write!(out, "\n{}", table.render(false, true))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_tells_what_is_wanted_what_is_and_why() {
        let text = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../manifests/samples/ticketsale.yaml"
        );
        let mut sale: TicketSale = serde_yaml::from_str(&std::fs::read_to_string(text).unwrap()).unwrap();
        let opens = mapping::millis(&sale.spec.schedule.opens_at);
        sale.annotations_mut().insert(ACTOR.to_owned(), "mina".to_owned());
        sale.annotations_mut()
            .insert(REASON.to_owned(), "the band said yes".to_owned());
        sale.status = serde_json::from_value(json!({
            "phase": "PreScaling", "readyReplicas": 3, "ratePerSecond": 30, "slackSeconds": -4,
            "line": {"issued": 10, "serving": 2, "waiting": 8, "active": 1, "sold": 0},
            "targets": [{"name": "booking", "desired": 4, "ready": 3, "before": 1}],
            "conditions": [{"type": "Ready", "status": "False", "reason": "NotEnoughReady",
                            "message": "3 of 4 replicas are ready", "lastTransitionTime": "2037-03-05T10:00:00Z"}],
        }))
        .unwrap();
        insta::assert_snapshot!(page(&sale, "urr", opens.plus_s(-3600)));
    }
}
