//! The report for scripts. `apiVersion` rises when a meaning changes; new fields do not count.

use super::{Conclusion, ProcessUse, RunReport, StorageUse};
use crate::result::LoadResult;
use crate::tally::{BotShare, bot_share};
use serde::Serialize;
use urr_core::audit::AuditReport;
use urr_core::sale::Sale;
use urr_core::snapshot::{EventLine, Snapshot};

const API_VERSION: &str = "urr.io/drill-report/v1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    conclusion: &'static str,
    exit_code: i32,
    scenario_file: &'a str,
    command: &'a str,
    machine: &'a str,
    version: &'a str,
    sources: &'a [String],
    sale: &'a Sale,
    audit: Option<&'a AuditReport>,
    load: &'a LoadResult,
    stages: &'a [(String, u64)],
    storage: Option<&'a StorageUse>,
    processes: &'a [ProcessUse],
    bots: Option<BotShare>,
    events: &'a [EventLine],
    snapshots: &'a [Snapshot],
}

impl Conclusion {
    /// The word scripts compare with.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::LawBroken => "law-broken",
            Self::Invalid => "invalid",
            Self::ThresholdsFailed => "thresholds-failed",
        }
    }
}

/// The JSON text.
pub(super) fn document(report: &RunReport) -> Result<String, serde_json::Error> {
    let conclusion = report.conclusion();
    serde_json::to_string_pretty(&Document {
        api_version: API_VERSION,
        conclusion: conclusion.word(),
        exit_code: conclusion.exit_code(),
        scenario_file: &report.meta.scenario_file,
        command: &report.meta.command,
        machine: &report.meta.machine,
        version: &report.meta.version,
        sources: &report.meta.sources,
        sale: &report.sale,
        audit: report.audit.as_ref(),
        load: &report.load,
        stages: &report.meta.stages,
        storage: report.meta.storage.as_ref(),
        processes: &report.meta.processes,
        bots: bot_share(&report.load.personas),
        events: &report.meta.events,
        snapshots: &report.snapshots,
    })
}
