//! What a step has changed, in the audit log's words.

use crate::store::NewAudit;
use urr_core::plan::Plan;
use urr_core::room::Room;
use urr_core::sale::Phase;
use urr_kit::state::limits::Limits;

pub(crate) fn phase_entry(before: Option<Phase>, plan: &Plan) -> NewAudit {
    NewAudit {
        actor: "schedule".to_owned(),
        action: "phase",
        reason: plan.reasons.join("; "),
        old: before.map(phase_name).unwrap_or_default().to_owned(),
        new: phase_name(plan.phase).to_owned(),
    }
}

const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Scheduled => "scheduled",
        Phase::PreQueue => "pre-queue",
        Phase::Open => "open",
        Phase::Paused => "paused",
        Phase::SoldOut => "sold out",
        Phase::Closed => "closed",
    }
}

/// A record that was changed, for the audit log.
pub(crate) struct Change {
    pub(crate) what: &'static str,
    pub(crate) old: String,
    pub(crate) new: String,
}

impl Change {
    pub(crate) fn of_room(before: Option<&Room>, after: Option<&Room>) -> Option<Self> {
        let tell = |room: &Room| {
            let mode = serde_json::to_value(room.mode).ok()?;
            Some(format!("{} at {}/s", mode.as_str()?, room.clock.rate_per_s))
        };
        let old = before.and_then(tell).unwrap_or_default();
        let new = after.and_then(tell).unwrap_or_default();
        (old != new).then_some(Self {
            what: "waiting room",
            old,
            new,
        })
    }

    pub(crate) fn of_limits(before: Option<&Limits>, after: &Limits) -> Option<Self> {
        let tell = |limits: &Limits| {
            let held = if limits.paused { ", held" } else { "" };
            let sold_out = if limits.sold_out { ", sold out" } else { "" };
            format!("{}/s, cap {}{held}{sold_out}", limits.rate_per_s, limits.cap)
        };
        let (old, new) = (before.map(tell).unwrap_or_default(), tell(after));
        (old != new).then_some(Self {
            what: "queue",
            old,
            new,
        })
    }
}
