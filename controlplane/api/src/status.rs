//! What the operator sees of a `TicketSale`. Derived anew at every look; what is read back is what was
//! measured (times to ready, the boundary that was planned for), that an abort is done, and by the rules
//! that freeze instants people have acted on, the phase.
#![expect(
    unreachable_pub,
    reason = "KubeSchema writes its helper type as pub into a function"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator sees.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TicketSaleStatus {
    /// Generation of the spec that this status tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where the sale is in its life, for `kubectl get`: Scheduled, PreScaling, PreQueue, Open, Paused,
    /// SoldOut, Closed or Aborted. Computed from schedule and time; wait for conditions instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub phase: Option<String>,
    /// Where the sale stands, in a sentence for `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// When the schedule next changes something by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_transition_at: Option<Time>,
    /// The fewest ready replicas of all targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// Replicas each target should have now; the most of them where they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_replicas: Option<i32>,
    /// People per second that may be let in now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<i32>,
    /// Each target: what it should have, has, and had before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub targets: Vec<TargetStatus>,
    /// The line and the seats as they were at its `observedAt`: noted anew when the phase changes, and while
    /// people come every half minute at most. Live figures are in the control API and the dashboards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineStatus>,
    /// How long before preQueueAt capacity is asked for, in seconds, from what was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_seconds: Option<i32>,
    /// How long before preQueueAt capacity is (or was) ready, in seconds, from what was measured; negative:
    /// it comes after the first visitors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack_seconds: Option<i64>,
    /// How late the last boundary of the schedule was acted on, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness_milliseconds: Option<i64>,
    /// The rate this sale begins with instead of spec.admission.ratePerSecond: with tuning Auto what an
    /// earlier sale of the same targets was measured to bear, within spec.admission.adaptive. Fixed once
    /// capacity is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted_rate_per_second: Option<i32>,
    /// What this sale has shown: what its advice is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// What was measured and should be different next time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["field".into()]))]
    pub advice: Vec<Advice>,
    /// Observations: CapacityReady, RoomActive, AdmissionApplied, ScheduleHonoured, Ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// A target as observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// Its name.
    pub name: String,
    /// Replicas it should have now.
    pub desired: i32,
    /// Replicas that are ready.
    pub ready: i32,
    /// Placeholders that hold places for it on the nodes, until it is asked for more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<i32>,
    /// Replicas before this sale touched it: what it gets back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i32>,
    /// When it was asked for more for this sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Time>,
    /// Seconds from then until all of it was ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_seconds: Option<i32>,
    /// Seconds it was seen to need, newest last: what the lead is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learned_seconds: Vec<i32>,
}

/// The line and the seats at one instant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LineStatus {
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Time>,
    /// Places given out.
    pub issued: i64,
    /// Places called up.
    pub serving: i64,
    /// People who wait.
    pub waiting: i64,
    /// People inside.
    pub active: i64,
    /// People who were let in since the sale opened.
    #[serde(default)]
    pub admitted: i64,
    /// Seats sold.
    pub sold: i64,
}

/// What a sale has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// The highest rate that the services bore within the limits of spec.admission.adaptive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borne_per_second: Option<i32>,
    /// Most people let in per second, over half a minute or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub let_in_per_second: Option<i32>,
    /// Most people inside at once, of the looks that were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_active: Option<i64>,
    /// Seconds from the opening until every seat was sold for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold_out_seconds: Option<i64>,
}

/// One thing that should be different next time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Advice {
    /// The field, as a path: `spec.capacity.ratePerReplica`.
    pub field: String,
    /// What to set it to.
    pub value: String,
    /// What was measured.
    pub because: String,
}
