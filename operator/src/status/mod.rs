//! What the operator reports: conditions from observations, pure.
//!
//! A condition's transition time moves only when its status does, and a status equal to the one
//! that is there is not written: an idle operator writes nothing.

mod conditions;
mod finding;
mod summary;

use crate::control_api::{ControlError, SaleState};
use crate::decide::REHEARSAL;
use crate::decide::advice;
use crate::mapping::time;
use conditions::{admission_applied, capacity_ready, room_active, schedule_honoured};
use finding::Finding;
use summary::summary;
use urr_api::conditions::{ADMISSION_APPLIED, CAPACITY_READY, READY, ROOM_ACTIVE, reason};
use urr_api::status::{LineStatus, Measured, TargetStatus};
use urr_api::{TicketSaleSpec, TicketSaleStatus};
use urr_core::plan::Plan;
use urr_core::sale::{Phase, Problem, Sale};
use urr_core::time::Millis;

/// How late a boundary may be acted on (law `on-time`).
const LATENESS_MAX_MS: i64 = 250;
/// The phase of a sale that was ended by its spec.
pub const ABORTED: &str = "Aborted";

/// What one look found.
#[derive(Debug)]
pub struct Findings<'a> {
    /// Generation of the spec that was looked at.
    pub generation: Option<i64>,
    /// The spec.
    pub spec: &'a TicketSaleSpec,
    /// The sale it describes.
    pub sale: &'a Sale,
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
    /// Targets that an autoscaler scales which the sale does not name: both their names.
    pub rivals: &'a [(String, String)],
    /// Targets whose autoscaler does not go up to what is wanted: its bound.
    pub capped: &'a [(String, u32)],
    /// Why the line is held for the sale's spec.
    pub held: Option<&'a str>,
    /// Why no rehearsal counts, where one must.
    pub lacks_rehearsal: Option<&'a str>,
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
    /// The line and the seats as last noted.
    pub line: Option<LineStatus>,
    /// What the sale has shown so far.
    pub measured: Option<Measured>,
    /// The rate it begins with instead of its spec's.
    pub adopted_rate_per_s: Option<i32>,
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
    // A hold that was not heard holds nothing: then that is what is said.
    let is_heard = matches!(found.control, Ok(_) | Err(ControlError::Refused { .. }));
    let held = found
        .held
        .filter(|_| is_heard && found.plan.phase != Phase::Closed);
    let not_rehearsed = held
        .filter(|held| held.contains(REHEARSAL))
        .and(found.lacks_rehearsal);
    let ready = if let Some(why) = not_rehearsed {
        Finding::no(reason::NOT_REHEARSED, format!("the opening is held: {why}"))
    } else if let Some(held) = held {
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
    let status = TicketSaleStatus {
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
        line: found.line.clone(),
        measured: found.measured.clone(),
        adopted_rate_per_second: found.adopted_rate_per_s,
        conditions,
        ..TicketSaleStatus::default()
    };
    TicketSaleStatus {
        advice: advice(found.spec, &status, found.plan.phase),
        summary: Some(summary(found.sale, &status, found.held)),
        ..status
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
        summary: Some("it was ended by its spec: nobody is let in any more".to_owned()),
        line: before.and_then(|status| status.line.clone()),
        measured: before.and_then(|status| status.measured.clone()),
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
        summary: Some("its spec is not carried out: the condition Ready says why".to_owned()),
        // What was put in place for an earlier spec is still there, and still shown.
        ..before.cloned().unwrap_or_default()
    }
}

/// A phase as the status has it. `is_warming`: capacity is being brought up.
#[must_use]
pub const fn phase_name(phase: Phase, is_warming: bool) -> &'static str {
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
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
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
            pace: None,
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
            spec: &spec(),
            sale: &sale,
            plan: &plan,
            is_warming: false,
            targets: vec![booking],
            ready_units: ready,
            missing: &[],
            conflicting_targets: &[],
            rivals: &[],
            capped: &[],
            lacks_rehearsal: None,
            held: None,
            control: Ok(&state),
            next_transition_at: plan.next_transition_at,
            lead_s: 1800,
            slack_s: None,
            reached: None,
            line: None,
            measured: None,
            adopted_rate_per_s: None,
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
