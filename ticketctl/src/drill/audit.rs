//! The independent auditor, given what only the drill saw.

use super::witness::Witness;
use anyhow::Context as _;
use std::path::Path;
use urr_core::{
    audit::{AuditReport, Observations},
    sale::{Phase, Sale},
    snapshot::Snapshot,
};
use urr_kit::{Settings, clock::SharedClock};
use urr_loadgen::{
    audit::{PollCounters, StorageWatch, Stores, audit},
    report::StorageUse,
};

/// An auditor who was there from the start: what polling costs is a difference.
pub(super) struct Auditor {
    stores: Stores,
    before: PollCounters,
    storage: StorageWatch,
    clock: SharedClock,
}

impl Auditor {
    /// Takes the first reading; call before the first visitor of so many `sales`.
    pub(super) async fn arrive(settings: &Settings, sales: u64, clock: &SharedClock) -> anyhow::Result<Self> {
        let mut stores = Stores::from_settings(settings, vec![settings.urls.vwr.clone()])
            .await
            .context("opening the stores for the auditor")?;
        stores.sales = sales;
        let before = PollCounters::read(&stores.metrics_urls, clock.now())
            .await
            .context("the auditor's first reading")?;
        let storage = StorageWatch::start(stores.metrics_urls.clone(), before, clock.clone());
        Ok(Self {
            stores,
            before,
            storage,
            clock: clock.clone(),
        })
    }

    /// What the waiting room asked of its store so far.
    pub(super) fn storage(&self) -> StorageUse {
        self.storage.so_far()
    }

    /// Judges every law of `sale` from the stores, from what `visitors` saw and from what the
    /// drill itself did; leaves the evidence of order in `dir`.
    pub(super) async fn judge(
        &self,
        sale: &Sale,
        visitors: &Observations,
        witness: &Witness,
        dir: &Path,
    ) -> anyhow::Result<AuditReport> {
        let mut observed = visitors.clone();
        observed.ready = witness.ready();
        observed.seats = witness.seats();
        observed.held_at_opening = held_at_opening(sale, &witness.snapshots());
        let (evidence, report) = audit(&self.stores, sale, observed, &self.before, self.clock.now())
            .await
            .context("collecting the evidence")?;
        // For `ticketctl verify`, by anybody and at any time.
        crate::evidence::write(dir, &evidence).context("writing the evidence")?;
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
