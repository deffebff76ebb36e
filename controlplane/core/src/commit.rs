//! How often a replica may append to a sale's ledger.
//!
//! One DynamoDB item takes a thousand writes a second, and every append writes the sale's one
//! counter. So appends are a budget that all replicas share without talking to each other: each
//! spaces its own by [`GAP_US`] times the number of replicas whose blocks it has seen within the
//! last second. However large the crowd and however many the replicas, the sale costs at most
//! [`APPENDS_PER_S`] appends, each of two items; up to nine replicas the window stays within 25 ms.
//! One or few replicas use less than the budget: nobody feels [`WINDOW_US`], and every append costs two writes
//! and the work of a transaction, however many joins share it.
//! A lone join after a quiet moment never waits: the gap is between appends, not before them.

/// Appends a second of one sale, all replicas together: 780 item writes, under the 800 that a sale
/// may cost (the vendor takes 1,000), with room for the control plane's own.
pub const APPENDS_PER_S: u32 = 390;
/// Between two appends of a sale.
pub const GAP_US: u64 = 1_000_000_u64.div_ceil(APPENDS_PER_S as u64);
/// A replica's shortest gap between two appends: what arrives within it shares one.
pub const WINDOW_US: u64 = 10_000;
/// Longest gap while the store refuses: longer, and people wait for nothing once it recovers.
pub const GAP_MAX_US: u64 = 1_000_000;
/// First gap after a refusal.
const REFUSED_US: u64 = 25_000;

/// The gap a replica keeps between its appends, in microseconds. `writers` counts the replicas
/// that append to this sale, itself included; `refusals` the attempts in a row that the store
/// throttled or failed.
#[must_use]
pub fn gap_us(writers: u32, refusals: u32) -> u64 {
    let shared = GAP_US.saturating_mul(u64::from(writers.max(1))).max(WINDOW_US);
    match refusals {
        0 => shared,
        // Doubling: 25, 50, 100 ms up to a second.
        n => shared
            .max(REFUSED_US.saturating_mul(1 << (n - 1).min(16)))
            .min(GAP_MAX_US.max(shared)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_replicas_together_stay_within_the_budget() {
        for writers in 1..=100 {
            let per_s = 1_000_000.0 / gap_us(writers, 0) as f64 * f64::from(writers);
            assert!(per_s <= f64::from(APPENDS_PER_S), "{writers}: {per_s}");
        }
        assert_eq!((gap_us(1, 0), gap_us(3, 0)), (WINDOW_US, WINDOW_US));
        assert!(gap_us(9, 0) <= 25_000);
    }

    #[test]
    fn a_store_that_refuses_is_asked_less_and_less() {
        let gaps: Vec<u64> = (0..10).map(|refusals| gap_us(1, refusals)).collect();
        assert!(gaps.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!((gaps[1], gaps[9]), (25_000, GAP_MAX_US));
    }
}
