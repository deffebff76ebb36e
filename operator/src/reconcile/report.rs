//! What a look tells: the status, written when it is another one, and sales that cannot be carried out; and
//! the trace, where somebody wants that.

use super::{Context, Error, now};
use crate::decide::refusal::Refusal;
use crate::events;
use crate::targets::FIELD_MANAGER;
use crate::trace::{self, Kind, Refused, Saw};
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt as _};
use serde_json::json;
use urr_api::{TicketSale, TicketSaleStatus};
use urr_core::time::Millis;

impl Context {
    /// `saw` is what the refusal was decided from.
    pub(super) async fn refuse(
        &self,
        object: &TicketSale,
        refusal: &Refusal,
        saw: Refused,
    ) -> Result<Action, Error> {
        let (shown, at) = (self.reports.newest(object), now());
        let shown = shown.as_ref();
        let status = refusal.status(shown, object.metadata.generation, at);
        self.note(object, shown, at, || {
            (Kind::Refused(saw), trace::Decided::refused(refusal, &status))
        });
        let happened = events::transitions(shown, &status);
        self.report(object, status).await?;
        self.teller.tell(object, &happened).await;
        Ok(refusal.wake.map_or_else(Action::await_change, Action::requeue))
    }

    /// Writes a look down: what it saw and decided is asked for only where there is a trace.
    pub(super) fn note(
        &self,
        object: &TicketSale,
        shown: Option<&TicketSaleStatus>,
        at: Millis,
        look: impl FnOnce() -> (Kind, trace::Decided),
    ) {
        let Some(recorder) = &self.recorder else {
            return;
        };
        let (kind, decided) = look();
        let sale = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
        let saw = Saw {
            name: object.name_any(),
            generation: object.metadata.generation,
            spec: object.spec.clone(),
            instants: Saw::instants(&object.spec),
            shown: shown.cloned(),
            at,
            kind,
        };
        recorder.note(sale, object.uid().unwrap_or_default(), saw, &decided);
    }

    pub(super) async fn report(&self, object: &TicketSale, status: TicketSaleStatus) -> Result<(), Error> {
        if self.reports.newest(object).as_ref() == Some(&status) {
            return Ok(());
        }
        self.leadership.check()?;
        metrics::counter!("operator_writes_total", "to" => "status").increment(1);
        let namespace = object.namespace().unwrap_or_default();
        let sales: Api<TicketSale> = Api::namespaced(self.client.clone(), &namespace);
        self.reports.say(object, &status);
        let patch = json!({"apiVersion": "urr.guru/v1alpha1", "kind": "TicketSale", "status": status});
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let written = sales
            .patch_status(&object.name_any(), &params, &Patch::Apply(patch))
            .await?;
        self.reports.remember(written);
        Ok(())
    }
}
