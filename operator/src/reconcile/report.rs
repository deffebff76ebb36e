//! What a look tells: the status, written when it is another one, and sales that cannot be carried out.

use super::{Context, Error, now};
use crate::decide::look::PERIOD_NEAR;
use crate::targets::FIELD_MANAGER;
use crate::{events, status};
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt as _};
use serde_json::json;
use urr_api::{TicketSale, TicketSaleStatus};
use urr_core::sale::Problem;

impl Context {
    pub(super) async fn refuse(&self, object: &TicketSale, problems: &[Problem]) -> Result<Action, Error> {
        let generation = object.metadata.generation;
        let shown = self.reports.newest(object);
        let status = status::refused(shown.as_ref(), generation, problems, now());
        let happened = events::transitions(shown.as_ref(), &status);
        self.report(object, status).await?;
        self.teller.tell(object, &happened).await;
        Ok(Action::await_change())
    }

    /// The event is another sale's: nothing is done for this one until that is gone.
    pub(super) async fn give_way(&self, object: &TicketSale, rival: &str) -> Result<Action, Error> {
        let problem = Problem {
            field: "eventId".to_owned(),
            problem: format!("is sold by the TicketSale {rival} already"),
            remedy: "delete one of them".to_owned(),
        };
        self.refuse(object, &[problem]).await?;
        Ok(Action::requeue(PERIOD_NEAR))
    }

    pub(super) async fn report(&self, object: &TicketSale, status: TicketSaleStatus) -> Result<(), Error> {
        if self.reports.newest(object).as_ref() == Some(&status) {
            return Ok(());
        }
        self.leadership.check()?;
        metrics::counter!("operator_writes_total", "to" => "status").increment(1);
        let namespace = object.namespace().unwrap_or_default();
        let sales: Api<TicketSale> = Api::namespaced(self.client.clone(), &namespace);
        let patch = json!({"apiVersion": "urr.guru/v1alpha1", "kind": "TicketSale", "status": status});
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let written = sales
            .patch_status(&object.name_any(), &params, &Patch::Apply(patch))
            .await?;
        self.reports.remember(written);
        Ok(())
    }
}
