//! The parts of a `TicketSale`'s spec. Numbers are signed and whole, durations are seconds, words are
//! enums where more of them may come: Kubernetes' API conventions.
#![expect(
    unreachable_pub,
    reason = "KubeSchema writes its helper type as pub into a function"
)]

use crate::load_run::SaleRef;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// From here on visitors may join the waiting room. Capacity is ready before it.
    pub pre_queue_at: Time,
    /// From here on the line moves.
    pub opens_at: Time,
    /// From here on nobody is let in.
    pub closes_at: Time,
    /// The zone in which people read these instants, as in "Asia/Seoul". For display only: what
    /// happens when is said by the instants, which carry their own offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$')")
        .message("must be the name of a zone, as in Asia/Seoul"))]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
}

/// The crowd at the door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CrowdSpec {
    /// People expected in all.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub expected_visitors: i64,
    /// How they come. The waiting room is sized for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<ArrivalSpec>,
}

/// How people come to the door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArrivalSpec {
    /// Joins per second in the worst second.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub peak_per_second: i32,
}

/// In which order people are let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Ordering {
    /// Who joins before the opening draws a place by lot at the opening; who joins later stands
    /// behind, first come first served.
    Shuffle,
    /// First come first served, from the first who joins.
    #[default]
    Fifo,
}

/// How people are let in; every field has the house's default.
// Its rules stand at `TicketSaleSpec`: KubeSchema cannot be derived beside serde's container default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AdmissionSpec {
    /// In which order people are let in. Shuffle: who joins before the opening draws a place by lot at
    /// the opening, who joins later stands behind. Fifo: first come first served, from the first who
    /// joins.
    pub ordering: Ordering,
    /// People let in per second; with `adaptive`, the rate the sale opens with.
    #[schemars(range(min = 1, max = 100_000))]
    pub rate_per_second: i32,
    /// Lets the rate follow what the services bear, within bounds: while the sale is open it falls when one
    /// of the signs is over its limit and rises in small steps while all are well below. The control plane
    /// does that, also while no operator runs; a rate set by hand comes first. Fixed when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<AdaptiveSpec>,
    /// People inside at once, never exceeded.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub cap: i32,
    /// Admissions that may be saved up while the line is empty.
    #[schemars(range(min = 0, max = 100_000_000))]
    pub burst: i32,
    /// Polls per second the waiting room bears from all visitors together.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub poll_budget_per_second: i32,
    /// Turn away who already waits in another sale that says so too: one line per person.
    pub one_line_per_user: bool,
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
            ordering: Ordering::default(),
            rate_per_second: 10,
            adaptive: None,
            cap: 1000,
            burst: 50,
            poll_budget_per_second: 5000,
            one_line_per_user: false,
            silence_seconds: 30,
            active_seconds: 600,
            token_seconds: 600,
            hold_seconds: 300,
        }
    }
}

/// Bounds of a rate that follows the services, and the signs it follows.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("self.minRatePerSecond <= self.maxRatePerSecond")
        .message("must not be less than minRatePerSecond")
        .field_path(".maxRatePerSecond")
)]
#[serde(rename_all = "camelCase")]
pub struct AdaptiveSpec {
    /// Never slower than this, while capacity for it is ready.
    #[schemars(range(min = 1, max = 100_000))]
    pub min_rate_per_second: i32,
    /// Never faster than this.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_rate_per_second: i32,
    /// Slow down when the 99th percentile of reservations takes longer than this.
    #[serde(default = "reservation_p99_ms")]
    #[schemars(range(min = 1, max = 60_000))]
    pub reservation_p99_milliseconds: i32,
    /// Slow down when connection pools are fuller than this.
    #[serde(default = "pool_saturation_percent")]
    #[schemars(range(min = 1, max = 100))]
    pub pool_saturation_percent: i32,
    /// Slow down when more than this many of a thousand requests fail on our side.
    #[serde(default = "errors_per_thousand")]
    #[schemars(range(min = 1, max = 1000))]
    pub errors_per_thousand: i32,
}

// design.md section 5: a reservation takes less than a second.
const fn reservation_p99_ms() -> i32 {
    1000
}

const fn pool_saturation_percent() -> i32 {
    80
}

const fn errors_per_thousand() -> i32 {
    10
}

/// What to do at the opening when less is ready than the rate needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhenShort {
    /// Open on time, at the rate that ready capacity bears; it rises as capacity comes.
    #[default]
    OpenSlower,
    /// Hold the opening until capacity for the whole rate is ready, and say so.
    Hold,
}

/// Whether nodes are reserved before Pods are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Placeholders {
    /// No: Pods wait for nodes if there are too few.
    #[default]
    Off,
    /// Pods of low priority hold the place and give way to the real ones.
    Reserve,
}

/// What has to be ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacitySpec {
    /// Replicas of each target wanted while the sale is open, where the target does not say
    /// otherwise.
    #[schemars(range(min = 1, max = 10_000))]
    pub replicas: i32,
    /// People let in per second that one ready replica bears.
    #[schemars(range(min = 1, max = 100_000))]
    pub rate_per_replica: i32,
    /// The least time before preQueueAt at which capacity is asked for. The operator starts earlier
    /// when Pods were seen to need longer.
    #[serde(default = "lead_s")]
    #[schemars(range(min = 0, max = 86_400))]
    pub lead_seconds: i32,
    /// What to do at the opening when less is ready than the rate needs. OpenSlower: open on time, at
    /// the rate that ready capacity bears. Hold: hold the opening until all of it is ready. Either way
    /// the conditions say so.
    #[serde(default)]
    pub when_short: WhenShort,
    /// Whether nodes are reserved before Pods are wanted. Reserve: from ten minutes before capacity is
    /// asked for, Pods of the PriorityClass urr-placeholder that do nothing ask for what the targets' Pods
    /// will ask for, and go when those come. Off: Pods wait for nodes if there are too few.
    #[serde(default)]
    pub placeholders: Placeholders,
}

/// R-DEP-02: half an hour.
const fn lead_s() -> i32 {
    1800
}

/// A Deployment in the sale's namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("!has(self.base) || !has(self.peak) || self.base <= self.peak")
        .message("must not be less than base")
        .field_path(".peak")
)]
#[x_kube(
    validation = Rule::new("!has(self.peak) || !has(self.ratePerReplica)")
        .message("say peak or ratePerReplica: with the latter the peak is derived")
        .field_path(".ratePerReplica")
)]
#[serde(rename_all = "camelCase")]
pub struct TargetSpec {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Targets of a lower stage are ready before those of a higher one are asked for; equal ones come
    /// up together.
    #[serde(default)]
    #[schemars(range(min = 0, max = 15))]
    pub stage: i32,
    /// Replicas to leave behind after the sale; what was there before when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000))]
    pub base: Option<i32>,
    /// Replicas of this target that bear the whole sale, wanted while it is open; capacity.replicas when
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub peak: Option<i32>,
    /// People let in per second that one ready replica of this target bears; the peak is derived from
    /// it and the rate, in whole steps of capacity.ratePerReplica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub rate_per_replica: Option<i32>,
    /// The HorizontalPodAutoscaler that scales it, if one does: then the operator raises its
    /// minReplicas and leaves the Deployment's replicas to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaler: Option<AutoscalerSpec>,
}

/// A HorizontalPodAutoscaler in the sale's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AutoscalerSpec {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What happens to the line when every seat is sold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhenSoldOut {
    /// Nobody new may join; who waits is told.
    #[default]
    Drain,
    /// The line stands as it is and people may join; it moves on when a seat comes back. Capacity stays.
    KeepWaiting,
}

/// What happens to capacity after the sale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhenClosed {
    /// Everything goes back to what it was before the sale.
    #[default]
    Restore,
    /// Capacity stays; somebody else decides.
    Keep,
}

/// What happens when every seat is sold, and when the sale closes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CompletionSpec {
    /// What happens to the line when every seat is sold. Drain: nobody new may join, who waits is told.
    /// KeepWaiting: the line stands as it is, people may join, capacity stays, and it moves on when a seat
    /// comes back.
    pub when_sold_out: WhenSoldOut,
    /// What happens to capacity after the sale. Restore: everything goes back to what it was before.
    /// Keep: capacity stays, somebody else decides.
    pub when_closed: WhenClosed,
    /// How long after the closing capacity stays before it is given back: payments still finish.
    #[schemars(range(min = 0, max = 86_400))]
    pub keep_capacity_seconds: i32,
}

/// Whether a rehearsal is required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Rehearsal {
    /// The sale opens without one.
    #[default]
    Optional,
    /// The opening is held until a LoadRun has succeeded.
    Required,
}

/// The rehearsal that must have passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RehearsalSpec {
    /// Whether one is required. Required: the opening is held until a LoadRun of this sale, or of the
    /// one that saleRef names, has succeeded. Optional: the sale opens without one. A sale that has
    /// opened is not held again for it.
    pub policy: Rehearsal,
    /// The sale whose LoadRuns count: a dress rehearsal with an event of its own, with the same seats,
    /// rate, cap and capacity. This sale itself when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sale_ref: Option<SaleRef>,
    /// How old it may be at the opening.
    #[schemars(range(min = 60, max = 31_536_000))]
    pub max_age_seconds: i32,
}

impl Default for RehearsalSpec {
    fn default() -> Self {
        Self {
            policy: Rehearsal::default(),
            sale_ref: None,
            // A week: code and capacity change.
            max_age_seconds: 604_800,
        }
    }
}

/// What the operator may do with what was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Tuning {
    /// Nothing.
    Off,
    /// Say in status.advice what should be different next time.
    #[default]
    Advise,
    /// Say it, and begin with the rate that the last sale of the same targets bore, within
    /// admission.adaptive. Without those bounds as Advise.
    Auto,
}
