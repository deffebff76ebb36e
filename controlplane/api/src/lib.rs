//! The custom resources of URR, group `urr.guru`, version `v1alpha1`: what people write into a
//! cluster, and what they read back.
//!
//! Only shapes and the rules that Kubernetes itself can check: schema and CEL, in the API server and,
//! with the same answers, offline by [`validate()`]. What a field leads to is decided in `urr_core` and
//! carried out by the operator. The CRDs in `manifests/crds` are generated from here and checked
//! for drift; a field that is removed or changes its meaning breaks every object already stored.
//!
//! Not every field is carried out yet: the operator says in the sale's conditions which part of a spec
//! it does not know how to do, and docs/plan.md lists them.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

pub mod conditions;
pub mod load_run;
mod schema;
pub mod spec;
pub mod status;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod ticket_sale;
pub mod validate;

pub use load_run::{LoadRun, LoadRunSpec, LoadRunStatus};
pub use ticket_sale::{TicketSale, TicketSaleSpec, TicketSaleStatus};
pub use validate::{Problem, validate, validate_document};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

/// The API group of all resources.
pub const GROUP: &str = "urr.guru";

/// The definitions to install, in a fixed order.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![TicketSale::crd(), LoadRun::crd()]
}
