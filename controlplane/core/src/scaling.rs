//! From the plan's capacity to replicas of each workload, and back from what is ready to capacity.
//!
//! The plan counts in *units*: `capacity.replicas` of them bear the sale, each bears
//! `capacity.rate_per_replica`. A workload may be of another size: it says how many of its replicas
//! bear the whole sale (a peak), or how much one of them bears. Rounds against the visitor in both
//! directions: more replicas are asked for, fewer units counted. What breaks if this changes: law
//! `capacity-first` is about units, and what is ready enters it only through [`units`].

use crate::sale::CapacitySettings;

/// How big a workload is in relation to the sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A replica is a unit.
    Unit,
    /// So many replicas bear what all planned units bear.
    Peak(u32),
    /// One replica bears so many people per second.
    PerReplica(u32),
}

/// The units that `ready` replicas of a workload make.
#[must_use]
pub fn units(size: Size, ready: u32, capacity: &CapacitySettings) -> u32 {
    match size {
        Size::Unit => ready,
        Size::Peak(peak) => ratio_down(ready, capacity.replicas, peak),
        Size::PerReplica(rate) => ratio_down(ready, rate, capacity.rate_per_replica),
    }
}

/// Replicas of a workload that make `units`, of which `rate_per_s` needs no more than it needs.
#[must_use]
pub fn replicas(size: Size, units: u32, rate_per_s: u32, capacity: &CapacitySettings) -> u32 {
    match size {
        Size::Unit => units,
        Size::Peak(peak) => ratio_up(units, peak, capacity.replicas),
        Size::PerReplica(rate) => {
            let needed = ratio_up(rate_per_s, 1, capacity.rate_per_replica).min(units);
            ratio_up(needed, capacity.rate_per_replica, rate).max(1)
        }
    }
}

/// Which workloads may be asked for now: those of the lowest stage, and those behind which every
/// lower stage is ready. One that was asked for before stays so: a Pod that dies early in the order
/// takes nothing from those behind it.
#[must_use]
pub fn their_turn(targets: &[Turn]) -> Vec<bool> {
    let waits_for = |turn: &Turn| {
        targets
            .iter()
            .any(|other| other.stage < turn.stage && !other.is_ready)
    };
    targets
        .iter()
        .map(|turn| turn.was_asked || !waits_for(turn))
        .collect()
}

/// A workload in the order in which they come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Its place in the order.
    pub stage: u32,
    /// It was asked for before.
    pub was_asked: bool,
    /// All it should have is ready.
    pub is_ready: bool,
}

/// `a × b ÷ c`, rounded down; nothing comes of a division by nothing.
fn ratio_down(a: u32, b: u32, c: u32) -> u32 {
    let product = u64::from(a) * u64::from(b);
    product
        .checked_div(u64::from(c))
        .map_or(0, |ratio| u32::try_from(ratio).unwrap_or(u32::MAX))
}

/// `a × b ÷ c`, rounded up.
fn ratio_up(a: u32, b: u32, c: u32) -> u32 {
    if c == 0 {
        return 0;
    }
    let product = u64::from(a) * u64::from(b);
    u32::try_from(product.div_ceil(u64::from(c))).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::bearable_rate_per_s;
    use proptest::prelude::*;

    fn size() -> impl Strategy<Value = Size> {
        prop_oneof![
            Just(Size::Unit),
            (1..200_u32).prop_map(Size::Peak),
            (1..500_u32).prop_map(Size::PerReplica)
        ]
    }

    proptest! {
        #[test]
        fn what_is_asked_for_bears_the_rate_once_it_is_ready(
            size in size(), replicas_wanted in 1..200_u32, rate_per_replica in 1..200_u32, rate in 1..40_000_u32,
        ) {
            let capacity = CapacitySettings { replicas: replicas_wanted, rate_per_replica };
            let rate = rate.min(bearable_rate_per_s(replicas_wanted, rate_per_replica));
            let asked = replicas(size, replicas_wanted, rate, &capacity);
            let made = units(size, asked, &capacity);
            prop_assert!(bearable_rate_per_s(made, rate_per_replica) >= rate, "{asked} replicas make {made} units");
        }

        /// Law capacity-first: no unit is counted that its replicas do not bear.
        #[test]
        fn units_never_bear_more_than_the_replicas_they_are_made_of(
            rate in 1..500_u32, ready in 0..500_u32, rate_per_replica in 1..200_u32,
        ) {
            let capacity = CapacitySettings { replicas: 4, rate_per_replica };
            let made = units(Size::PerReplica(rate), ready, &capacity);
            prop_assert!(bearable_rate_per_s(made, rate_per_replica) <= bearable_rate_per_s(ready, rate));
        }

        #[test]
        fn fewer_ready_never_make_more_units(size in size(), ready in 1..500_u32, replicas in 1..100_u32) {
            let capacity = CapacitySettings { replicas, rate_per_replica: 7 };
            prop_assert!(units(size, ready - 1, &capacity) <= units(size, ready, &capacity));
        }
    }

    #[test]
    fn a_peak_bears_the_whole_sale_whatever_the_planned_units_are() {
        let capacity = CapacitySettings {
            replicas: 4,
            rate_per_replica: 10,
        };
        assert_eq!(replicas(Size::Peak(2), 4, 40, &capacity), 2);
        assert_eq!(units(Size::Peak(2), 1, &capacity), 2);
        assert_eq!(replicas(Size::Peak(8), 4, 40, &capacity), 8);
        assert_eq!(units(Size::Peak(8), 7, &capacity), 3);
        assert_eq!(replicas(Size::PerReplica(7), 4, 40, &capacity), 6);
        assert_eq!(
            replicas(Size::PerReplica(5), 4, 25, &capacity),
            6,
            "whole units of it"
        );
    }

    #[test]
    fn a_stage_waits_for_the_ones_before_it_but_not_once_it_has_begun() {
        let turn = |stage, was_asked, is_ready| Turn {
            stage,
            was_asked,
            is_ready,
        };
        let starting = [turn(1, false, false), turn(0, false, false), turn(0, false, true)];
        assert_eq!(their_turn(&starting), [false, true, true]);
        let first_done = [turn(1, false, false), turn(0, true, true), turn(0, true, true)];
        assert_eq!(their_turn(&first_done), [true, true, true]);
        let one_died = [turn(1, true, true), turn(0, true, false)];
        assert_eq!(their_turn(&one_died), [true, true]);
    }
}
