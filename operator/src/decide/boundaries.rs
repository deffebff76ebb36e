//! The instants a sale is looked at for: which come, which was reached, how late.

use super::places::reserve_at;
use crate::mapping::{millis, time};
use urr_api::spec::WhenShort;
use urr_api::{TicketSaleSpec, TicketSaleStatus};
use urr_core::gate;
use urr_core::plan::{Terms, warm_at};
use urr_core::sale::Sale;
use urr_core::time::Millis;

/// Until when capacity stays after the closing.
pub(super) fn kept_until(spec: &TicketSaleSpec, sale: &Sale) -> Millis {
    sale.schedule
        .closes_at
        .plus_s(i64::from(spec.completion.keep_capacity_seconds))
}

/// The boundaries of the schedule, in order, with the phase that begins.
#[must_use]
pub fn boundaries(spec: &TicketSaleSpec, sale: &Sale, terms: Terms) -> Vec<(&'static str, Millis)> {
    let schedule = &sale.schedule;
    let mut all: Vec<_> = reserve_at(spec, sale, terms)
        .map(|at| ("Reserving", at))
        .into_iter()
        .collect();
    all.extend([
        ("PreScaling", warm_at(sale, terms)),
        ("PreQueue", schedule.pre_queue_at),
        ("Open", schedule.opens_at),
        ("Closed", schedule.closes_at),
    ]);
    if spec.completion.keep_capacity_seconds > 0 {
        all.push(("Restoring", kept_until(spec, sale)));
    }
    all
}

/// The boundary that was reached since the status was written and is acted on at `now`: its name and
/// how late that is, in milliseconds. The status knows for which instant it waited, so this holds across
/// restarts; the earliest counts when there are several.
#[must_use]
pub fn reached(
    boundaries: &[(&'static str, Millis)],
    shown: Option<&TicketSaleStatus>,
    now: Millis,
) -> Option<(&'static str, i64)> {
    let waited_for = shown?.next_transition_at.as_ref()?;
    boundaries
        .iter()
        // The status keeps whole seconds.
        .filter(|(_, at)| millis(&time(*at)) >= millis(waited_for) && *at <= now)
        .min_by_key(|(_, at)| *at)
        .map(|(name, at)| (*name, now.since(*at)))
}

/// When to look again at the latest: the next boundary, or the gate's.
#[must_use]
pub fn next_due(
    boundaries: &[(&'static str, Millis)],
    spec: &TicketSaleSpec,
    sale: &Sale,
    now: Millis,
) -> Option<Millis> {
    let gate = (spec.capacity.when_short == WhenShort::Hold).then(|| gate::decided_at(sale));
    boundaries
        .iter()
        .map(|(_, at)| *at)
        .chain(gate)
        .filter(|at| *at > now)
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{self, tests::spec};

    const NAME: &str = "club-night";

    #[test]
    fn a_boundary_counts_as_reached_until_the_status_waits_for_the_next() {
        let spec = spec();
        let sale = mapping::sale(NAME, &spec).unwrap();
        let all = boundaries(&spec, &sale, Terms::default());
        let opens = sale.schedule.opens_at;
        let waiting_for = |at| TicketSaleStatus {
            next_transition_at: Some(time(at)),
            ..TicketSaleStatus::default()
        };
        let now = opens.plus_ms(120);
        assert_eq!(reached(&all, Some(&waiting_for(opens)), now), Some(("Open", 120)));
        assert_eq!(
            reached(&all, Some(&waiting_for(sale.schedule.closes_at)), now),
            None
        );
        assert_eq!(reached(&all, None, now), None);
        let slept = reached(&all, Some(&waiting_for(sale.schedule.pre_queue_at)), now);
        assert_eq!(slept, Some(("PreQueue", 300_120)), "two at once: the earlier");
    }
}
