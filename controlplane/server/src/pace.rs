//! The adaptive rate of a sale's record: `urr_core::adaptive` on what this control plane knows.

use crate::store::SaleRecord;
use urr_core::adaptive::{Pace, Sight, next as next_pace};
use urr_core::plan::bearable;
use urr_core::pulse::Signs;
use urr_core::time::Millis;

/// The next pace, or `None` to leave it as it is. A rate set by hand is the one that is tried, so the
/// adaptive one rests until it is taken back.
pub(crate) fn next(
    record: &SaleRecord,
    signs: Option<Signs>,
    ready_replicas: u32,
    now: Millis,
) -> Option<Pace> {
    let sale = &record.sale;
    let adaptive = sale.admission.adaptive.as_ref()?;
    if record.hand.rate_per_s.is_some() {
        return None;
    }
    let sight = Sight {
        start_per_s: sale.admission.rate_per_s,
        bearable_per_s: bearable(sale, ready_replicas),
        signs,
        now,
    };
    next_pace(adaptive, record.pace.as_ref(), &sight)
}

/// The pace to go on with once the sale's terms are `new`: another rate to start from begins anew.
pub(crate) fn after_change(record: &SaleRecord, new: &urr_core::sale::Sale) -> Option<Pace> {
    let same = record.sale.admission.rate_per_s == new.admission.rate_per_s;
    record.pace.clone().filter(|_| same)
}
