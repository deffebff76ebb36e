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
    /// The line, as of the last look. Live figures are in the control API and the dashboards.
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

/// The line and the seats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LineStatus {
    /// Places given out.
    pub issued: i64,
    /// Places called up.
    pub serving: i64,
    /// People who wait.
    pub waiting: i64,
    /// People inside.
    pub active: i64,
    /// Seats sold.
    pub sold: i64,
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
