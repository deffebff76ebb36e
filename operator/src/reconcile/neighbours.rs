//! What other sales mean for this one: who has its event, and what they have seen of its targets.

use super::{Context, Error};
use crate::decide::end::is_aborted;
use crate::decide::{self, Experience};
use crate::load_run;
use kube::Api;
use kube::api::ListParams;
use kube::{Resource as _, ResourceExt as _};
use std::collections::BTreeSet;
use urr_api::{LoadRun, TicketSale};
use urr_core::sale::Sale;

impl Context {
    /// The sale that sells the same event and was there first.
    pub(super) fn rival(&self, object: &TicketSale) -> Option<String> {
        let age = |sale: &TicketSale| {
            let made = sale.meta().creation_timestamp.as_ref().map(|time| time.0);
            (made, sale.uid())
        };
        let known = self.known.state();
        known
            .iter()
            .filter_map(|other| other.0.as_ref().ok())
            .filter(|other| other.spec.event_id == object.spec.event_id && other.uid() != object.uid())
            .filter(|other| age(other) < age(object))
            .filter(|other| !is_aborted(self.reports.newest(other).as_ref()))
            .map(|other| format!("{}/{}", other.namespace().unwrap_or_default(), other.name_any()))
            .min()
    }

    /// Why no rehearsal counts for it, where one must.
    pub(super) async fn lacks_rehearsal(
        &self,
        object: &TicketSale,
        sale: &Sale,
    ) -> Result<Option<String>, Error> {
        let name = object.name_any();
        let Some(of) = decide::rehearsed_by(&name, &object.spec) else {
            return Ok(None);
        };
        let runs: Api<load_run::Guarded> =
            Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default());
        let only = ListParams::default().fields(&format!("spec.saleRef.name={of}"));
        let runs = runs.list(&only).await?.items;
        let runs: Vec<LoadRun> = runs.into_iter().filter_map(|run| run.0.ok()).collect();
        Ok(decide::lacks_rehearsal(&name, &object.spec, sale, &runs))
    }

    /// Seconds to ready that the other sales of the namespace have seen of the same targets.
    pub(super) fn experience(&self, object: &TicketSale) -> Experience {
        let is_named = |name: &str| object.spec.targets.iter().any(|target| target.name == name);
        let (here, known) = (object.meta(), self.known.state());
        let mut all = Experience::new();
        for other in known.iter().filter_map(|other| other.0.as_ref().ok()) {
            let there = other.meta();
            if there.uid == here.uid || there.namespace != here.namespace {
                continue;
            }
            let targets = other.status.iter().flat_map(|status| &status.targets);
            for target in targets.filter(|target| is_named(&target.name)) {
                let seconds = target.learned_seconds.iter();
                let samples = all.entry(target.name.clone()).or_default();
                samples.extend(seconds.filter_map(|seconds| u32::try_from(*seconds).ok()));
            }
        }
        all
    }

    /// The rate that the last sale of the same targets was measured to bear.
    pub(super) fn borne(&self, object: &TicketSale) -> Option<i32> {
        fn names(sale: &TicketSale) -> BTreeSet<&str> {
            sale.spec
                .targets
                .iter()
                .map(|target| target.name.as_str())
                .collect()
        }
        let known = self.known.state();
        known
            .iter()
            .filter_map(|other| other.0.as_ref().ok())
            .filter(|other| other.uid() != object.uid() && other.namespace() == object.namespace())
            .filter(|other| names(other) == names(object))
            .filter_map(|other| {
                let status = other.status.as_ref()?;
                let rate = status.measured.as_ref()?.borne_per_second?;
                Some((decide::measured_at_ms(status), other.uid(), rate))
            })
            .max()
            .map(|(.., rate)| rate)
    }
}
