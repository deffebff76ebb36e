//! The conditions, each from what a look found.

use super::finding::Finding;
use super::{Findings, LATENESS_MAX_MS};
use crate::control_api::{ControlError, SaleState};
use urr_api::TicketSaleStatus;
use urr_api::conditions::{ADMISSION_APPLIED, CAPACITY_READY, ROOM_ACTIVE, SCHEDULE_HONOURED, reason};
use urr_core::sale::Phase;

pub(super) fn capacity_ready(found: &Findings<'_>) -> (&'static str, Finding) {
    let short: Vec<String> = found
        .targets
        .iter()
        .filter(|target| target.ready < target.desired)
        .map(|target| {
            format!(
                "{} of {} replicas of {}",
                target.ready, target.desired, target.name
            )
        })
        .collect();
    let finding = if !found.missing.is_empty() {
        let message = format!(
            "there is no {}: create it or take it off spec.targets",
            found.missing.join(", no ")
        );
        Finding::no(reason::TARGET_MISSING, message)
    } else if !found.conflicting_targets.is_empty() {
        let names = found.conflicting_targets.join(", ");
        let message =
            format!("another sale has scaled {names}: let their windows not overlap, or give each its own");
        Finding::no(reason::TARGET_CONFLICT, message)
    } else if let (Some((target, autoscaler)), false) =
        (found.rivals.first(), found.plan.phase == Phase::Closed)
    {
        let message = format!(
            "the HorizontalPodAutoscaler {autoscaler} scales {target} too, so this sale does not: name it under the target's autoscaler, and its minReplicas is moved"
        );
        Finding::no(reason::AUTOSCALER_NOT_NAMED, message)
    } else if short.is_empty() {
        let ready = found
            .targets
            .iter()
            .map(|target| format!("{} of {}", target.ready, target.name));
        let ready: Vec<String> = ready.collect();
        Finding::yes(if ready.is_empty() {
            "nothing is to be scaled".to_owned()
        } else {
            format!(
                "as many replicas are ready as are wanted now: {}",
                ready.join(", ")
            )
        })
    } else {
        let caps = found
            .capped
            .iter()
            .map(|(name, max)| format!("; the autoscaler of {name} goes up to {max}: raise its maxReplicas"));
        let message = format!("ready are {}{}", short.join(", "), caps.collect::<String>());
        Finding::no(reason::NOT_ENOUGH_READY, message)
    };
    (CAPACITY_READY, finding)
}

pub(super) fn schedule_honoured(
    found: &Findings<'_>,
    lateness: Option<i64>,
    before: Option<&TicketSaleStatus>,
) -> (&'static str, Finding) {
    let finding = match (found.reached, lateness, found.slack_s) {
        (Some((boundary, late)), ..) if late > LATENESS_MAX_MS => {
            Finding::no(reason::LATE, format!("{boundary} was acted on {late} ms late"))
        }
        (None, Some(late), _) if late > LATENESS_MAX_MS => {
            let kept = before
                .into_iter()
                .flat_map(|status| &status.conditions)
                .find(|condition| condition.type_ == SCHEDULE_HONOURED && condition.reason == reason::LATE);
            let message = kept.map_or_else(
                || format!("the last boundary was acted on {late} ms late"),
                |condition| condition.message.clone(),
            );
            Finding::no(reason::LATE, message)
        }
        (.., Some(slack)) if slack < 0 => Finding::no(
            reason::LATE,
            format!("capacity comes {} s after the pre-queue", slack.unsigned_abs()),
        ),
        (.., Some(slack)) => Finding::yes(format!("capacity is ready {slack} s before the pre-queue")),
        (.., None) => Finding::yes("no boundary was missed"),
    };
    (SCHEDULE_HONOURED, finding)
}

pub(super) fn room_active(found: &Findings<'_>) -> (&'static str, Finding) {
    let finding = match found.control {
        Ok(_) => Finding::yes("the control plane keeps the sale"),
        Err(error) => not_known(error),
    };
    (ROOM_ACTIVE, finding)
}

pub(super) fn admission_applied(found: &Findings<'_>) -> (&'static str, Finding) {
    let finding = match found.control {
        Ok(SaleState {
            problems,
            plan: Some(plan),
            pace,
            hand,
            ..
        }) if problems.is_empty() => {
            let why = match (pace, hand.rate_per_s) {
                (Some(pace), None) => format!(" ({})", pace.reason),
                (None, _) | (_, Some(_)) => String::new(),
            };
            let limits = &plan.limits;
            Finding::yes(format!(
                "{} people per second, {} inside at most{why}",
                limits.rate_per_s, limits.cap
            ))
        }
        Ok(state) => Finding::no(reason::NOT_YET_APPLIED, state.problems.join("; ")),
        Err(error) => not_known(error),
    };
    (ADMISSION_APPLIED, finding)
}

fn not_known(error: &ControlError) -> Finding {
    match error {
        ControlError::Refused { message, .. } => Finding::no(reason::REFUSED, message.clone()),
        ControlError::Unreachable(_) | ControlError::Failed { .. } | ControlError::NotLeading(_) => {
            Finding::no(reason::CONTROL_API_UNREACHABLE, error.to_string())
        }
    }
}
