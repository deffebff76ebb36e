//! What holds on a real control plane. One binary, so that one cluster serves all of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod answers;
mod common;
mod crashes;
mod definitions;
mod leading;
mod manifests;
mod sale;
mod steering;
mod world;
