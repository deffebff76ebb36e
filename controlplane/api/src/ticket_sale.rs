//! `TicketSale`: one opening, from the warm-up of its services to the closing of its room.
//!
//! The spec is what people write; its parts are in [`spec`](crate::spec). The status is what the
//! operator sees, in [`status`](crate::status). Rules that need both stand here.
#![expect(
    unreachable_pub,
    reason = "KubeSchema writes its helper type as pub into a function"
)]
#![expect(
    clippy::duplicated_attributes,
    reason = "every printer column has a name and a type"
)]

pub use crate::spec::{
    AdaptiveSpec, AdmissionSpec, ArrivalSpec, AutoscalerSpec, CapacitySpec, CompletionSpec, CrowdSpec,
    Ordering, Placeholders, Rehearsal, RehearsalSpec, ScheduleSpec, TargetSpec, Tuning, WhenClosed,
    WhenShort, WhenSoldOut,
};
pub use crate::status::{Advice, LineStatus, Measured, TargetStatus, TicketSaleStatus};

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// What is sold, when, to how many at once, and what has to be ready for it.
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
    doc = "A ticket sale: its schedule, its crowd, and the capacity that has to be ready for it. Apply it days ahead; the operator does the rest.",
    selectable = ".spec.eventId",
    selectable = ".spec.hold",
    selectable = ".spec.tuning",
    selectable = ".status.phase",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Opens", type_ = "string", json_path = ".spec.schedule.opensAt"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "Wanted", type_ = "integer", json_path = ".status.desiredReplicas"),
    printcolumn(name = "Rate", type_ = "integer", json_path = ".status.ratePerSecond"),
    printcolumn(name = "Summary", type_ = "string", json_path = ".status.summary"),
    printcolumn(
        name = "Waiting",
        type_ = "integer",
        json_path = ".status.line.waiting",
        priority = 1
    ),
    printcolumn(
        name = "Active",
        type_ = "integer",
        json_path = ".status.line.active",
        priority = 1
    ),
    printcolumn(
        name = "Sold",
        type_ = "integer",
        json_path = ".status.line.sold",
        priority = 1
    ),
    printcolumn(
        name = "Next",
        type_ = "string",
        json_path = ".status.nextTransitionAt",
        priority = 1
    ),
    printcolumn(
        name = "Why",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[kube(
    validation = Rule::new("!has(self.status) || !has(self.status.phase) || self.status.phase in ['Scheduled', 'PreScaling'] || self.spec.schedule.preQueueAt == oldSelf.spec.schedule.preQueueAt")
        .message("visitors have begun to join: the pre-queue cannot be moved any more")
        .field_path(".spec.schedule.preQueueAt"),
    validation = Rule::new("!has(self.status) || !has(self.status.phase) || self.status.phase in ['Scheduled', 'PreScaling', 'PreQueue'] || self.spec.schedule.opensAt == oldSelf.spec.schedule.opensAt")
        .message("the sale has opened: the opening cannot be moved any more")
        .field_path(".spec.schedule.opensAt"),
    validation = Rule::new("!has(self.status) || !has(self.status.phase) || self.status.phase != 'PreScaling' || self.spec.schedule.preQueueAt >= oldSelf.spec.schedule.preQueueAt")
        .message("capacity is being brought up for the instant that was planned: the pre-queue can be put off, not brought forward")
        .field_path(".spec.schedule.preQueueAt"),
    validation = Rule::new("!has(self.status) || !has(self.status.phase) || self.status.phase == 'Scheduled' || (has(self.spec.targets) ? self.spec.targets.map(t, t.name) : []) == (has(oldSelf.spec.targets) ? oldSelf.spec.targets.map(t, t.name) : [])")
        .message("capacity has been claimed: targets cannot be added, removed or reordered once warming has begun")
        .field_path(".spec.targets"),
    validation = Rule::new("!has(self.status) || !has(self.status.phase) || self.status.phase in ['Scheduled', 'PreScaling'] || self.spec.admission.ordering == oldSelf.spec.admission.ordering")
        .message("visitors have begun to join under this order: it cannot be changed any more")
        .field_path(".spec.admission.ordering")
)]
#[kube(cel)]
#[x_kube(
    validation = Rule::new("self.eventId == oldSelf.eventId")
        .message("a sale keeps its event: make another TicketSale")
        .field_path(".eventId")
)]
#[x_kube(
    validation = Rule::new("!oldSelf.abort || self.abort")
        .message("an aborted sale stays aborted: make another TicketSale")
        .field_path(".abort")
)]
#[x_kube(
    validation = Rule::new("self.admission.ratePerSecond <= self.capacity.replicas * self.capacity.ratePerReplica")
        .message("is more than capacity.replicas x capacity.ratePerReplica bear: raise the capacity or lower the rate")
        .field_path(".admission.ratePerSecond")
)]
#[x_kube(
    validation = Rule::new("self.admission.silenceSeconds <= self.admission.activeSeconds")
        .message("must not be longer than activeSeconds: the slot has ended by then")
        .field_path(".admission.silenceSeconds")
)]
#[x_kube(
    validation = Rule::new("!has(self.admission.adaptive) || (self.admission.adaptive.minRatePerSecond <= self.admission.ratePerSecond && self.admission.ratePerSecond <= self.admission.adaptive.maxRatePerSecond)")
        .message("must lie within adaptive.minRatePerSecond and adaptive.maxRatePerSecond: it is where the sale starts")
        .field_path(".admission.ratePerSecond")
)]
#[x_kube(
    validation = Rule::new("!has(self.admission.adaptive) || self.admission.adaptive.maxRatePerSecond <= self.capacity.replicas * self.capacity.ratePerReplica")
        .message("the adaptive maximum is more than capacity.replicas x capacity.ratePerReplica bear: raise the capacity or lower it")
        .field_path(".admission.adaptive")
)]
#[serde(rename_all = "camelCase")]
pub struct TicketSaleSpec {
    /// The event's id in the catalog: a UUID in lower case. It is the key of every store and never
    /// changes; two sales of one event are refused by the operator.
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')")
        .message("must be a UUID in lower case"))]
    #[schemars(length(max = 36))]
    pub event_id: String,
    /// Name for people: screens, events, logs. The object's name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub display_name: Option<String>,
    /// Seats on sale.
    #[schemars(range(min = 1, max = 200_000))]
    pub seats: i32,
    /// When things happen.
    pub schedule: ScheduleSpec,
    /// Who is expected at the door.
    pub crowd: CrowdSpec,
    /// The waiting room: in which order, how fast and how many at once people are let in.
    #[serde(default)]
    pub admission: AdmissionSpec,
    /// What the services behind the door must bear while the sale is open.
    pub capacity: CapacitySpec,
    /// The workloads to bring up before the sale and to give back after it, in the order in which
    /// they come up. Without any, the operator scales nothing and counts capacity as ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 16))]
    pub targets: Vec<TargetSpec>,
    /// What happens when every seat is sold, and when the sale closes.
    #[serde(default)]
    pub completion: CompletionSpec,
    /// Whether a passing LoadRun must have been seen before the sale may open.
    #[serde(default)]
    pub rehearsal: RehearsalSpec,
    /// What the operator may do with what was measured: nothing (Off), say in status.advice what should
    /// be different next time (Advise), or also begin with the rate that the last sale of the same targets
    /// bore (Auto), within admission.adaptive; without those bounds Auto is Advise.
    #[serde(default)]
    pub tuning: Tuning,
    /// While true the line does not move; places are kept and people may join. Set it back to
    /// false to go on. Works before the opening too: the opening is held.
    #[serde(default)]
    pub hold: bool,
    /// Ends the sale now and for good: nobody is let in any more, capacity is given back. It cannot
    /// be taken back.
    #[serde(default)]
    pub abort: bool,
}
