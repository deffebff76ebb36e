//! `LoadRun`: one run of a load scenario, carried out as one Indexed Job whose Pods share the visitors.
//! How it is carried out, and how results travel: the operator's `load_run`, docs/decisions/0016.
#![expect(
    unreachable_pub,
    reason = "KubeSchema writes its helper type as pub into a function"
)]
#![expect(
    clippy::duplicated_attributes,
    reason = "every printer column has a name and a type"
)]

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A scenario and how many runners share it. Immutable: a new run is a new object.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "urr.guru",
    version = "v1alpha1",
    kind = "LoadRun",
    namespaced,
    status = "LoadRunStatus",
    derive = "PartialEq",
    shortname = "lr",
    category = "urr",
    doc = "A run of a load scenario against a TicketSale: one Indexed Job, one merged result, one verdict. Its spec never changes; a new run is a new object.",
    selectable = ".spec.saleRef.name",
    printcolumn(name = "Sale", type_ = "string", json_path = ".spec.saleRef.name"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Runners", type_ = "integer", json_path = ".spec.runners"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.readyRunners"),
    printcolumn(name = "Joined", type_ = "integer", json_path = ".status.figures.joined"),
    printcolumn(
        name = "Poll-p95-ms",
        type_ = "integer",
        json_path = ".status.figures.pollP95Milliseconds"
    ),
    printcolumn(name = "Sold", type_ = "integer", json_path = ".status.figures.sold"),
    printcolumn(
        name = "Verdict",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Succeeded')].reason"
    ),
    printcolumn(
        name = "Started",
        type_ = "date",
        json_path = ".status.startedAt",
        priority = 1
    ),
    printcolumn(
        name = "Why",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Succeeded')].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[kube(cel)]
#[x_kube(
    validation = Rule::new("self == oldSelf").message("a run does not change: make another LoadRun")
)]
#[serde(rename_all = "camelCase")]
pub struct LoadRunSpec {
    /// The sale to rehearse: its visitors come to its own opening, so it is one that may be sold out by
    /// them, usually a dress rehearsal with an event of its own.
    pub sale_ref: SaleRef,
    /// Where the scenario is. It is read once, before the runners are made.
    pub scenario: ScenarioRef,
    /// Runners that share the visitors: runner i of n sends every n-th of them, beginning with the i-th,
    /// so that together they send exactly the scenario's crowd.
    #[schemars(range(min = 1, max = 1000))]
    pub runners: i32,
    /// The scenario's seed for this run; the scenario's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub seed: Option<i64>,
    /// How the runners begin together.
    #[serde(default)]
    pub start: StartSpec,
    /// What to do when a runner dies: its visitors are gone with it. Fail: the run fails at once, for a
    /// crowd that is not the scenario's proves nothing. Continue: the others go on, the result says how
    /// many visitors are missing, and it never counts as a passing rehearsal.
    #[serde(default)]
    pub when_runner_lost: WhenRunnerLost,
    /// The runners' Pods.
    #[serde(default)]
    pub runner: RunnerSpec,
    /// Where reports go.
    #[serde(default)]
    pub artefacts: ArtefactsSpec,
    /// How long the Job and its Pods stay after the end. The LoadRun itself stays.
    #[serde(default = "keep_s")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub keep_seconds: i32,
}

/// A day: long enough to read logs, short enough not to fill a cluster.
const fn keep_s() -> i32 {
    86_400
}

/// A TicketSale in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SaleRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A scenario file in a ConfigMap of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScenarioRef {
    /// The ConfigMap's name.
    #[schemars(length(min = 1, max = 253))]
    pub config_map: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// How the runners begin together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StartSpec {
    /// The instant at which all begin, before the sale opens. Left out: as long before the opening as
    /// the scenario's opens_in says, or as soon after that as all are ready. Runners are made
    /// timeoutSeconds before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// A run whose runners are not all ready after this long fails.
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout_seconds: i32,
    /// A run whose runners began further apart than this fails: its result says nothing.
    #[schemars(range(min = 1, max = 60_000))]
    pub max_skew_milliseconds: i32,
}

impl Default for StartSpec {
    fn default() -> Self {
        Self {
            at: None,
            timeout_seconds: 600,
            max_skew_milliseconds: 250,
        }
    }
}

/// What to do when a runner dies: its visitors are gone with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhenRunnerLost {
    /// The run fails at once: a crowd that is not the scenario's proves nothing.
    #[default]
    Fail,
    /// The others go on; the result is merged from them and says how many visitors are missing. It never
    /// counts as a passing rehearsal.
    Continue,
}

/// The runners' Pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RunnerSpec {
    /// The image with `operator`; the operator's own when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub image: Option<String>,
    /// What each Pod asks for. A runner that is short of CPU reports itself as the bottleneck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// Nodes on which they run, so that they do not share one with what they measure.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub node_selector: std::collections::BTreeMap<String, String>,
}

/// Where reports go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ArtefactsSpec {
    /// A PersistentVolumeClaim for everything a run leaves; without one only the merged result is kept,
    /// in a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub volume_claim: Option<String>,
}

/// What came of it.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadRunStatus {
    /// Generation of the spec that this status tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where the run is: Preparing, Waiting (for runners), Running, Succeeded or Failed. For `kubectl get`;
    /// wait for the condition Succeeded instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub phase: Option<String>,
    /// The Job that carries it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Runners that are ready to begin, or were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_runners: Option<i32>,
    /// When all began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When the last one ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// How far apart the runners began, in milliseconds, clock differences included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew_milliseconds: Option<i32>,
    /// Visitors whose runner died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_visitors: Option<i64>,
    /// The figures that people ask for first; all others are in the result that artefacts name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
    /// The laws that visitors saw broken. Most laws only an audit of the stores can weigh.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken_laws: Vec<String>,
    /// The thresholds that were missed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed_thresholds: Vec<String>,
    /// What the sale was like when it was rehearsed. A rehearsal counts for a sale like it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsed: Option<Rehearsed>,
    /// What the run left, and where.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub artefacts: Vec<Artefact>,
    /// Observations: `Started`, `Succeeded` (the verdict).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// What visitors came to, all runners together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Visitors that got a place in line.
    pub joined: i64,
    /// Visitors that were let in.
    pub let_in: i64,
    /// Seats they paid for.
    pub sold: i64,
    /// The 95th percentile of a poll in line, in milliseconds, rounded up; left out when nobody polled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_p95_milliseconds: Option<i64>,
}

/// The part of a sale that a rehearsal proves something about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rehearsed {
    /// Its event.
    pub event_id: String,
    /// When it opened, or was to open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Time>,
    /// Its seats.
    pub seats: i32,
    /// admission.ratePerSecond.
    pub rate_per_second: i32,
    /// admission.cap.
    pub cap: i32,
    /// capacity.replicas.
    pub replicas: i32,
    /// capacity.ratePerReplica.
    pub rate_per_replica: i32,
}

/// Something a run left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Artefact {
    /// For example `report.html`.
    pub name: String,
    /// ConfigMap and key, or claim and path.
    pub place: String,
}
