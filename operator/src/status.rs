//! What the operator reports: conditions from observations, pure.
//!
//! A condition's transition time moves only when its status does, and a status equal to the one
//! that is there is not written: an idle operator writes nothing.

use crate::mapping::time;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use urr_api::TicketSaleStatus;
use urr_api::conditions::{ADMISSION_APPLIED, CAPACITY_READY, READY, ROOM_ACTIVE, reason};
use urr_core::plan::Plan;
use urr_core::sale::{Phase, Problem};
use urr_core::time::Millis;

use crate::control_api::{ControlError, SaleState};

/// What one look found.
#[derive(Debug)]
pub struct Findings<'a> {
    /// Generation of the spec that was looked at.
    pub generation: Option<i64>,
    /// What should be.
    pub plan: &'a Plan,
    /// The fewest ready replicas of all targets.
    pub ready_replicas: u32,
    /// Targets that do not exist.
    pub missing_targets: &'a [String],
    /// Targets that another sale holds.
    pub conflicting_targets: &'a [String],
    /// Fields of the spec that ask for what is not done.
    pub not_done: &'a [&'static str],
    /// What the control API said.
    pub control: Result<&'a SaleState, &'a ControlError>,
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
    } else if unmet.is_empty() {
        Finding::yes("everything is as planned")
    } else {
        Finding::no(reason::CONDITIONS_UNMET, format!("not yet: {}", unmet.join(", ")))
    };
    let shown = before
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    let conditions = [capacity, room, admission, (READY, ready)]
        .into_iter()
        .map(|(type_, finding)| finding.into_condition(type_, shown, found.generation, now))
        .collect();
    TicketSaleStatus {
        observed_generation: found.generation,
        phase: Some(phase_name(found.plan.phase).to_owned()),
        next_transition_at: found.plan.next_transition_at.map(time),
        ready_replicas: i32::try_from(found.ready_replicas).ok(),
        desired_replicas: i32::try_from(found.plan.replicas).ok(),
        rate_per_second: i32::try_from(found.plan.limits.rate_per_s).ok(),
        conditions,
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
    let Findings {
        plan,
        ready_replicas: ready,
        missing_targets,
        ..
    } = found;
    let finding = if !missing_targets.is_empty() {
        let message = format!(
            "no Deployment named {}: create it or take it off spec.targets",
            missing_targets.join(", ")
        );
        Finding::no(reason::TARGET_MISSING, message)
    } else if !found.conflicting_targets.is_empty() {
        let names = found.conflicting_targets.join(", ");
        let message =
            format!("another sale has scaled {names}: let their windows not overlap, or give each its own");
        Finding::no(reason::TARGET_CONFLICT, message)
    } else if *ready < plan.replicas {
        Finding::no(
            reason::NOT_ENOUGH_READY,
            format!("{ready} of {} replicas are ready", plan.replicas),
        )
    } else {
        Finding::yes(format!(
            "{ready} replicas are ready, {} are wanted now",
            plan.replicas
        ))
    };
    (CAPACITY_READY, finding)
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
        ControlError::Unreachable(_) | ControlError::Failed { .. } => {
            Finding::no(reason::CONTROL_API_UNREACHABLE, error.to_string())
        }
    }
}

const fn phase_name(phase: Phase) -> &'static str {
    match phase {
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
            hand: Hand::default(),
            ready_replicas: Some(ready),
            plan: Some(plan.clone()),
            problems,
        };
        let found = Findings {
            generation: Some(3),
            plan: &plan,
            ready_replicas: ready,
            missing_targets: &[],
            conflicting_targets: &[],
            not_done: &[],
            control: Ok(&state),
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
        assert_eq!(of(&status, CAPACITY_READY).message, "1 of 4 replicas are ready");
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
