//! What this version decides from what a look saw. The same functions as the look itself calls, in the same
//! order, without what it says and hears in between: that was written down. A test holds both together:
//! what is recorded replays without a difference.

use super::look::{Decided, DecidedTarget, Saw};
use crate::reconcile::look::{bearing, wake_after};
use crate::reconcile::{act, steer};
use crate::status::{self, Findings};
use crate::{decide, mapping};
use urr_core::plan::{plan_on, warm_at};
use urr_core::sale::Problem;

/// Decides again.
///
/// # Errors
/// What this version finds wrong with the spec.
pub(super) fn decide(saw: &Saw) -> Result<Decided, Vec<Problem>> {
    let (shown, now) = (saw.shown.as_ref(), saw.at);
    let spec = saw.exact_spec();
    let sale = mapping::sale(&saw.name, &decide::as_adopted(&spec, saw.adopted))?;
    let terms = decide::terms(&spec, shown, &saw.elsewhere);
    let is_missing = !saw.missing.is_empty();
    let of = (saw.name.as_str(), &spec, &sale);
    let ready_units = bearing(of, &saw.targets, is_missing, terms, saw.told_at);
    let known = saw.known.as_ref();
    let word = decide::word(&spec, &sale, ready_units, known, saw.told_at);
    let lacks = saw.lacks_rehearsal.is_some();
    let word = decide::held_for_rehearsal(word, &sale, lacks, known, saw.told_at);

    let (told, last) = (saw.told.heard(), saw.last.heard());
    let observed = steer::observed(&word, told.as_ref());
    let plan = plan_on(terms, &sale, &observed, now);
    let in_force = (terms, &observed, &plan);
    let wishes = decide::wishes(&saw.name, &spec, &sale, &saw.targets, in_force, now);
    let mut decided = act::decided(&saw.name, saw.targets.clone(), wishes, shown, now);
    if decided.iter().any(|(target, _, step)| step.shrinks(target)) {
        act::hold_on_to(&mut decided, last.as_ref().ok());
    }
    let places: Vec<u32> = decided
        .iter()
        .map(|(target, _, step)| decide::places(&spec, &sale, terms, (target, *step), plan.phase, now))
        .collect();
    let boundaries = decide::boundaries(&spec, &sale, terms);
    let next = decide::next_due(&boundaries, &spec, &sale, now);
    let stamp = (saw.since, now);
    let mut targets: Vec<_> = decided
        .iter()
        .map(|(target, wish, step)| {
            decide::target_status(target, (*wish, *step), &saw.name, shown, &saw.elsewhere, stamp)
        })
        .collect();
    for (target, places) in targets.iter_mut().zip(&places) {
        target.reserved = i32::try_from(*places).ok().filter(|places| *places > 0);
    }
    let lacking = targets.iter().any(|target| target.ready < target.desired);
    let in_order = !lacking && !is_missing && last.is_ok();
    let measured = decide::measured(
        &sale,
        plan.phase,
        last.as_ref().ok(),
        saw.line.as_ref(),
        shown,
        now,
    );
    let found = Findings {
        generation: saw.generation,
        spec: &spec,
        sale: &sale,
        plan: &plan,
        is_warming: now >= warm_at(&sale, terms),
        slack_s: decide::slack_s(&sale, &targets, shown, &saw.elsewhere),
        targets,
        ready_units,
        missing: &saw.missing,
        conflicting_targets: &act::conflicts(&decided),
        rivals: &act::rivals(&decided),
        capped: &act::capped(&decided),
        held: word.held.as_deref(),
        lacks_rehearsal: saw.lacks_rehearsal.as_deref(),
        control: last.as_ref(),
        next_transition_at: boundaries.iter().map(|(_, at)| *at).filter(|at| *at > now).min(),
        lead_s: terms.warm_up_s,
        reached: decide::reached(&boundaries, shown, now),
        line: saw.line.clone(),
        measured,
        adopted_rate_per_s: saw.adopted,
    };
    let status = status::compute(shown, &found, now);
    let wake = wake_after(plan.phase, next, in_order, now);
    Ok(Decided {
        targets: decided_targets(&decided, &places),
        word,
        status,
        wake_ms: u64::try_from(wake.as_millis()).unwrap_or(u64::MAX),
    })
}

/// The workloads' part of a decision.
pub(crate) fn decided_targets(decided: &[act::Decided], places: &[u32]) -> Vec<DecidedTarget> {
    let each = decided.iter().zip(places);
    each.map(|((target, wish, step), places)| DecidedTarget {
        name: target.name.clone(),
        wish: *wish,
        step: *step,
        places: *places,
    })
    .collect()
}
