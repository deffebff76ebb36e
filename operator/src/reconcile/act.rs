//! What a look does to workloads.

use super::{Context, Error};
use crate::decide::look::Decided;
use crate::events::Happening;
use crate::targets::{Placeholders, Step, Target, Wish, Workloads};
use kube::ResourceExt as _;
use urr_api::status::TargetStatus;
use urr_api::{TicketSale, TicketSaleStatus};

/// What a look saw of the cluster.
pub(super) struct Seen {
    pub(super) targets: Vec<Target>,
    pub(super) missing: Vec<String>,
}

impl Context {
    pub(super) async fn observe(&self, object: &TicketSale) -> Result<Seen, Error> {
        // A hand at a count that is not known yet is no hand that is not there.
        self.autoscalers.wait_until_ready().await?;
        let workloads = self.workloads(object);
        let (targets, missing) = workloads
            .observe(&object.spec.targets, &self.autoscalers.state())
            .await?;
        Ok(Seen { targets, missing })
    }

    /// Returns what happened.
    pub(super) async fn scale(
        &self,
        object: &TicketSale,
        decided: &[Decided],
        shown: Option<&TicketSaleStatus>,
    ) -> Result<Vec<Happening>, Error> {
        let (workloads, name) = (self.workloads(object), object.name_any());
        let mut happened = Vec::new();
        for (target, wish, step) in decided {
            workloads.apply(target, &name, *step, &self.leadership).await?;
            let was_so = |desired: u32| {
                let shown = shown.into_iter().flat_map(|status| &status.targets);
                let mut same = shown.filter(|old| old.name == target.name && old.before.is_some());
                same.any(|old| u32::try_from(old.desired) == Ok(desired))
            };
            let drifted = matches!((wish, step), (Wish::Have(_), Step::Scale { to, .. }) if was_so(*to));
            happened.extend(Happening::of_step(target, *step, drifted));
        }
        Ok(happened)
    }

    /// Holds places on nodes for `targets` as `places` says, or lets go of them; notes it in their statuses.
    /// Nothing is asked where there is nothing to hold and nothing was held.
    pub(super) async fn reserve(
        &self,
        object: &TicketSale,
        targets: &mut [TargetStatus],
        places: &[u32],
        shown: Option<&TicketSaleStatus>,
    ) -> Result<Vec<Happening>, Error> {
        let placeholders = Placeholders::of(&self.client, &object.namespace().unwrap_or_default());
        let mut happened = Vec::new();
        let may_be_there = |target: &TargetStatus| {
            let shown = shown.into_iter().flat_map(|status| &status.targets);
            let was_held = shown
                .filter(|old| old.name == target.name)
                .any(|old| old.reserved.is_some());
            // Held by a look whose report was lost, perhaps.
            let is_asked = object.spec.capacity.placeholders == urr_api::spec::Placeholders::Reserve
                && target.asked_at.is_some()
                && target.ready_seconds.is_none();
            was_held || is_asked
        };
        for (target, wanted) in targets.iter_mut().zip(places) {
            if *wanted == 0 && !may_be_there(target) {
                continue;
            }
            let had = placeholders
                .hold(object, &target.name, *wanted, &self.leadership)
                .await?;
            target.reserved = i32::try_from(*wanted).ok().filter(|places| *places > 0);
            happened.extend(Happening::of_places(&target.name, had, *wanted));
        }
        Ok(happened)
    }

    pub(super) fn workloads(&self, object: &TicketSale) -> Workloads {
        Workloads::of(&self.client, &object.namespace().unwrap_or_default())
    }
}
