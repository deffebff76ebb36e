//! The operator: keeps a cluster as its `TicketSale` objects want it.
//!
//! One look at one sale is observe → `urr_core::plan` → apply → report ([`reconcile`]). Applying
//! means two things: replicas of the workloads the sale names ([`targets`], server-side apply),
//! and the sale itself at the control API ([`control_api`]), which owns everything visitors
//! notice. An operator that is dead changes nothing for them: the control plane has the schedule,
//! and the services keep to it by their own clocks.
//!
//! What is here and what is not: `TicketSale` is reconciled by one replica; every write is
//! idempotent, and those to the control API are fenced there. Leader election, HPAs, lead times
//! learned from past sales, and `LoadRun` (of which the CRD exists) come with issue 5, and with
//! them the tests on a real kube-apiserver. The tests here cover the pure parts ([`mapping`],
//! [`status`], [`targets::step`]), the control API client, and the CRDs' drift.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

pub mod control_api;
pub mod crd;
pub mod mapping;
pub mod reconcile;
pub mod run;
pub mod status;
pub mod targets;
