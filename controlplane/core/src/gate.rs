//! The gate at T0: with too little ready, an opening can be held instead of being slow.
//!
//! The gate is decided shortly *before* the opening and not at it: replicas of the services start the
//! line by their own clocks (law `on-time`), so a hold must have reached them by then. An operator
//! that is dead at that moment holds nothing: the sale opens at the rate that ready capacity bears.

use crate::{change::NOTICE_MS, plan::bearable, sale::Sale, time::Millis};

/// When the gate of `sale` is decided: every replica can still hear of it.
#[must_use]
pub const fn decided_at(sale: &Sale) -> Millis {
    sale.schedule.opens_at.plus_ms(-NOTICE_MS)
}

/// Whether the gate is shut at `now`. `was_shut`: it is now. `begun`: the sale is known to those who
/// run it; one they never heard of has not opened, whatever the time.
#[must_use]
pub fn is_shut(sale: &Sale, ready_units: u32, was_shut: bool, begun: bool, now: Millis) -> bool {
    let schedule = &sale.schedule;
    if now >= schedule.closes_at || bearable(sale, ready_units) >= sale.admission.rate_per_s {
        return false;
    }
    // Once open, a sale that loses replicas slows down; it does not stop for the gate.
    let may_shut = now >= decided_at(sale) && (now < schedule.opens_at || !begun);
    was_shut || may_shut
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{OPENS_AT, sale};

    #[test]
    fn the_gate_shuts_shortly_before_the_opening_and_opens_with_capacity_only() {
        // 10 a second need two replicas of 5.
        let shut = |ready, was, begun, at_ms| is_shut(&sale(), ready, was, begun, OPENS_AT.plus_ms(at_ms));
        assert!(!shut(1, false, true, -NOTICE_MS - 1), "there is time");
        assert!(shut(1, false, true, -NOTICE_MS));
        assert!(shut(1, true, true, 60_000), "still too little");
        assert!(!shut(2, true, true, 60_000), "now it bears the rate");
        assert!(!shut(1, false, true, 0), "an open sale slows down instead");
        assert!(
            shut(1, false, false, 5_000),
            "one that was announced after its opening has not opened"
        );
        assert!(!shut(0, true, true, 3_600_000), "it is over");
    }
}
