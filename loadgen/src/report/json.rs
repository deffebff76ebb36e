//! The report for scripts. `apiVersion` rises when a meaning changes; new fields do not count.

use super::foretold::Foretold;
use super::{Conclusion, ProcessUse, RunReport, StorageUse};
use crate::result::LoadResult;
use crate::stages::Milestones;
use crate::tally::{BotShare, bot_share};
use serde::Serialize;
use urr_core::audit::AuditReport;
use urr_core::sale::{Sale, SaleId};
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sales: Vec<SaleLine<'a>>,
    stages: &'a [(String, u64)],
    storage: Option<&'a StorageUse>,
    processes: &'a [ProcessUse],
    memory_most_bytes: Option<u64>,
    bots: Option<BotShare>,
    forecast: Option<&'a Foretold>,
    events: &'a [EventLine],
    snapshots: &'a [Snapshot],
}

/// One of several sales; all about it is in its own report.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SaleLine<'a> {
    name: &'a str,
    sale: SaleId,
    conclusion: &'static str,
    report: String,
    visitors: u64,
    seats: u64,
    admitted: u64,
    sold: u64,
    milestones: Milestones,
}

impl<'a> SaleLine<'a> {
    fn of(report: &'a RunReport) -> Self {
        let load = &report.load;
        Self {
            name: &load.scenario,
            sale: report.sale.id,
            conclusion: report.conclusion().word(),
            report: format!("sales/{}/report.json", load.scenario),
            visitors: load.visitors + load.browsers,
            seats: load.seats,
            admitted: load.funnel.admitted,
            sold: load.funnel.sold,
            milestones: load.milestones,
        }
    }
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
        sales: report.sales.iter().map(SaleLine::of).collect(),
        stages: &report.meta.stages,
        storage: report.meta.storage.as_ref(),
        processes: &report.meta.processes,
        memory_most_bytes: report.meta.memory_most_bytes,
        bots: bot_share(&report.load.personas),
        forecast: report.meta.forecast.as_ref(),
        events: &report.meta.events,
        snapshots: &report.snapshots,
    })
}
