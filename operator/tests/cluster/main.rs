//! What holds on a real control plane. One binary, so that one cluster serves all of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod answers;
mod autopilot;
mod believers;
mod closing;
mod common;
mod crashes;
mod definitions;
mod everyday;
mod explain;
mod faults;
mod leading;
mod load_run;
mod manifests;
mod mutations;
mod places;
mod sale;
mod schedule;
mod steering;
mod story;
mod world;
