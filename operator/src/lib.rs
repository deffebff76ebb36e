//! The operator: keeps a cluster as its `TicketSale` objects want it.
//!
//! One look at one sale is observe → `urr_core::plan` → apply → report ([`reconcile`]). Applying
//! means two things: replicas of the workloads the sale names ([`targets`], server-side apply),
//! and the sale itself at the control API ([`control_api`]), which owns everything visitors
//! notice. An operator that is dead changes nothing for them: the control plane has the schedule,
//! and the services keep to it by their own clocks.
//!
//! What is here and what is not: `TicketSale` is reconciled by the replica that holds the [`lease`]; every
//! write is idempotent and made under a claim, and those to the control API are fenced there by its term
//! of office. [`decide`] is pure; [`events`] and [`health`] tell. `LoadRun`, another resource with looks of
//! its own, is in [`load_run`]; a sale that must be rehearsed reads its verdicts.
//! Tests of the pure parts stand beside them; `tests/cluster` runs all of it on a real control plane.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

pub mod control_api;
pub mod crd;
pub mod decide;
pub mod events;
pub mod explain;
pub mod health;
pub mod lease;
pub mod load_run;
pub mod mapping;
pub mod reconcile;
pub mod reports;
pub mod run;
pub mod sabotage;
pub mod status;
pub mod targets;
pub mod trace;
pub mod wake;
