//! A look at a sale that is to be kept as its spec says: see, tell, act, report. What is decided on the way is
//! [`decide::look`]'s.

use super::act::Seen;
use super::steer::Told;
use super::{Context, Error, now};
use crate::decide::look::{Conclusion, REQUEUE_MIN, Scene};
use crate::decide::refusal::sale_of;
use crate::trace::{self, Heard, Kind, Refused};
use crate::{decide, events, health, status};
use kube::ResourceExt as _;
use kube::runtime::controller::Action;
use std::time::Instant;
use urr_api::status::LineStatus;
use urr_api::{TicketSale, TicketSaleStatus};
use urr_core::sale::{Phase, Sale};
use urr_core::time::Millis;

impl Context {
    pub(super) async fn keep(&self, object: &TicketSale) -> Result<Action, Error> {
        let (name, shown) = (object.name_any(), self.reports.newest(object));
        let shown = shown.as_ref();
        let adopted = self.adopted(object, shown);
        let rival = self.rival(object);
        let sale = match sale_of(&name, &object.spec, adopted, rival.as_deref()) {
            Ok(sale) => sale,
            Err(refusal) => return self.refuse(object, &refusal, Refused { adopted, rival }).await,
        };
        let elsewhere = self.experience(object);
        let Seen { targets, missing } = self.observe(object).await?;
        let told_at = now();
        let lacks_rehearsal = self.lacks_rehearsal(object, &sale).await?;
        let scene = Scene {
            name: &name,
            generation: object.metadata.generation,
            spec: &object.spec,
            sale: &sale,
            terms: decide::terms(&object.spec, shown, &elsewhere),
            shown,
            adopted,
            elsewhere: &elsewhere,
            missing: &missing,
            lacks_rehearsal: lacks_rehearsal.as_deref(),
            since: self.since,
        };
        // The control plane learns of readiness first: the rate follows capacity, both ways.
        let ready_units = scene.ready_units(&targets, told_at);
        let Told { word, known, answer } = self.tell(&scene, ready_units, told_at).await;
        let (now, decided_at) = (now(), Instant::now());
        let mut choice = scene.choose(targets.clone(), &word, answer.as_ref(), now);
        let mut last = None;
        if choice.shrinks() {
            let put = self.put(&sale, &word).await;
            choice.hold_on_to(put.as_ref().ok());
            last = Some(put);
        }
        let control = last.as_ref().unwrap_or(&answer);
        let mut happened = self.scale(object, &choice.decided, shown).await?;
        let (mut statuses, places) = (scene.target_statuses(&choice), scene.places(&choice));
        happened.extend(self.reserve(object, &mut statuses, &places, shown).await?);
        let line = self.line(&sale, choice.plan.phase, shown, now).await;
        let said = (&word, control.as_ref());
        let conclusion = scene.conclude(&choice, statuses, said, line.clone());
        measure(object, &conclusion);
        self.note(object, shown, now, || {
            let heard = Heard {
                known,
                told: (&answer).into(),
                last: control.into(),
                line,
            };
            let decided = trace::Decided::kept(&choice, &places, &word, &conclusion);
            (Kind::kept(&scene, targets, heard, told_at), decided)
        });
        let Conclusion { status, wake, .. } = conclusion;
        happened.extend(events::transitions(shown, &status));
        self.report(object, status).await?;
        self.teller.tell(object, &happened).await;
        // From the decision on, not from here: what was written meanwhile took its time, and nothing else wakes
        // this sale before its boundary.
        let left = wake.saturating_sub(decided_at.elapsed());
        Ok(Action::requeue(left.max(REQUEUE_MIN)))
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

fn measure(object: &TicketSale, conclusion: &Conclusion) {
    if let Some((boundary, late_ms)) = conclusion.reached {
        #[expect(clippy::cast_precision_loss, reason = "a histogram's value; seconds at most")]
        metrics::histogram!("operator_lateness_ms", "boundary" => boundary).record(late_ms as f64);
    }
    if let Some(slack) = conclusion.slack_s {
        health::note_slack(object, slack);
    }
}
