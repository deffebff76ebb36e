//! The visitors' side of a sale at one instant: how far people came, and how long each step took.
//!
//! Whoever stands on that side fills it (in a drill the load generator); a control plane that only
//! sees stores leaves it out. Part of the snapshot's wire format and of recordings: add fields as
//! optional, never change a meaning. The bounds of the latency buckets are part of that format too:
//! service levels are judged by counting whole buckets, so every level's bound is one of them.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Upper bounds of the latency buckets in milliseconds; the last bucket has none.
pub const BOUNDS_MS: [u32; 15] = [
    1, 2, 5, 10, 20, 50, 100, 200, 300, 500, 1_000, 2_000, 3_000, 5_000, 10_000,
];

/// Number of latency buckets.
pub const BUCKETS: usize = BOUNDS_MS.len() + 1;

/// Which bucket a latency of `us` microseconds falls into; a bound belongs to the bucket below it.
#[must_use]
pub fn bucket_of_us(us: u64) -> usize {
    BOUNDS_MS.partition_point(|bound| u64::from(*bound) * 1000 < us)
}

/// The visitors' side at one instant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CrowdView {
    /// Visitors that are going to come.
    pub planned: u64,
    /// Visitors whose journey is over.
    pub finished: u64,
    /// From arrived to sold.
    pub funnel: Vec<FunnelStep>,
    /// Beside it.
    pub asides: Vec<Aside>,
    /// Per step, in journey order.
    pub latency: Vec<StepLatency>,
}

/// One step of the funnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunnelStep {
    /// e.g. `let in`.
    pub label: Cow<'static, str>,
    /// People who have come this far.
    pub count: u64,
}

/// People or requests beside the way: gave up, turned away, dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Aside {
    /// e.g. `gave up`.
    pub label: Cow<'static, str>,
    /// How many.
    pub count: u64,
    /// Whether any of it is bad news for the run itself.
    pub alarming: bool,
}

/// Latency of one step of the journey, counted from the intended moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepLatency {
    /// e.g. `poll`.
    pub name: String,
    /// Requests since the beginning, failed ones included.
    pub count: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Median in milliseconds, of the last seconds.
    pub p50_ms: f64,
    /// 95th percentile in milliseconds, of the last seconds.
    pub p95_ms: f64,
    /// 99th percentile in milliseconds, of the last seconds.
    pub p99_ms: f64,
    /// Requests since the beginning that did not fail, by latency ([`BOUNDS_MS`]); empty where
    /// nobody counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<u64>,
}

/// Steps that are stretches of the journey rather than requests: minutes are usual for them.
const STRETCHES: [&str; 2] = ["wait", "journey"];

/// Whether the step called `name` is one request.
#[must_use]
pub fn is_request(name: &str) -> bool {
    !STRETCHES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_bucket_below_it() {
        assert_eq!(bucket_of_us(0), 0);
        assert_eq!(bucket_of_us(1_000), 0);
        assert_eq!(bucket_of_us(1_001), 1);
        assert_eq!(bucket_of_us(100_000), 6);
        assert_eq!(bucket_of_us(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn labels_come_back_from_the_wire() {
        let view = CrowdView {
            funnel: vec![FunnelStep {
                label: "let in".into(),
                count: 7,
            }],
            ..CrowdView::default()
        };
        let json = serde_json::to_string(&view).unwrap();
        assert_eq!(serde_json::from_str::<CrowdView>(&json).unwrap(), view);
    }
}
