//! The independent auditor, given what only the drill saw.

use super::witness::Witness;
use anyhow::Context as _;
use urr_core::{
    audit::{AuditReport, Observations},
    sale::{Phase, Sale},
    snapshot::Snapshot,
};
use urr_kit::{Settings, clock::SharedClock};
use urr_loadgen::audit::{PollCounters, Stores, audit};

/// An auditor who was there from the start: what polling costs is a difference.
pub(super) struct Auditor {
    stores: Stores,
    before: PollCounters,
    clock: SharedClock,
}

impl Auditor {
    /// Takes the first reading; call before the first visitor.
    pub(super) async fn arrive(settings: &Settings, clock: &SharedClock) -> anyhow::Result<Self> {
        let stores = Stores::from_settings(settings, vec![settings.urls.vwr.clone()])
            .await
            .context("opening the stores for the auditor")?;
        let before = PollCounters::read(&stores.metrics_urls, clock.now())
            .await
            .context("the auditor's first reading")?;
        Ok(Self {
            stores,
            before,
            clock: clock.clone(),
        })
    }

    /// Judges every law of `sale` from the stores, from what `visitors` saw and from what the
    /// drill itself did.
    pub(super) async fn judge(
        &self,
        sale: &Sale,
        visitors: &Observations,
        witness: &Witness,
    ) -> anyhow::Result<AuditReport> {
        let mut observed = visitors.clone();
        observed.ready = witness.ready();
        observed.seats = witness.seats();
        observed.held_at_opening = held_at_opening(sale, &witness.snapshots());
        let (_, report) = audit(&self.stores, sale, observed, &self.before, self.clock.now())
            .await
            .context("collecting the evidence")?;
        Ok(report)
    }
}

/// Whether an operator held the line when it was to open.
fn held_at_opening(sale: &Sale, snapshots: &[Snapshot]) -> bool {
    snapshots
        .iter()
        .find(|snapshot| snapshot.at >= sale.schedule.opens_at)
        .is_some_and(|snapshot| snapshot.phase == Phase::Paused)
}
