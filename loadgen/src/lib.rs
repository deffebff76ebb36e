//! Rehearsing an opening: scenarios, visitors, the open-loop engine, the goose shell, the auditor
//! and the report.
//!
//! Read in this order: [`scenario`] says what happens, [`arrivals`] when people come, [`journey`]
//! what each of them does, [`engine`] runs it all, [`measure`] keeps the figures, [`report`] tells
//! the story. Only the auditor knows storage; everything else sees what a visitor sees.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

pub mod arrivals;
pub mod audit;
pub mod crowd;
pub mod engine;
pub mod fairness;
mod goose_shell;
pub mod http;
pub mod journey;
pub mod measure;
pub mod observe;
pub mod report;
pub mod result;
pub mod scenario;
pub mod seat_map;
pub mod seed;
pub mod segments;
pub mod stages;
pub mod tally;
pub mod target;
mod thresholds;
pub mod together;
mod wire;

pub use engine::{LoadError, Opening, run, run_segment, run_together};
pub use measure::Live;
pub use result::LoadResult;
pub use scenario::Scenario;
pub use target::Target;
