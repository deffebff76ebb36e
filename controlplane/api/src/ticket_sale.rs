//! `TicketSale`: one opening, from the warm-up of its services to the closing of its room.
#![expect(
    unreachable_pub,
    reason = "KubeSchema writes its helper type as pub into a function"
)]
#![expect(
    clippy::duplicated_attributes,
    reason = "every printer column has a name and a type"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is sold, when, and to how many at once.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "urr.guru",
    version = "v1alpha1",
    kind = "TicketSale",
    namespaced,
    status = "TicketSaleStatus",
    derive = "PartialEq",
    shortname = "ts",
    category = "urr",
    doc = "A ticket sale: its schedule, its crowd, and the capacity that has to be ready for it.",
    selectable = ".spec.eventId",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(
        name = "Opens",
        type_ = "date",
        json_path = ".spec.schedule.opensAt",
        priority = 1
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "Wanted", type_ = "integer", json_path = ".status.desiredReplicas"),
    printcolumn(
        name = "Rate",
        type_ = "integer",
        json_path = ".status.ratePerSecond",
        priority = 1
    ),
    printcolumn(
        name = "Next",
        type_ = "string",
        json_path = ".status.nextTransitionAt",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[kube(
    validation = Rule::new("!has(self.status) || !has(self.status.phase) || self.status.phase == 'Scheduled' || self.spec.schedule.preQueueAt == oldSelf.spec.schedule.preQueueAt")
        .message("visitors have begun to join: the pre-queue cannot be moved any more")
        .field_path(".spec.schedule.preQueueAt"),
    validation = Rule::new("!has(self.status) || !has(self.status.phase) || self.status.phase in ['Scheduled', 'PreQueue'] || self.spec.schedule.opensAt == oldSelf.spec.schedule.opensAt")
        .message("the sale has opened: the opening cannot be moved any more")
        .field_path(".spec.schedule.opensAt")
)]
#[kube(cel)]
#[x_kube(
    validation = Rule::new("self.eventId == oldSelf.eventId")
        .message("a sale keeps its event: make another TicketSale")
        .field_path(".eventId")
)]
#[x_kube(
    validation = Rule::new("self.admission.ratePerSecond <= self.capacity.replicas * self.capacity.ratePerReplica")
        .message("is more than capacity.replicas x capacity.ratePerReplica bear: raise the capacity or lower the rate")
        .field_path(".admission.ratePerSecond")
)]
#[serde(rename_all = "camelCase")]
pub struct TicketSaleSpec {
    /// The event's id (a UUID), the key of every store.
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')")
        .message("must be a UUID in lower case"))]
    #[schemars(length(max = 36))]
    pub event_id: String,
    /// Name for people; the object's name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub display_name: Option<String>,
    /// Seats on sale.
    #[schemars(range(min = 1, max = 200_000))]
    pub seats: i32,
    /// When things happen.
    pub schedule: ScheduleSpec,
    /// Who is expected.
    pub crowd: CrowdSpec,
    /// How people are let in.
    #[serde(default)]
    pub admission: AdmissionSpec,
    /// What the services behind the door must bear.
    pub capacity: CapacitySpec,
    /// The workloads to bring up before the sale and to give back after it. Without any, the
    /// operator scales nothing and counts capacity as ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 16))]
    pub targets: Vec<TargetSpec>,
}

/// The instants of a sale, RFC 3339 with an offset.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(cel)]
#[x_kube(
    validation = Rule::new("self.opensAt < self.closesAt")
        .message("must be after opensAt")
        .field_path(".closesAt")
)]
#[x_kube(
    validation = Rule::new("self.preQueueAt <= self.opensAt")
        .message("must not be after opensAt")
        .field_path(".preQueueAt")
)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleSpec {
    /// From here on visitors may join the waiting room. Capacity is wanted half an hour earlier.
    pub pre_queue_at: Time,
    /// From here on the line moves.
    pub opens_at: Time,
    /// From here on nobody is let in.
    pub closes_at: Time,
}

/// The crowd at the door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CrowdSpec {
    /// People expected.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub expected_visitors: i64,
}

/// How people are let in; every field has the house's default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AdmissionSpec {
    /// People let in per second.
    #[schemars(range(min = 1, max = 100_000))]
    pub rate_per_second: i32,
    /// People inside at once, never exceeded.
    #[schemars(range(min = 1))]
    pub cap: i32,
    /// Admissions that may be saved up while the line is empty.
    #[schemars(range(min = 0))]
    pub burst: i32,
    /// Polls per second the waiting room bears from all visitors together.
    #[schemars(range(min = 1))]
    pub poll_budget_per_second: i32,
    /// A visitor inside who is silent for this long is out.
    #[schemars(range(min = 1, max = 86_400))]
    pub silence_seconds: i32,
    /// A place inside ends after this long whatever happens.
    #[schemars(range(min = 1, max = 86_400))]
    pub active_seconds: i32,
    /// Lifetime of admission tokens.
    #[schemars(range(min = 1, max = 86_400))]
    pub token_seconds: i32,
    /// How long a seat is held for payment.
    #[schemars(range(min = 1, max = 86_400))]
    pub hold_seconds: i32,
}

impl Default for AdmissionSpec {
    /// As `urr_core::sale::AdmissionSettings`; a test in the operator keeps them equal.
    fn default() -> Self {
        Self {
            rate_per_second: 10,
            cap: 1000,
            burst: 50,
            poll_budget_per_second: 5000,
            silence_seconds: 30,
            active_seconds: 600,
            token_seconds: 600,
            hold_seconds: 300,
        }
    }
}

/// What has to be ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacitySpec {
    /// Replicas of each target wanted while the sale is open.
    #[schemars(range(min = 1, max = 10_000))]
    pub replicas: i32,
    /// People let in per second that one ready replica bears.
    #[schemars(range(min = 1, max = 100_000))]
    pub rate_per_replica: i32,
}

/// A Deployment in the sale's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetSpec {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What the operator sees. Derived anew at every look; nothing reads it back.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TicketSaleStatus {
    /// Generation of the spec that this status tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where the sale is in its life, for `kubectl get`; computed from schedule and time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub phase: Option<String>,
    /// When the schedule next changes something by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_transition_at: Option<Time>,
    /// The fewest ready replicas of all targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// Replicas each target should have now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_replicas: Option<i32>,
    /// People per second that may be let in now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<i32>,
    /// Observations: CapacityReady, RoomActive, AdmissionApplied, Ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
