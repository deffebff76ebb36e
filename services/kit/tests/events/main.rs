//! Events under faults: delivered at least once, with one effect; what cannot be processed is kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod dead_letters;
mod delivery;
mod forgotten;
mod lost;
mod world;
