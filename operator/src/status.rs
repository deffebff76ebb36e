//! What the operator reports: conditions from observations, pure.
//!
//! A condition's transition time moves only when its status does, and a status equal to the one
//! that is there is not written: an idle operator writes nothing.

use crate::mapping::time;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use urr_api::TicketSaleStatus;
use urr_api::conditions::{ADMISSION_APPLIED, CAPACITY_READY, READY, ROOM_ACTIVE, SCHEDULE_HONOURED, reason};
use urr_api::status::TargetStatus;
use urr_core::plan::Plan;
use urr_core::sale::{Phase, Problem};
use urr_core::time::Millis;

use crate::control_api::{ControlError, SaleState};

/// How late a boundary may be acted on (law `on-time`).
const LATENESS_MAX_MS: i64 = 250;
/// The phase of a sale that was ended by its spec.
pub const ABORTED: &str = "Aborted";

/// What one look found.
#[derive(Debug)]
pub struct Findings<'a> {
    /// Generation of the spec that was looked at.
    pub generation: Option<i64>,
    /// What should be.
    pub plan: &'a Plan,
    /// Capacity is being brought up.
    pub is_warming: bool,
    /// The targets after this look.
    pub targets: Vec<TargetStatus>,
    /// Units of capacity that are ready.
    pub ready_units: u32,
    /// What targets name and does not exist.
    pub missing: &'a [String],
    /// Targets that another sale holds.
    pub conflicting_targets: &'a [String],
    /// Targets whose autoscaler does not go up to what is wanted: its bound.
    pub capped: &'a [(String, u32)],
    /// Fields of the spec that ask for what is not done.
    pub not_done: &'a [&'static str],
    /// Why the line is held for the sale's spec.
    pub held: Option<&'a str>,
    /// What the control API said.
    pub control: Result<&'a SaleState, &'a ControlError>,
    /// When the schedule next changes something.
    pub next_transition_at: Option<Millis>,
    /// How long before the pre-queue capacity is asked for.
    pub lead_s: i64,
    /// How long before the pre-queue it is ready.
    pub slack_s: Option<i64>,
    /// The boundary acted on in this look, and how late.
    pub reached: Option<(&'static str, i64)>,
}

/// The status to show, given the one shown now.
#[must_use]
pub fn compute(before: Option<&TicketSaleStatus>, found: &Findings<'_>, now: Millis) -> TicketSaleStatus {
    let capacity = capacity_ready(found);
    let room = room_active(found);
    let admission = admission_applied(found);
    let unmet: Vec<&str> = [&capacity, &room, &admission]
        .into_iter()
        .filter(|(_, finding)| !finding.holds)
        .map(|(type_, _)| *type_)
        .collect();
    let ready = if !found.not_done.is_empty() {
        let fields = found.not_done.join(", ");
        let message = format!("this operator does not do what these fields ask for: {fields}");
        Finding::no(reason::NOT_SUPPORTED, message)
    } else if let (Some(held), true) = (found.held, found.plan.phase != Phase::Closed) {
        Finding::no(reason::HELD, format!("the line is held: {held}"))
    } else if unmet.is_empty() {
        Finding::yes("everything is as planned")
    } else {
        Finding::no(reason::CONDITIONS_UNMET, format!("not yet: {}", unmet.join(", ")))
    };
    let lateness = found
        .reached
        .map(|(_, late)| late)
        .or_else(|| before?.lateness_milliseconds);
    let schedule = schedule_honoured(found, lateness, before);
    let shown = before
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    let conditions = [capacity, room, admission, schedule, (READY, ready)]
        .into_iter()
        .map(|(type_, finding)| finding.into_condition(type_, shown, found.generation, now))
        .collect();
    let units = i32::try_from(found.ready_units).ok();
    TicketSaleStatus {
        observed_generation: found.generation,
        phase: Some(phase_name(found.plan.phase, found.is_warming).to_owned()),
        next_transition_at: found.next_transition_at.map(time),
        ready_replicas: found.targets.iter().map(|target| target.ready).min().or(units),
        desired_replicas: (found.targets.iter().map(|target| target.desired).max())
            .or_else(|| i32::try_from(found.plan.replicas).ok()),
        rate_per_second: i32::try_from(found.plan.limits.rate_per_s).ok(),
        targets: found.targets.clone(),
        lead_seconds: i32::try_from(found.lead_s).ok(),
        slack_seconds: found.slack_s,
        lateness_milliseconds: lateness,
        conditions,
        ..TicketSaleStatus::default()
    }
}

/// The status of a sale that was ended by its spec: its room is closed, nobody is let in.
#[must_use]
pub fn aborted(
    before: Option<&TicketSaleStatus>,
    generation: Option<i64>,
    targets: Vec<TargetStatus>,
    now: Millis,
) -> TicketSaleStatus {
    let shown = before
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    let finding = |type_: &str, finding: Finding| finding.into_condition(type_, shown, generation, now);
    let no = |message: &str| Finding::no(reason::ABORTED, message);
    TicketSaleStatus {
        observed_generation: generation,
        phase: Some(ABORTED.to_owned()),
        ready_replicas: targets.iter().map(|target| target.ready).min(),
        desired_replicas: targets.iter().map(|target| target.desired).max(),
        rate_per_second: Some(0),
        conditions: vec![
            finding(CAPACITY_READY, no("capacity was given back")),
            finding(ROOM_ACTIVE, no("the room is closed")),
            finding(ADMISSION_APPLIED, no("nobody is let in any more")),
            finding(READY, no("spec.abort is set: the sale has ended for good")),
        ],
        targets,
        ..TicketSaleStatus::default()
    }
}

/// The status of a sale that cannot be carried out because of its own spec.
#[must_use]
pub fn refused(
    before: Option<&TicketSaleStatus>,
    generation: Option<i64>,
    problems: &[Problem],
    now: Millis,
) -> TicketSaleStatus {
    let shown = before
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    let message = problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ");
    let finding = Finding::no(reason::REFUSED, message);
    TicketSaleStatus {
        observed_generation: generation,
        conditions: vec![finding.into_condition(READY, shown, generation, now)],
        // What was put in place for an earlier spec is still there, and still shown.
        ..before.cloned().unwrap_or_default()
    }
}

/// Whether a condition holds, and why.
struct Finding {
    holds: bool,
    reason: &'static str,
    message: String,
}

impl Finding {
    fn yes(message: impl Into<String>) -> Self {
        Self {
            holds: true,
            reason: reason::AS_PLANNED,
            message: message.into(),
        }
    }

    fn no(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            holds: false,
            reason,
            message: message.into(),
        }
    }

    fn into_condition(
        self,
        type_: &str,
        shown: &[Condition],
        generation: Option<i64>,
        now: Millis,
    ) -> Condition {
        let status = if self.holds { "True" } else { "False" };
        let unchanged = shown
            .iter()
            .find(|condition| condition.type_ == type_ && condition.status == status);
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: self.reason.to_owned(),
            message: self.message,
            observed_generation: generation,
            last_transition_time: unchanged
                .map_or_else(|| time(now), |condition| condition.last_transition_time.clone()),
        }
    }
}

fn capacity_ready(found: &Findings<'_>) -> (&'static str, Finding) {
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

fn schedule_honoured(
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

fn room_active(found: &Findings<'_>) -> (&'static str, Finding) {
    let finding = match found.control {
        Ok(_) => Finding::yes("the control plane keeps the sale"),
        Err(error) => not_known(error),
    };
    (ROOM_ACTIVE, finding)
}

fn admission_applied(found: &Findings<'_>) -> (&'static str, Finding) {
    let finding = match found.control {
        Ok(SaleState {
            problems,
            plan: Some(plan),
            ..
        }) if problems.is_empty() => Finding::yes(format!(
            "{} people per second, {} inside at most",
            plan.limits.rate_per_s, plan.limits.cap
        )),
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

const fn phase_name(phase: Phase, is_warming: bool) -> &'static str {
    match phase {
        Phase::Scheduled if is_warming => "PreScaling",
        Phase::Scheduled => "Scheduled",
        Phase::PreQueue => "PreQueue",
        Phase::Open => "Open",
        Phase::Paused => "Paused",
        Phase::SoldOut => "SoldOut",
        Phase::Closed => "Closed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{self, tests::spec};
    use proptest::prelude::*;
    use urr_core::plan::{Hand, Observed, plan};

    fn looked(ready: u32, problems: Vec<String>, at_open_plus_s: i64) -> TicketSaleStatus {
        look_after(None, ready, problems, at_open_plus_s)
    }

    fn look_after(
        before: Option<&TicketSaleStatus>,
        ready: u32,
        problems: Vec<String>,
        at_open_plus_s: i64,
    ) -> TicketSaleStatus {
        let sale = mapping::sale("x", &spec()).unwrap();
        let now = sale.schedule.opens_at.plus_s(at_open_plus_s);
        let plan = plan(
            &sale,
            &Observed {
                ready_replicas: ready,
                ..Observed::default()
            },
            now,
        );
        let state = SaleState {
            sale: serde_json::Value::Null,
            held: None,
            operator_term: 1,
            hand: Hand::default(),
            ready_replicas: Some(ready),
            plan: Some(plan.clone()),
            problems,
        };
        let booking = TargetStatus {
            name: "booking".into(),
            desired: i32::try_from(plan.replicas).unwrap(),
            ready: i32::try_from(ready).unwrap(),
            ..TargetStatus::default()
        };
        let found = Findings {
            generation: Some(3),
            plan: &plan,
            is_warming: false,
            targets: vec![booking],
            ready_units: ready,
            missing: &[],
            conflicting_targets: &[],
            capped: &[],
            not_done: &[],
            held: None,
            control: Ok(&state),
            next_transition_at: plan.next_transition_at,
            lead_s: 1800,
            slack_s: None,
            reached: None,
        };
        compute(before, &found, now)
    }

    fn of<'a>(status: &'a TicketSaleStatus, type_: &str) -> &'a Condition {
        status
            .conditions
            .iter()
            .find(|condition| condition.type_ == type_)
            .unwrap()
    }

    #[test]
    fn ready_says_what_is_missing() {
        let status = looked(4, Vec::new(), 5);
        assert_eq!(
            (of(&status, READY).status.as_str(), status.phase.as_deref()),
            ("True", Some("Open"))
        );
        let status = looked(1, vec!["booking is down".into()], 5);
        assert_eq!(of(&status, READY).status, "False");
        assert!(
            of(&status, READY)
                .message
                .contains("CapacityReady, AdmissionApplied")
        );
        assert_eq!(
            of(&status, CAPACITY_READY).message,
            "ready are 1 of 4 replicas of booking"
        );
        assert_eq!(
            (status.rate_per_second, status.desired_replicas),
            (Some(10), Some(4))
        );
    }

    #[test]
    fn every_condition_carries_the_generation_it_saw() {
        for condition in looked(4, Vec::new(), 0).conditions {
            assert_eq!(condition.observed_generation, Some(3));
        }
    }

    #[test]
    fn a_refused_spec_is_told_with_its_field() {
        let problems = mapping::sale("x", &{
            let mut spec = spec();
            spec.admission.cap = 0;
            spec
        })
        .unwrap_err();
        let status = refused(None, Some(4), &problems, Millis(0));
        let ready = of(&status, READY);
        assert_eq!(
            (ready.reason.as_str(), ready.status.as_str()),
            (reason::REFUSED, "False")
        );
        assert!(ready.message.contains("admission.cap"));
    }

    proptest! {
        #[test]
        fn a_transition_time_moves_only_with_the_status(
            first in 0u32..6, second in 0u32..6, at in -4000i64..7000, later in 1i64..500,
        ) {
            let before = looked(first, Vec::new(), at);
            let after = look_after(Some(&before), second, Vec::new(), at + later);
            for condition in &after.conditions {
                let old = of(&before, &condition.type_);
                let kept = condition.last_transition_time == old.last_transition_time;
                prop_assert_eq!(kept, condition.status == old.status);
            }
        }

        #[test]
        fn the_same_look_twice_gives_the_same_status(ready in 0u32..6, at in -4000i64..7000) {
            let before = looked(ready, Vec::new(), at);
            prop_assert_eq!(&look_after(Some(&before), ready, Vec::new(), at), &before);
        }
    }
}
