//! A line's log before the audit that judges drills.

use super::{OPENS_AT, on_one_server::Sale};
use serde_json::json;
use urr_core::{
    admission::LogEntry,
    audit::{Evidence, Finding, audit},
    law::Law,
    time::Millis,
};
use urr_kit::state::limits::Limits;
use uuid::Uuid;

impl Sale {
    /// The log as the auditor reads it.
    pub(super) async fn entries(&self) -> Vec<LogEntry> {
        let log = self.log().await;
        log.into_iter()
            .map(|l| LogEntry {
                kind: l.kind,
                at: Millis(l.at),
                user: l.user,
                position: l.position,
                active_after: l.active_after,
                cap: l.cap,
                rate_per_s: l.rate,
                reason: l.reason,
            })
            .collect()
    }

    /// What the audit finds about `law` in `log`, where capacity is never short.
    pub(super) fn judge(&self, limits: &Limits, log: Vec<LogEntry>, law: Law) -> Finding {
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
        let mut evidence: Evidence = serde_json::from_value(json!({
            "sale": {
                "id": self.id, "name": "judged", "seats": 10, "expectedVisitors": 10,
                "schedule": {"preQueueAt": OPENS_AT, "opensAt": OPENS_AT, "closesAt": OPENS_AT.plus_s(3600)},
                "admission": {
                    "ratePerS": 1, "cap": limits.cap, "burst": limits.burst, "pollBudgetPerS": 1,
                    "silenceS": 30, "activeTtlS": 600, "tokenTtlS": 600, "holdTtlS": 300,
                },
                "capacity": {"ratePerReplica": 1_000_000, "replicas": 1},
            },
            "takenAt": OPENS_AT.plus_s(3600),
            "seats": nothing, "reservations": nothing, "items": nothing, "log": nothing,
            "active": inside, "places": nothing, "room": null, "payments": nothing, "charges": nothing,
            "observed": {"ready": [{"at": 0, "replicas": 1}]},
        }))
        .unwrap();
        evidence.log = log;
        audit(&evidence).finding(law).unwrap().clone()
    }
}
