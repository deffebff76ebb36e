//! All of a look's decisions, in their order: what to say, what to do to workloads, what to report, when to
//! look again. A look lives through them (`reconcile::look`), a replay goes through them again
//! (`trace::again`); neither decides anything beside them.

use super::{
    Experience, boundaries, held_for_rehearsal, measured, next_due, places, reached, ready_units, remembered,
    slack_s, target_status, wishes, word,
};
use crate::control_api::{ControlError, SaleState, Word};
use crate::status::{self, Findings};
use crate::targets::{Step, Target, Wish, step};
use std::time::Duration;
use urr_api::status::{LineStatus, TargetStatus};
use urr_api::{TicketSaleSpec, TicketSaleStatus};
use urr_core::plan::{AppliedLimits, Observed, Plan, Terms, plan_on, warm_at};
use urr_core::sale::{Phase, Sale};
use urr_core::time::Millis;

/// After an error, look again this soon: nobody tells when it is over.
pub(crate) const PERIOD_FAILED: Duration = Duration::from_secs(2);
/// While a sale is near or open, or something that it needs is missing or short: watches tell of that; this is
/// for what they lost. Not sooner: hundreds of sales that come up together would be looked at all the time.
pub(crate) const PERIOD_NEAR: Duration = Duration::from_secs(10);
/// Otherwise.
pub(crate) const PERIOD_FAR: Duration = Duration::from_secs(300);
/// A requeue never comes at once: what is due is due after a breath.
pub(crate) const REQUEUE_MIN: Duration = Duration::from_millis(5);

/// A workload with what is wanted of it and what that leads to.
pub(crate) type Decided = (Target, Wish, Step);

/// What a look knows before it says or does anything.
pub(crate) struct Scene<'a> {
    pub(crate) name: &'a str,
    pub(crate) generation: Option<i64>,
    pub(crate) spec: &'a TicketSaleSpec,
    /// The sale that the spec means, with the rate that was adopted.
    pub(crate) sale: &'a Sale,
    pub(crate) terms: Terms,
    /// The status shown before.
    pub(crate) shown: Option<&'a TicketSaleStatus>,
    pub(crate) adopted: Option<i32>,
    pub(crate) elsewhere: &'a Experience,
    /// What is named and not there.
    pub(crate) missing: &'a [String],
    pub(crate) lacks_rehearsal: Option<&'a str>,
    /// From when on this process has seen everything.
    pub(crate) since: Millis,
}

/// What is to be done to the workloads, by which plan.
pub(crate) struct Choice {
    pub(crate) plan: Plan,
    pub(crate) decided: Vec<Decided>,
    now: Millis,
}

/// What is to be reported, and when to look again at the latest.
pub(crate) struct Conclusion {
    pub(crate) status: TicketSaleStatus,
    pub(crate) wake: Duration,
    /// The boundary that this look was the first to act on, and how late it was, ms.
    pub(crate) reached: Option<(&'static str, i64)>,
    pub(crate) slack_s: Option<i64>,
}

impl Scene<'_> {
    /// Units of capacity that bear the sale at `at`: what another sale has scaled is that sale's, and inside
    /// our window bears nothing of ours.
    pub(crate) fn ready_units(&self, targets: &[Target], at: Millis) -> u32 {
        let is_others = |target: &Target| target.claim.is_some() && target.claim_of(self.name).is_none();
        if at >= warm_at(self.sale, self.terms) && targets.iter().any(is_others) {
            return 0;
        }
        let is_missing = !self.missing.is_empty();
        ready_units(&self.spec.targets, self.sale, targets, is_missing)
    }

    /// What the control plane, which has `known` of the sale, is told at `at`.
    pub(crate) fn word(&self, ready_units: u32, known: Option<&SaleState>, at: Millis) -> Word {
        let word = word(self.spec, self.sale, ready_units, known, at);
        held_for_rehearsal(word, self.sale, self.lacks_rehearsal.is_some(), known, at)
    }

    /// What to do to `targets` now that the control plane has been told `word` and answered.
    pub(crate) fn choose(
        &self,
        targets: Vec<Target>,
        word: &Word,
        told: Result<&SaleState, &ControlError>,
        now: Millis,
    ) -> Choice {
        let observed = observed(word, told);
        let plan = plan_on(self.terms, self.sale, &observed, now);
        let in_force = (self.terms, &observed, &plan);
        let wishes = wishes(self.name, self.spec, self.sale, &targets, in_force, now);
        Choice {
            decided: decided(self.name, targets, wishes, self.shown, now),
            plan,
            now,
        }
    }

    /// Places on nodes to be held for each workload.
    pub(crate) fn places(&self, choice: &Choice) -> Vec<u32> {
        let each = choice.decided.iter().map(|(target, _, step)| {
            let (terms, phase) = (self.terms, choice.plan.phase);
            places(self.spec, self.sale, terms, (target, *step), phase, choice.now)
        });
        each.collect()
    }

    /// The workloads as they are to be shown.
    pub(crate) fn target_statuses(&self, choice: &Choice) -> Vec<TargetStatus> {
        let stamp = (self.since, choice.now);
        let each = choice.decided.iter().map(|(target, wish, step)| {
            target_status(
                target,
                (*wish, *step),
                self.name,
                self.shown,
                self.elsewhere,
                stamp,
            )
        });
        each.collect()
    }

    /// What follows when everything was said and done: `control` is the last that the control plane said.
    pub(crate) fn conclude(
        &self,
        choice: &Choice,
        targets: Vec<TargetStatus>,
        (word, control): (&Word, Result<&SaleState, &ControlError>),
        line: Option<LineStatus>,
    ) -> Conclusion {
        let Choice { plan, decided, now } = choice;
        let (sale, shown, now) = (self.sale, self.shown, *now);
        let boundaries = boundaries(self.spec, sale, self.terms);
        let reached = reached(&boundaries, shown, now);
        let slack_s = slack_s(sale, &targets, shown, self.elsewhere);
        let is_short = targets.iter().any(|target| target.ready < target.desired);
        let at_most = if control.is_err() {
            PERIOD_FAILED
        } else if is_short || !self.missing.is_empty() {
            PERIOD_NEAR
        } else {
            period(plan.phase)
        };
        let found = Findings {
            generation: self.generation,
            spec: self.spec,
            sale,
            plan,
            is_warming: now >= warm_at(sale, self.terms),
            slack_s,
            targets,
            ready_units: word.ready_units,
            missing: self.missing,
            conflicting_targets: &conflicts(decided),
            rivals: &rivals(decided),
            capped: &capped(decided),
            held: word.held.as_deref(),
            lacks_rehearsal: self.lacks_rehearsal,
            control,
            next_transition_at: boundaries.iter().map(|(_, at)| *at).filter(|at| *at > now).min(),
            lead_s: self.terms.warm_up_s,
            reached,
            measured: measured(sale, plan.phase, control.ok(), line.as_ref(), shown, now),
            line,
            adopted_rate_per_s: self.adopted,
        };
        Conclusion {
            status: status::compute(shown, &found, now),
            wake: wake_after(at_most, next_due(&boundaries, self.spec, sale, now), now),
            reached,
            slack_s,
        }
    }
}

impl Choice {
    /// Whether something is to be taken away: before that the control plane is asked again.
    pub(crate) fn shrinks(&self) -> bool {
        self.decided.iter().any(|(target, _, step)| step.shrinks(target))
    }

    /// Without the control plane's word that its plan is in force nothing is taken away: the rate may still
    /// need it.
    pub(crate) fn hold_on_to(&mut self, control: Option<&SaleState>) {
        if control.is_some_and(|state| state.plan.is_some()) {
            return;
        }
        for (target, _, step) in &mut self.decided {
            if step.shrinks(target) {
                *step = Step::Keep;
            }
        }
    }
}

/// The steps that `wishes` for `targets` lead to.
pub(crate) fn decided(
    name: &str,
    targets: Vec<Target>,
    wishes: Vec<Wish>,
    shown: Option<&TicketSaleStatus>,
    now: Millis,
) -> Vec<Decided> {
    let decide = |(target, wish): (Target, Wish)| {
        let remembered = remembered(shown, &target.name);
        let step = step(&target, name, wish, remembered, now);
        (target, wish, step)
    };
    targets.into_iter().zip(wishes).map(decide).collect()
}

/// What core plans on: the cluster as seen, and the control plane's word for what is in force.
fn observed(word: &Word, told: Result<&SaleState, &ControlError>) -> Observed {
    let control = told.ok();
    let in_force = control.and_then(|state| state.plan.as_ref());
    let mut hand = control.map(|state| state.hand).unwrap_or_default();
    hand.paused |= match told {
        Ok(state) => state.held.is_some(),
        // It refused the sale, not the hold.
        Err(ControlError::Refused { .. }) => word.held.is_some(),
        // A hold that nobody heard of holds nothing.
        Err(_) => false,
    };
    Observed {
        ready_replicas: word.ready_units,
        sold_out: in_force.is_some_and(|plan| plan.phase == Phase::SoldOut),
        // What the last seats bound is the control plane's to know, as the door's pace below.
        seats: None,
        hand,
        room: None,
        limits: in_force.map(|plan| AppliedLimits {
            rate_per_s: plan.limits.rate_per_s,
            cap: plan.limits.cap,
            paused: plan.limits.paused,
        }),
        // The door's pace is the control plane's business.
        turnout: None,
        pace_per_s: control
            .and_then(|state| state.pace.as_ref())
            .map(|pace| pace.rate_per_s),
    }
}

fn conflicts(decided: &[Decided]) -> Vec<String> {
    let theirs = decided
        .iter()
        .filter(|(target, _, step)| *step == Step::Conflict && target.rival.is_none());
    theirs.map(|(target, ..)| target.name.clone()).collect()
}

fn capped(decided: &[Decided]) -> Vec<(String, u32)> {
    let is_capped = |(target, wish, _): &Decided| match wish {
        Wish::Have(wanted) | Wish::HaveLater(wanted) => {
            let had = target.moves.bounded(*wanted);
            (had < *wanted).then(|| (target.name.clone(), had))
        }
        Wish::Stay | Wish::GiveBack { .. } | Wish::LetGo => None,
    };
    decided.iter().filter_map(is_capped).collect()
}

/// Targets that are not scaled because an autoscaler does, which the sale does not name.
fn rivals(decided: &[Decided]) -> Vec<(String, String)> {
    let named = |(target, ..): &Decided| Some((target.name.clone(), target.rival.clone()?));
    decided.iter().filter_map(named).collect()
}

/// When to look again while all is in order.
const fn period(phase: Phase) -> Duration {
    match phase {
        Phase::Scheduled | Phase::Closed => PERIOD_FAR,
        Phase::PreQueue | Phase::Open | Phase::Paused | Phase::SoldOut => PERIOD_NEAR,
    }
}

fn wake_after(at_most: Duration, next: Option<Millis>, now: Millis) -> Duration {
    let until_due = next.map_or(Duration::MAX, |at| {
        Duration::from_millis(u64::try_from(at.since(now)).unwrap_or(0))
    });
    at_most.min(until_due).max(REQUEUE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping;
    use crate::mapping::tests::spec;
    use urr_core::plan::plan;

    #[test]
    fn the_operator_wakes_for_the_next_instant_and_after_a_period_at_the_latest() {
        let sale = mapping::sale("x", &spec()).unwrap();
        let at = |now: Millis| {
            let observed = Observed {
                ready_replicas: 4,
                ..Observed::default()
            };
            let plan = plan(&sale, &observed, now);
            wake_after(period(plan.phase), plan.next_transition_at, now)
        };
        let opens_at = sale.schedule.opens_at;
        assert_eq!(at(opens_at.plus_s(-86_400)), PERIOD_FAR);
        assert_eq!(at(opens_at.plus_ms(-300)), Duration::from_millis(300));
        assert_eq!(at(opens_at), PERIOD_NEAR);
    }
}
