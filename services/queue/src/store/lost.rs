//! Giving back to Redis what it lost (docs/decisions/0008-tier-2.md, "Redis lost").

use super::{
    Act, Proof, Store, StoreError, View,
    call::{Call, Knows},
};
use crate::lines::Line;
use urr_core::{sale::SaleId, time::Millis};

impl Store {
    /// Writes what is known into a Redis that lost it.
    pub(super) async fn give_back(&self, line: &Line, sale: SaleId, now: Millis) -> Result<(), StoreError> {
        // The line first: between the two writes it refuses all acts instead of going by the
        // defaults.
        if let Some(head) = line.living_head(now) {
            let view = self.revive(sale, &head, line.has_limits(), now).await?;
            line.learn(&view, now);
        }
        if let Some(limits) = line.limits() {
            let written = self.limits.restore(&limits).await?;
            tracing::warn!(%sale, revision = limits.revision, ?written, "Redis lost the limits of a sale");
        }
        self.list(sale).await
    }

    /// Tells Redis the line as it was in `before`, another life of it.
    pub(super) async fn revive(
        &self,
        sale: SaleId,
        before: &View,
        has_limits: bool,
        now: Millis,
    ) -> Result<View, StoreError> {
        let call = Call {
            sale,
            act: Act::Revive(before),
            proof: Proof::default(),
            now,
            knows: Knows {
                life: Some(before.life),
                has_limits,
            },
        };
        let (view, _) = self.run(&call).await?;
        metrics::counter!("urr_queue_revived_total").increment(1);
        tracing::warn!(%sale, watermark = view.watermark, inside = before.active,
            "Redis lost a line; it is rebuilt from what its visitors and replicas know");
        Ok(view)
    }
}
