//! The adaptive rate of a sale's record: `urr_core::adaptive` on what this control plane knows.

use crate::store::SaleRecord;
use urr_core::adaptive::{Bearing, Lean, Pace, Sight, bearing};
use urr_core::plan::bearable;
use urr_core::pulse::Signs;
use urr_core::snapshot::PaceView;
use urr_core::time::Millis;

/// Where the rate of `record` leans and the step that is due; `None` where it does not follow anything. A
/// rate set by hand is the one that is tried, so the adaptive one rests until it is taken back.
pub(crate) fn of(
    record: &SaleRecord,
    signs: Option<Signs>,
    ready_replicas: u32,
    now: Millis,
) -> Option<Bearing> {
    let sale = &record.sale;
    let adaptive = sale.admission.adaptive.as_ref()?;
    if let Some(by_hand) = record.hand.rate_per_s {
        return Some(Bearing {
            lean: Lean::Holding,
            because: format!("a hand set {by_hand}/s"),
            step: None,
        });
    }
    let sight = Sight {
        start_per_s: sale.admission.rate_per_s,
        bearable_per_s: bearable(sale, ready_replicas),
        signs,
        now,
    };
    Some(bearing(adaptive, record.pace.as_ref(), &sight))
}

/// What a picture of `record` shows of it.
pub(crate) fn view(
    record: &SaleRecord,
    signs: Option<Signs>,
    ready_replicas: u32,
    now: Millis,
) -> Option<PaceView> {
    let adaptive = record.sale.admission.adaptive?;
    let Bearing { lean, because, .. } = of(record, signs, ready_replicas, now)?;
    let pace = record.pace.as_ref();
    Some(PaceView {
        rate_per_s: pace.map_or(record.sale.admission.rate_per_s, |pace| pace.rate_per_s),
        min_rate_per_s: adaptive.min_rate_per_s,
        max_rate_per_s: adaptive.max_rate_per_s,
        lean,
        because,
        since: pace.map(|pace| pace.since),
        reason: pace.map(|pace| pace.reason.clone()),
        signs,
    })
}

/// The pace to go on with once the sale's terms are `new`: another rate to start from begins anew.
pub(crate) fn after_change(record: &SaleRecord, new: &urr_core::sale::Sale) -> Option<Pace> {
    let same = record.sale.admission.rate_per_s == new.admission.rate_per_s;
    record.pace.clone().filter(|_| same)
}
