//! A look at a sale that is to be kept as its spec says: see, tell, act, report. What is decided on the way is
//! [`decide::look`]'s.

use super::act::Seen;
use super::steer::Told;
use super::{Context, Error, now};
use crate::control_api::SaleState;
use crate::decide::look::{Conclusion, Scene};
use crate::status;
use crate::targets::Target;
use crate::trace::{self, Answer, Saw};
use crate::{decide, events, health, mapping};
use kube::ResourceExt as _;
use kube::runtime::controller::Action;
use urr_api::status::LineStatus;
use urr_api::{TicketSale, TicketSaleStatus};
use urr_core::sale::{Phase, Sale};
use urr_core::time::Millis;

impl Context {
    pub(super) async fn keep(&self, object: &TicketSale) -> Result<Action, Error> {
        let (name, shown) = (object.name_any(), self.reports.newest(object));
        let shown = shown.as_ref();
        let adopted = self.adopted(object, shown);
        let sale = match mapping::sale(&name, &decide::as_adopted(&object.spec, adopted)) {
            Ok(sale) => sale,
            Err(problems) => return self.refuse(object, &problems).await,
        };
        if let Some(rival) = self.rival(object) {
            return self.give_way(object, &rival).await;
        }
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
        let now = now();
        let noted = self.recorder.is_some().then(|| Noted {
            targets: targets.clone(),
            known,
            told: Answer::from(&answer),
            told_at,
            at: now,
        });
        let mut choice = scene.choose(targets, &word, answer.as_ref(), now);
        let mut control = answer;
        if choice.shrinks() {
            control = self.put(&sale, &word).await;
            choice.hold_on_to(control.as_ref().ok());
        }
        let mut happened = self.scale(object, &choice.decided, shown).await?;
        let (mut targets, places) = (scene.target_statuses(&choice), scene.places(&choice));
        happened.extend(self.reserve(object, &mut targets, &places, shown).await?);
        let line = self.line(&sale, choice.plan.phase, shown, now).await;
        let said = (&word, control.as_ref());
        let conclusion = scene.conclude(&choice, targets, said, line.clone());
        measure(object, &conclusion);
        if let Some(noted) = noted {
            let decided = trace::Decided::of(&choice, &places, word, &conclusion);
            self.note(object, noted.saw(&scene, Answer::from(&control), line), &decided);
        }
        let Conclusion { status, wake, .. } = conclusion;
        happened.extend(events::transitions(shown, &status));
        self.report(object, status).await?;
        self.teller.tell(object, &happened).await;
        Ok(Action::requeue(wake))
    }

    fn note(&self, object: &TicketSale, saw: Saw, decided: &trace::Decided) {
        if let Some(recorder) = &self.recorder {
            let sale = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
            recorder.note(sale, object.uid().unwrap_or_default(), saw, decided);
        }
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

/// What a trace needs of what a look used up.
struct Noted {
    targets: Vec<Target>,
    known: Option<SaleState>,
    told: Answer,
    told_at: Millis,
    at: Millis,
}

impl Noted {
    fn saw(self, scene: &Scene<'_>, last: Answer, line: Option<LineStatus>) -> Saw {
        Saw {
            name: scene.name.to_owned(),
            generation: scene.generation,
            spec: scene.spec.clone(),
            instants: Saw::instants(scene.spec),
            shown: scene.shown.cloned(),
            adopted: scene.adopted,
            elsewhere: scene.elsewhere.clone(),
            targets: self.targets,
            missing: scene.missing.to_vec(),
            lacks_rehearsal: scene.lacks_rehearsal.map(str::to_owned),
            known: self.known,
            told: self.told,
            last,
            line,
            since: scene.since,
            told_at: self.told_at,
            at: self.at,
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
