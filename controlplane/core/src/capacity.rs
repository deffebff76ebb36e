//! What replicas bear: the arithmetic behind capacity-first.
//!
//! Linear on purpose: `rate_per_replica` is measured for the whole chain behind the door, and an
//! opening is no moment for extrapolation. Rounds against the visitor, never against the services.

/// People per second that `ready` replicas bear. Saturates.
#[must_use]
pub const fn bearable_rate_per_s(ready: u32, rate_per_replica: u32) -> u32 {
    ready.saturating_mul(rate_per_replica)
}

/// Replicas needed to bear `rate_per_s`. A replica that bears nothing (`rate_per_replica` 0, which
/// `Sale::validate` refuses) is asked for `u32::MAX` times: no number is enough.
#[must_use]
pub const fn replicas_for_rate(rate_per_s: u32, rate_per_replica: u32) -> u32 {
    match (rate_per_s, rate_per_replica) {
        (0, _) => 0,
        (_, 0) => u32::MAX,
        (rate, per_replica) => rate.div_ceil(per_replica),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_replicas_asked_for_bear_the_rate_and_one_less_would_not(
            rate in 1u32..1_000_000, per_replica in 1u32..10_000,
        ) {
            let replicas = replicas_for_rate(rate, per_replica);
            prop_assert!(bearable_rate_per_s(replicas, per_replica) >= rate);
            prop_assert!(bearable_rate_per_s(replicas - 1, per_replica) < rate);
        }
    }

    #[test]
    fn nothing_is_needed_for_nothing_and_nothing_bears_nothing() {
        assert_eq!(replicas_for_rate(0, 0), 0);
        assert_eq!(replicas_for_rate(1, 0), u32::MAX);
        assert_eq!(bearable_rate_per_s(u32::MAX, 2), u32::MAX);
    }
}
