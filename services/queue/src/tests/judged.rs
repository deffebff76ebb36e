//! A line's log before the audit that judges drills.

use super::{OPENS_AT, on_one_server::Sale};
use serde_json::json;
use urr_core::{
    admission::LogEntry,
    audit::{Evidence, Finding, audit},
    law::Law,
    sale::SaleId,
    visitor::VisitorKey,
};
use urr_kit::state::limits::Limits;
use uuid::Uuid;

impl Sale {
    /// As [`judge`].
    pub(super) fn judge(&self, limits: &Limits, log: Vec<LogEntry>, law: Law) -> Finding {
        judge(self.id, limits, log, law)
    }
}

/// What the audit finds about `law` in `log`, where capacity is never short.
pub(super) fn judge(sale: SaleId, limits: &Limits, log: Vec<LogEntry>, law: Law) -> Finding {
    let inside = log.iter().fold(Vec::<Uuid>::new(), |mut inside, entry| {
        use urr_core::admission::LogKind;
        match (entry.kind, entry.user) {
            (LogKind::Admit | LogKind::Resume, Some(user)) => inside.push(user),
            (LogKind::Leave, Some(user)) => inside.retain(|other| *other != user),
            _ => {}
        }
        inside
    });
    let nothing = json!([]);
    // Two who were given places at the door, whoever they are.
    let place = |n: u64| json!({"key": VisitorKey::of(sale, &n.to_string()), "epoch": 1, "position": n, "createdAt": OPENS_AT});
    let places = [place(1), place(2)];
    let mut evidence: Evidence = serde_json::from_value(json!({
        "sale": {
            "id": sale, "name": "judged", "seats": 10, "expectedVisitors": 10,
            "schedule": {"preQueueAt": OPENS_AT, "opensAt": OPENS_AT, "closesAt": OPENS_AT.plus_s(3600)},
            "admission": {
                "ratePerS": 1, "cap": limits.cap, "burst": limits.burst, "pollBudgetPerS": 1,
                "silenceS": 30, "activeTtlS": 600, "tokenTtlS": 600, "holdTtlS": 300,
            },
            "capacity": {"ratePerReplica": 1_000_000, "replicas": 1},
        },
        "takenAt": OPENS_AT.plus_s(3600),
        "seats": nothing, "reservations": nothing, "items": nothing, "log": nothing,
        "active": inside, "places": places, "room": null, "payments": nothing, "charges": nothing,
        "observed": {"ready": [{"at": 0, "replicas": 1}]},
    }))
    .unwrap();
    evidence.log = log;
    audit(&evidence).finding(law).unwrap().clone()
}
