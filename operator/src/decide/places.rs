//! When places are held on nodes for a target, and how many.

use crate::mapping;
use crate::targets::{Step, Target};
use urr_api::TicketSaleSpec;
use urr_api::spec::{Placeholders, TargetSpec};
use urr_core::plan::{Terms, warm_at};
use urr_core::sale::{Phase, Sale};
use urr_core::scaling;
use urr_core::time::Millis;

/// Places are held from this long before capacity is asked for: a cluster's autoscaler brings a node
/// within minutes.
const RESERVE_AHEAD_S: i64 = 600;

/// When places begin to be held, in a sale that wants that.
#[must_use]
pub fn reserve_at(spec: &TicketSaleSpec, sale: &Sale, terms: Terms) -> Option<Millis> {
    let wants = spec.capacity.placeholders == Placeholders::Reserve;
    wants.then(|| warm_at(sale, terms).plus_s(-RESERVE_AHEAD_S))
}

/// Replicas that bear the whole of `sale`, also where its rate may rise.
#[must_use]
pub fn peak(target: &TargetSpec, sale: &Sale) -> u32 {
    let size = mapping::size(target);
    scaling::replicas(size, sale.capacity.replicas, highest_rate(sale), &sale.capacity)
}

/// The highest rate the sale may reach without a hand.
pub(super) fn highest_rate(sale: &Sale) -> u32 {
    let admission = &sale.admission;
    let adaptive = admission.adaptive.map_or(0, |adaptive| adaptive.max_rate_per_s);
    admission.rate_per_s.max(adaptive)
}

/// Places to hold for `target`, on which `step` is taken in the same look: what its scale-up will add, until
/// it begins.
#[must_use]
pub fn places(
    spec: &TicketSaleSpec,
    sale: &Sale,
    terms: Terms,
    (target, step): (&Target, Step),
    phase: Phase,
    now: Millis,
) -> u32 {
    let is_time = reserve_at(spec, sale, terms).is_some_and(|at| now >= at)
        && matches!(
            phase,
            Phase::Scheduled | Phase::PreQueue | Phase::Open | Phase::Paused
        );
    let is_free = target.claim.is_none() && matches!(step, Step::Keep | Step::Wait);
    let Some(wanted) = spec.targets.iter().find(|wanted| wanted.name == target.name) else {
        return 0;
    };
    if !is_time || !is_free {
        return 0;
    }
    let peak = target.moves.bounded(peak(wanted, sale));
    peak.saturating_sub(target.count.max(target.ready))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::spec;
    use crate::targets::{Claim, Moves};

    #[test]
    fn places_are_held_from_ten_minutes_before_the_scale_up_until_it_begins() {
        let mut spec = spec();
        let sale = mapping::sale("x", &spec).unwrap();
        let terms = Terms { warm_up_s: 100 };
        let warm = warm_at(&sale, terms);
        let mut target = Target {
            name: "booking".into(),
            moves: Moves::Replicas,
            count: 1,
            ready: 1,
            claim: None,
            rival: None,
        };
        let held = |spec: &TicketSaleSpec, target: &Target, step, now| {
            places(spec, &sale, terms, (target, step), Phase::Scheduled, now)
        };
        assert_eq!(held(&spec, &target, Step::Keep, warm), 0, "nobody asked for it");
        spec.capacity.placeholders = Placeholders::Reserve;
        assert_eq!(held(&spec, &target, Step::Keep, warm.plus_s(-601)), 0);
        assert_eq!(held(&spec, &target, Step::Keep, warm.plus_s(-600)), 3);
        assert_eq!(
            held(&spec, &target, Step::Wait, warm.plus_s(5)),
            3,
            "a later stage"
        );
        let begins = Step::Scale {
            to: 4,
            before: 1,
            asked_at: None,
        };
        assert_eq!(held(&spec, &target, begins, warm), 0);
        target.claim = Some(Claim {
            sale: "x".into(),
            before: 1,
            asked_at: None,
        });
        assert_eq!(held(&spec, &target, Step::Keep, warm.plus_s(5)), 0);
        let over = places(&spec, &sale, terms, (&target, Step::Keep), Phase::Closed, warm);
        assert_eq!(over, 0);
    }

    #[test]
    fn a_target_by_rate_is_sized_for_the_highest_rate_there_may_be() {
        let mut spec = spec();
        spec.targets[0].rate_per_replica = Some(5);
        spec.admission.rate_per_second = 20;
        spec.admission.adaptive = Some(
            serde_json::from_value(serde_json::json!({"minRatePerSecond": 5, "maxRatePerSecond": 40}))
                .unwrap(),
        );
        let sale = mapping::sale("x", &spec).unwrap();
        assert_eq!(peak(&spec.targets[0], &sale), 8);
    }
}
