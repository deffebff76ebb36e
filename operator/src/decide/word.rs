//! What is said to the control plane: how much is ready, and whether the line is held.

use crate::control_api::{SaleState, Word};
use crate::mapping;
use crate::targets::Target;
use urr_api::TicketSaleSpec;
use urr_api::spec::{TargetSpec, WhenShort};
use urr_core::sale::Sale;
use urr_core::time::Millis;
use urr_core::{gate, scaling};

/// Why the line is held when the gate is shut. Compared with what the control plane has, so its words
/// are a wire format.
pub const GATE: &str = "capacity.whenShort is Hold and capacity for the whole rate is not ready";
/// Why it is held when the spec says so.
pub const HOLD: &str = "spec.hold is set";

/// Units of capacity that are ready: the fewest of all targets.
#[must_use]
pub fn ready_units(specs: &[TargetSpec], sale: &Sale, targets: &[Target], is_missing: bool) -> u32 {
    if is_missing {
        return 0;
    }
    let of_target = |target: &Target| {
        let size = specs
            .iter()
            .find(|spec| spec.name == target.name)
            .map(mapping::size);
        size.map(|size| scaling::units(size, target.ready, &sale.capacity))
    };
    targets
        .iter()
        .filter_map(of_target)
        .min()
        // Nothing to scale: capacity is somebody else's and counts as there.
        .unwrap_or(sale.capacity.replicas)
}

/// What to say to the control plane. `known` is what it has of the sale.
#[must_use]
pub fn word(
    spec: &TicketSaleSpec,
    sale: &Sale,
    ready_units: u32,
    known: Option<&SaleState>,
    now: Millis,
) -> Word {
    let was_shut = known
        .and_then(|state| state.held.as_deref())
        .is_some_and(|held| held.contains(GATE));
    let shut = spec.capacity.when_short == WhenShort::Hold
        && gate::is_shut(sale, ready_units, was_shut, known.is_some(), now);
    let held = match (spec.hold, shut) {
        (false, false) => None,
        (true, false) => Some(HOLD.to_owned()),
        (false, true) => Some(GATE.to_owned()),
        (true, true) => Some(format!("{HOLD}; {GATE}")),
    };
    Word { ready_units, held }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::spec;

    const NAME: &str = "club-night";

    #[test]
    fn the_gate_is_kept_shut_by_its_own_word_and_a_hold_is_not_a_gate() {
        let mut spec = spec();
        let sale = mapping::sale(NAME, &spec).unwrap();
        let opens = sale.schedule.opens_at;
        let state = |held: Option<&str>| -> SaleState {
            serde_json::from_value(serde_json::json!({
                "hand": {}, "held": held, "readyReplicas": 1, "plan": null, "problems": []
            }))
            .unwrap()
        };
        let held = |spec: &TicketSaleSpec, ready, was: Option<&str>, at| {
            word(spec, &sale, ready, Some(&state(was)), at).held
        };
        assert_eq!(held(&spec, 1, None, opens.plus_ms(-1)), None, "OpenSlower");
        spec.capacity.when_short = WhenShort::Hold;
        assert_eq!(held(&spec, 1, None, opens.plus_ms(-1)).as_deref(), Some(GATE));
        assert_eq!(held(&spec, 4, Some(GATE), opens), None);
        assert_eq!(held(&spec, 1, Some(HOLD), opens), None, "it had opened");
        spec.hold = true;
        let both = held(&spec, 1, None, opens.plus_ms(-1)).unwrap();
        spec.hold = false;
        assert_eq!(
            held(&spec, 1, Some(&both), opens.plus_s(5)).as_deref(),
            Some(GATE)
        );
    }
}
