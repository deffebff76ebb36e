//! A look at a sale that is to be kept as its spec says.

use super::act::{capped, conflicts, decided, hold_on_to, rivals};
use super::steer::{Told, observed};
use super::{Context, Error, PERIOD_UNREADY, now};
use crate::status::{self, Findings};
use crate::targets::Target;
use crate::trace::{self, Answer, Saw};
use crate::{decide, events, health, mapping};
use kube::ResourceExt as _;
use kube::runtime::controller::Action;
use std::time::Duration;
use urr_api::status::LineStatus;
use urr_api::{TicketSale, TicketSaleSpec, TicketSaleStatus};
use urr_core::plan::{Terms, plan_on, warm_at};
use urr_core::sale::{Phase, Sale};
use urr_core::time::Millis;

/// While a sale is near or open: readiness must reach the control plane quickly. Watches report
/// it too; this is for the one that was lost.
pub(super) const PERIOD_NEAR: Duration = Duration::from_secs(10);
/// Otherwise.
pub(super) const PERIOD_FAR: Duration = Duration::from_secs(300);
/// A requeue never comes at once: what is due is due after a breath.
const REQUEUE_MIN: Duration = Duration::from_millis(5);

impl Context {
    pub(super) async fn keep(&self, object: &TicketSale) -> Result<Action, Error> {
        let (name, shown) = (object.name_any(), self.reports.newest(object));
        let adopted = self.adopted(object, shown.as_ref());
        let spec = decide::as_adopted(&object.spec, adopted);
        let sale = match mapping::sale(&name, &spec) {
            Ok(sale) => sale,
            Err(problems) => return self.refuse(object, &problems).await,
        };
        if let Some(rival) = self.rival(object) {
            return self.give_way(object, &rival).await;
        }
        let elsewhere = self.experience(object);
        let terms = decide::terms(&object.spec, shown.as_ref(), &elsewhere);
        let seen = self.observe(object).await?;
        let told_at = now();
        let is_missing = !seen.missing.is_empty();
        let of = (name.as_str(), &object.spec, &sale);
        let ready_units = bearing(of, &seen.targets, is_missing, terms, told_at);
        let lacks_rehearsal = self.lacks_rehearsal(object, &sale).await?;
        // The control plane learns of readiness first: the rate follows capacity, both ways.
        let lacks = lacks_rehearsal.is_some();
        let told = self.tell(object, &sale, ready_units, lacks, told_at).await;
        let Told {
            word,
            known,
            answer: mut control,
        } = told;
        let first_answer = self.recorder.is_some().then(|| Answer::from(&control));
        let now = now();
        let observed = observed(&word, control.as_ref());
        let targets_seen = self.recorder.is_some().then(|| seen.targets.clone());
        let plan = plan_on(terms, &sale, &observed, now);
        let wishes = decide::wishes(
            &name,
            &object.spec,
            &sale,
            &seen.targets,
            (terms, &observed, &plan),
            now,
        );
        let mut decided = decided(&name, seen.targets, wishes, shown.as_ref(), now);
        if decided.iter().any(|(target, _, step)| step.shrinks(target)) {
            control = self.put(&sale, &word).await;
            hold_on_to(&mut decided, control.as_ref().ok());
        }
        let mut happened = self.scale(object, &decided, shown.as_ref()).await?;
        let places: Vec<u32> = decided
            .iter()
            .map(|(target, _, step)| {
                decide::places(&object.spec, &sale, terms, (target, *step), plan.phase, now)
            })
            .collect();

        let boundaries = decide::boundaries(&object.spec, &sale, terms);
        let next = decide::next_due(&boundaries, &object.spec, &sale, now);
        let reached = decide::reached(&boundaries, shown.as_ref(), now);
        let stamp = (self.since, now);
        let mut targets: Vec<_> = decided
            .iter()
            .map(|(target, wish, step)| {
                decide::target_status(target, (*wish, *step), &name, shown.as_ref(), &elsewhere, stamp)
            })
            .collect();
        happened.extend(
            self.reserve(object, &mut targets, &places, shown.as_ref())
                .await?,
        );
        let line = self.line(&sale, plan.phase, shown.as_ref(), now).await;
        let in_force = control.as_ref().ok();
        let measured = decide::measured(&sale, plan.phase, in_force, line.as_ref(), shown.as_ref(), now);
        let found = Findings {
            generation: object.metadata.generation,
            spec: &object.spec,
            sale: &sale,
            plan: &plan,
            is_warming: now >= warm_at(&sale, terms),
            slack_s: decide::slack_s(&sale, &targets, shown.as_ref(), &elsewhere),
            targets,
            ready_units,
            missing: &seen.missing,
            conflicting_targets: &conflicts(&decided),
            rivals: &rivals(&decided),
            capped: &capped(&decided),
            held: word.held.as_deref(),
            lacks_rehearsal: lacks_rehearsal.as_deref(),
            control: control.as_ref(),
            next_transition_at: boundaries.iter().map(|(_, at)| *at).filter(|at| *at > now).min(),
            lead_s: terms.warm_up_s,
            reached,
            line: line.clone(),
            measured,
            adopted_rate_per_s: adopted,
        };
        let status = status::compute(shown.as_ref(), &found, now);
        let lacks = found.targets.iter().any(|target| target.ready < target.desired);
        let in_order = !lacks && found.missing.is_empty() && control.is_ok();
        if let Some((boundary, late_ms)) = reached {
            #[expect(clippy::cast_precision_loss, reason = "a histogram's value; seconds at most")]
            metrics::histogram!("operator_lateness_ms", "boundary" => boundary).record(late_ms as f64);
        }
        if let Some(slack) = found.slack_s {
            health::note_slack(object, slack);
        }
        happened.extend(events::transitions(shown.as_ref(), &status));
        let wake = wake_after(plan.phase, next, in_order, now);
        if let (Some(recorder), Some(told), Some(targets)) = (&self.recorder, first_answer, targets_seen) {
            let last = Answer::from(&control);
            let saw = Saw {
                generation: object.metadata.generation,
                spec: object.spec.clone(),
                instants: Saw::instants(&object.spec),
                adopted,
                missing: seen.missing,
                since: self.since,
                at: now,
                name,
                shown,
                elsewhere,
                targets,
                lacks_rehearsal,
                known,
                told,
                last,
                line,
                told_at,
            };
            let decision = trace::Decided {
                targets: trace::decided_targets(&decided, &places),
                word,
                status: status.clone(),
                wake_ms: u64::try_from(wake.as_millis()).unwrap_or(u64::MAX),
            };
            let sale = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
            recorder.note(sale, object.uid().unwrap_or_default(), saw, &decision);
        }
        self.report(object, status).await?;
        self.teller.tell(object, &happened).await;
        Ok(Action::requeue(wake))
    }

    /// The rate to begin with instead of the spec's; fixed once capacity is asked for.
    fn adopted(&self, object: &TicketSale, shown: Option<&TicketSaleStatus>) -> Option<i32> {
        let phase = shown.and_then(|status| status.phase.as_deref());
        match phase {
            None | Some("Scheduled") => decide::adopted(&object.spec, self.borne(object)),
            Some(_) => decide::adopted(&object.spec, shown?.adopted_rate_per_second),
        }
    }

    /// The line as it is to be shown: looked at when that is due, else as it was. A control plane that does
    /// not say is no reason to fail: what is shown stays.
    async fn line(
        &self,
        sale: &Sale,
        phase: Phase,
        shown: Option<&TicketSaleStatus>,
        now: Millis,
    ) -> Option<LineStatus> {
        let was = shown.and_then(|status| status.phase.as_deref());
        // Only the phases of the line: that capacity is asked for changes nothing in it.
        let is_new = was != Some(status::phase_name(phase, false));
        let as_it_was = shown.and_then(|status| status.line.clone());
        if !decide::is_line_due(phase, shown, is_new, now) {
            return as_it_was;
        }
        match self.control.snapshot(sale.id).await {
            Ok(snapshot) => Some(decide::line(&snapshot, shown)),
            Err(error) => {
                tracing::debug!(sale = %sale.id, error = super::chain(&error), "no figures of the line");
                as_it_was
            }
        }
    }
}

/// Units of capacity that bear the sale: what another sale has scaled is that sale's, and inside our window
/// bears nothing of ours.
pub(crate) fn bearing(
    (name, spec, sale): (&str, &TicketSaleSpec, &Sale),
    targets: &[Target],
    is_missing: bool,
    terms: Terms,
    now: Millis,
) -> u32 {
    let is_others = |target: &Target| target.claim.is_some() && target.claim_of(name).is_none();
    if now >= warm_at(sale, terms) && targets.iter().any(is_others) {
        return 0;
    }
    decide::ready_units(&spec.targets, sale, targets, is_missing)
}

pub(crate) fn wake_after(phase: Phase, next: Option<Millis>, in_order: bool, now: Millis) -> Duration {
    let period = match (in_order, phase) {
        (false, _) => PERIOD_UNREADY,
        (true, Phase::Scheduled | Phase::Closed) => PERIOD_FAR,
        (true, _) => PERIOD_NEAR,
    };
    let until_due = next.map_or(Duration::MAX, |at| {
        Duration::from_millis(u64::try_from(at.since(now)).unwrap_or(0))
    });
    period.min(until_due).max(REQUEUE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::spec;
    use urr_core::plan::{Observed, plan};

    #[test]
    fn the_operator_wakes_for_the_next_instant_and_sooner_when_something_is_missing() {
        let sale = mapping::sale("x", &spec()).unwrap();
        let at = |now: Millis, in_order| {
            let observed = Observed {
                ready_replicas: 4,
                ..Observed::default()
            };
            let plan = plan(&sale, &observed, now);
            wake_after(plan.phase, plan.next_transition_at, in_order, now)
        };
        let opens_at = sale.schedule.opens_at;
        assert_eq!(at(opens_at.plus_s(-86_400), true), PERIOD_FAR);
        assert_eq!(at(opens_at.plus_s(-86_400), false), PERIOD_UNREADY);
        assert_eq!(at(opens_at.plus_ms(-300), true), Duration::from_millis(300));
        assert_eq!(at(opens_at, true), PERIOD_NEAR);
    }
}
