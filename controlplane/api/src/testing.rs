//! A resource to start from, for tests of this crate and of those above it. Not for production code.

use serde_json::{Value, json};

/// The spec of a sound sale, as a person writes it: 1,000 seats, open on the first of December of `year` from
/// 11:00 to 13:00 UTC, for two targets that have to be ready.
#[must_use]
pub fn sale_spec(year: u16) -> Value {
    json!({
        "eventId": "6f1c9a52-7a0e-4c2b-9a51-3d6b0f1e2a77",
        "seats": 1000,
        "schedule": {
            "preQueueAt": format!("{year}-12-01T10:55:00Z"),
            "opensAt": format!("{year}-12-01T20:00:00+09:00"),
            "closesAt": format!("{year}-12-01T13:00:00Z")
        },
        "crowd": {"expectedVisitors": 5000},
        "admission": {"ratePerSecond": 40},
        "capacity": {"replicas": 4, "ratePerReplica": 10},
        "targets": [{"name": "booking"}, {"name": "payment"}]
    })
}
