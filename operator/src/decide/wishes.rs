//! What a sale wants of its workloads.

use super::boundaries::kept_until;
use super::places::highest_rate;
use crate::mapping;
use crate::targets::{Target, Wish};
use urr_api::TicketSaleSpec;
use urr_api::spec::WhenClosed;
use urr_core::plan::{Observed, Plan, REPLICAS_AT_REST, Terms, wants_capacity};
use urr_core::sale::{Phase, Sale};
use urr_core::scaling::{self, Turn};
use urr_core::time::Millis;

/// What the sale wants of each of `targets`, in their order.
#[must_use]
pub fn wishes(
    name: &str,
    spec: &TicketSaleSpec,
    sale: &Sale,
    targets: &[Target],
    (terms, observed, plan): (Terms, &Observed, &Plan),
    now: Millis,
) -> Vec<Wish> {
    let spec_of = |target: &Target| spec.targets.iter().find(|spec| spec.name == target.name);
    let base_of = |target: &Target| {
        spec_of(target)
            .and_then(|spec| spec.base)
            .and_then(|base| u32::try_from(base).ok())
    };
    if !wants_capacity(terms, sale, observed, now) {
        let kept_until = kept_until(spec, sale);
        let wish = |target: &Target| match (plan.phase, spec.completion.when_closed) {
            // The rate in force still needs it.
            _ if plan.replicas > REPLICAS_AT_REST => Wish::Stay,
            (Phase::Closed, _) if now < kept_until => Wish::Stay,
            (Phase::Closed, WhenClosed::Keep) => Wish::LetGo,
            (Phase::SoldOut, WhenClosed::Keep) => Wish::Stay,
            _ => Wish::GiveBack {
                base: base_of(target),
            },
        };
        return targets.iter().map(wish).collect();
    }
    let rate = observed.hand.rate_per_s.unwrap_or(0).max(highest_rate(sale));
    let wanted: Vec<u32> = targets
        .iter()
        .map(|target| {
            let size = spec_of(target).map(mapping::size);
            size.map_or(0, |size| {
                scaling::replicas(size, plan.replicas, rate, &sale.capacity)
            })
        })
        .collect();
    let turns: Vec<Turn> = targets
        .iter()
        .zip(&wanted)
        .map(|(target, wanted)| Turn {
            stage: spec_of(target).map_or(0, |spec| spec.stage.unsigned_abs()),
            was_asked: target.claim_of(name).is_some(),
            is_ready: target.ready >= target.moves.bounded(*wanted),
        })
        .collect();
    let turns = scaling::their_turn(&turns).into_iter();
    turns
        .zip(wanted)
        .map(|(turn, wanted)| {
            if turn {
                Wish::Have(wanted)
            } else {
                Wish::HaveLater(wanted)
            }
        })
        .collect()
}
