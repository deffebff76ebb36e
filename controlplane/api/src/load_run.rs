//! `LoadRun`: a rehearsal, one scenario run against a sale.
//!
//! State of things: the shape and its rules. Running it as an Indexed Job comes with the operator
//! of issue 5; until then the operator does not watch this resource, and its status stays empty.
#![expect(
    unreachable_pub,
    reason = "KubeSchema writes its helper type as pub into a function"
)]
#![expect(
    clippy::duplicated_attributes,
    reason = "every printer column has a name and a type"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A scenario and how many runners share it. Immutable: a new run is a new object.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "urr.guru",
    version = "v1alpha1",
    kind = "LoadRun",
    namespaced,
    status = "LoadRunStatus",
    derive = "PartialEq",
    shortname = "lr",
    category = "urr",
    doc = "A run of a load scenario against a TicketSale.",
    printcolumn(name = "Sale", type_ = "string", json_path = ".spec.saleRef.name"),
    printcolumn(name = "Runners", type_ = "integer", json_path = ".spec.runners"),
    printcolumn(
        name = "Succeeded",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Succeeded')].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[kube(cel)]
#[x_kube(
    validation = Rule::new("self == oldSelf").message("a run does not change: make another LoadRun")
)]
#[serde(rename_all = "camelCase")]
pub struct LoadRunSpec {
    /// The sale to rehearse.
    pub sale_ref: SaleRef,
    /// Where the scenario is.
    pub scenario: ScenarioRef,
    /// Runners that share the visitors.
    #[schemars(range(min = 1, max = 1000))]
    pub runners: i32,
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

/// What came of it.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadRunStatus {
    /// Observations: `Succeeded`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
