//! The report of a drill: a page a person enjoys reading, JSON for scripts, JUnit for CI.
//!
//! One [`RunReport`] tells all three, so they cannot disagree. The page is one file without
//! anything fetched from elsewhere: it must open on a train, and in ten years.

mod charts;
pub mod foretold;
mod html;
pub mod human;
mod json;
mod junit;
mod names;
pub mod together;

use crate::result::LoadResult;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use urr_core::audit::AuditReport;
use urr_core::sale::Sale;
use urr_core::snapshot::{EventLine, Snapshot};

/// Everything a report tells.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// The run as its visitors felt it.
    pub load: LoadResult,
    /// The laws, as the stores tell; `None` when the audit could not be made.
    pub audit: Option<AuditReport>,
    /// The sale.
    pub sale: Sale,
    /// Pictures of the sale while it ran, in time order.
    pub snapshots: Vec<Snapshot>,
    /// Where and how it ran.
    pub meta: Meta,
    /// The sales of which this is the sum, each a report of its own; empty where there was one sale, which
    /// this then is.
    pub sales: Vec<RunReport>,
}

/// Where and how a drill ran.
#[derive(Debug, Clone, Default)]
pub struct Meta {
    /// The scenario's file.
    pub scenario_file: String,
    /// What the scenario is for.
    pub about: String,
    /// Where its figures come from.
    pub sources: Vec<String>,
    /// The venue.
    pub venue: String,
    /// The command that does it again.
    pub command: String,
    /// The machine in a few words, such as `2 cores, 24 GiB`.
    pub machine: String,
    /// Version and revision of the build.
    pub version: String,
    /// Stages of the drill with the time each took, ms, in order; may be empty.
    pub stages: Vec<(String, u64)>,
    /// What the waiting room asked of its store, where somebody counted.
    pub storage: Option<StorageUse>,
    /// Processes of the drill; may be empty.
    pub processes: Vec<ProcessUse>,
    /// The most memory all of them had at once, bytes, where somebody looked.
    pub memory_most_bytes: Option<u64>,
    /// Faults made on purpose and whatever the operator did, in time order.
    pub events: Vec<EventLine>,
    /// What a simulator said beforehand, where somebody asked one.
    pub forecast: Option<foretold::Foretold>,
}

/// What the waiting room asked of its store during a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageUse {
    /// Items written.
    pub item_writes: u64,
    /// The most in any second.
    pub item_writes_most_per_s: u64,
    /// Polls answered.
    pub polls: u64,
    /// Reads that no join explains: those by the clock and those that polls cost.
    pub store_reads: u64,
    /// Of those: by the clock, to refresh each replica's copy of each sale, whoever asks.
    #[serde(default)]
    pub clock_reads: u64,
    /// Reads that waiting cost: what neither joins nor the clock explain in the end.
    #[serde(default)]
    pub poll_reads: u64,
}

/// What a process took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessUse {
    /// Which.
    pub name: String,
    /// CPU time, s.
    pub cpu_s: f64,
    /// The most memory it had, bytes.
    pub memory_most_bytes: u64,
}

/// The files written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// For people.
    pub html: PathBuf,
    /// For scripts.
    pub json: PathBuf,
    /// For CI.
    pub junit: PathBuf,
}

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file could not be written.
    #[error("cannot write report file {}", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The figures could not be written as JSON.
    #[error("cannot write the report as JSON")]
    Json(#[source] serde_json::Error),
}

/// How a drill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// All well.
    Passed,
    /// A law was broken or could not be proven.
    LawBroken,
    /// The generator was saturated; the run says nothing about latencies.
    Invalid,
    /// A threshold failed.
    ThresholdsFailed,
}

impl Conclusion {
    /// The exit code that says it.
    #[must_use]
    pub const fn exit_code(self) -> i32 {
        match self {
            Self::Passed => 0,
            Self::LawBroken => 98,
            Self::Invalid => crate::result::EXIT_INVALID,
            Self::ThresholdsFailed => crate::result::EXIT_THRESHOLDS,
        }
    }
}

impl RunReport {
    /// How the drill ended. A broken law outweighs all else: no latency excuses an oversold seat,
    /// and a saturated generator does not either.
    #[must_use]
    pub fn conclusion(&self) -> Conclusion {
        if !self.audit.as_ref().is_some_and(AuditReport::passes) {
            Conclusion::LawBroken
        } else if !self.load.validity.is_valid() {
            Conclusion::Invalid
        } else if !self.load.thresholds_hold() {
            Conclusion::ThresholdsFailed
        } else {
            Conclusion::Passed
        }
    }
}

/// The directory of the sale called `name` within that of a run of several.
#[must_use]
pub fn sale_dir(dir: &Path, name: &str) -> PathBuf {
    dir.join("sales").join(name)
}

/// Writes `report.html`, `report.json` and `junit.xml` into `dir`, which must exist, and the same for
/// each of several sales into [`sale_dir`]. Each file appears whole or not at all.
///
/// # Errors
/// [`ReportError`], naming the file.
pub fn write(dir: &Path, report: &RunReport) -> Result<Written, ReportError> {
    let written = Written {
        html: dir.join("report.html"),
        json: dir.join("report.json"),
        junit: dir.join("junit.xml"),
    };
    for sale in &report.sales {
        let dir = sale_dir(dir, &sale.load.scenario);
        std::fs::create_dir_all(&dir).map_err(|source| ReportError::Write {
            path: dir.clone(),
            source,
        })?;
        write(&dir, sale)?;
    }
    put(&written.html, &html::page(report))?;
    put(&written.json, &json::document(report).map_err(ReportError::Json)?)?;
    put(&written.junit, &junit::document(report))?;
    Ok(written)
}

/// Writes beside and renames, so that a full disk leaves no half a report.
fn put(path: &Path, text: &str) -> Result<(), ReportError> {
    let beside = path.with_extension("part");
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|source| {
            // What is left of the half is of no use to anybody; the first error is the one to tell.
            let _ = std::fs::remove_file(&beside);
            ReportError::Write {
                path: path.to_owned(),
                source,
            }
        })
}
