//! The decisions of a sale's last looks: it was ended by its spec, or its object is going away. As in
//! [`super::look`], a look lives through them and a replay goes through them again.

use super::look::{Decided, PERIOD_FAR, decided};
use super::{Experience, target_status};
use crate::status;
use crate::targets::{Target, Wish};
use std::time::Duration;
use urr_api::{TicketSaleSpec, TicketSaleStatus, status::TargetStatus};
use urr_core::time::Millis;

/// What such a look knows before it does anything.
pub(crate) struct Ending<'a> {
    pub(crate) name: &'a str,
    pub(crate) generation: Option<i64>,
    pub(crate) spec: &'a TicketSaleSpec,
    /// The status shown before.
    pub(crate) shown: Option<&'a TicketSaleStatus>,
    /// The sale that has the event.
    pub(crate) rival: Option<&'a str>,
    /// From when on this process has seen everything.
    pub(crate) since: Millis,
}

impl Ending<'_> {
    /// When to look again at one that was ended by its spec.
    pub(crate) const WAKE: Duration = PERIOD_FAR;

    /// Whether there is a room to be closed. One that gave way, or has ended already, has none: the event is
    /// somebody else's by now.
    pub(crate) fn closes_room(&self) -> bool {
        !is_aborted(self.shown) && self.rival.is_none()
    }

    /// What becomes of the workloads once nobody is let in any more: what there was, or their base.
    pub(crate) fn give_back(&self, targets: Vec<Target>, now: Millis) -> Vec<Decided> {
        let base = |target: &Target| {
            let specs = &self.spec.targets;
            let base = specs.iter().find(|spec| spec.name == target.name)?.base?;
            u32::try_from(base).ok()
        };
        let wishes = targets.iter().map(|target| Wish::GiveBack { base: base(target) });
        let wishes = wishes.collect();
        decided(self.name, targets, wishes, self.shown, now)
    }

    /// The workloads as they are to be shown.
    pub(crate) fn target_statuses(&self, decided: &[Decided], now: Millis) -> Vec<TargetStatus> {
        let (nothing, stamp) = (Experience::new(), (self.since, now));
        let each = decided.iter().map(|(target, wish, step)| {
            target_status(target, (*wish, *step), self.name, self.shown, &nothing, stamp)
        });
        each.collect()
    }

    /// What is reported of one that was ended by its spec.
    pub(crate) fn status(&self, targets: Vec<TargetStatus>, now: Millis) -> TicketSaleStatus {
        status::aborted(self.shown, self.generation, targets, now)
    }
}

/// Whether a sale was ended by its spec, and that is done.
pub(crate) fn is_aborted(shown: Option<&TicketSaleStatus>) -> bool {
    shown.and_then(|status| status.phase.as_deref()) == Some(status::ABORTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::spec;

    #[test]
    fn a_room_is_closed_once_and_only_by_the_sale_that_has_it() {
        let spec = spec();
        let over = TicketSaleStatus {
            phase: Some(status::ABORTED.to_owned()),
            ..TicketSaleStatus::default()
        };
        let closes = |shown, rival| {
            let ending = Ending {
                name: "club-night",
                generation: Some(2),
                spec: &spec,
                shown,
                rival,
                since: Millis(0),
            };
            ending.closes_room()
        };
        assert!(closes(None, None));
        assert!(!closes(Some(&over), None));
        assert!(!closes(None, Some("n/first")));
    }
}
