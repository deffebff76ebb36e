//! Figures from events, in any order and any number of times (R-STAT-01).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod figures;
mod order;
mod story;
mod world;
