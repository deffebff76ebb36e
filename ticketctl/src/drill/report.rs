//! The run's report files, and the verdict that screens and the summary show. Both come from one
//! [`RunReport`], so they cannot disagree.

use super::{load_view, plan::Plan, witness::Witness};
use crate::{
    exit::Exit,
    forecast::forecast_vs_outcome,
    picture::{Board, LawLine, LawVerdict, ThresholdLine, Verdict},
    text::grouped,
};
use anyhow::Context as _;
use std::{path::Path, time::Duration};
use urr_core::{
    audit::{AuditReport, Finding, Verdict as Found},
    sale::Sale,
};
use urr_loadgen::{
    LoadResult,
    report::{Conclusion, Meta, RunReport, StorageUse},
};

/// Everything the run has come to.
pub(super) struct Outcome<'a> {
    pub(super) plan: &'a Plan,
    pub(super) sale: Sale,
    pub(super) load: LoadResult,
    pub(super) audit: AuditReport,
    pub(super) witness: &'a Witness,
    pub(super) unsettled: Vec<String>,
    pub(super) storage: StorageUse,
}

impl Outcome<'_> {
    /// Writes the report into `dir` and says how the drill ended.
    pub(super) fn conclude(self, dir: &Path, board: &Board) -> anyhow::Result<Verdict> {
        let Self {
            plan,
            sale,
            load,
            audit,
            witness,
            unsettled,
            storage,
        } = self;
        let picture = board.now_showing();
        let mut events: Vec<_> = picture.notes.into_iter().collect();
        if let Some(snapshot) = &picture.snapshot {
            events.extend(snapshot.events.iter().cloned());
        }
        events.sort_by_key(|event| event.at);
        let report = RunReport {
            load,
            audit: Some(audit),
            sale,
            snapshots: witness.snapshots(),
            meta: Meta {
                scenario_file: plan.file.display().to_string(),
                about: plan.scenario.about.clone(),
                sources: plan.scenario.sources.clone(),
                venue: plan.scenario.sale.venue.clone(),
                command: format!(
                    "ticketctl drill {} --seed {}",
                    plan.file.display(),
                    plan.scenario.seed
                ),
                machine: machine(),
                version: format!("ticketctl {}", env!("CARGO_PKG_VERSION")),
                events,
                storage: Some(storage),
                ..Meta::default()
            },
        };
        urr_loadgen::report::write(dir, &report).context("writing the report")?;
        let comparison = forecast_vs_outcome(&plan.scenario, &report.sale, &report.load, &report.snapshots);
        comparison.write(dir).context("writing the forecast")?;
        let mut verdict = verdict(&report, unsettled);
        verdict.forecast = comparison.lines();
        Ok(verdict)
    }
}

/// The verdict that a finished run has come to.
pub(crate) fn verdict(report: &RunReport, unsettled: Vec<String>) -> Verdict {
    let load = &report.load;
    let findings = report.audit.iter().flat_map(|audit| &audit.findings);
    let mut asides = load_view::asides(&load.funnel);
    asides.retain(|aside| aside.count > 0);
    Verdict {
        exit: exit_of(report.conclusion()),
        headline: headline(report),
        reasons: load.validity.reasons.clone(),
        laws: findings.map(law).collect(),
        thresholds: load
            .thresholds
            .iter()
            .map(|judged| ThresholdLine {
                rule: judged.rule.clone(),
                met: judged.passed,
                actual: judged.observed.clone(),
            })
            .collect(),
        funnel: load_view::funnel(&load.funnel),
        asides,
        unsettled,
        forecast: Vec::new(),
        took: Duration::ZERO,
        files: Vec::new(),
    }
}

const fn exit_of(conclusion: Conclusion) -> Exit {
    match conclusion {
        Conclusion::Passed => Exit::Ok,
        Conclusion::LawBroken => Exit::LawBroken,
        Conclusion::Invalid => Exit::Saturated,
        Conclusion::ThresholdsFailed => Exit::ThresholdsFailed,
    }
}

fn law(finding: &Finding) -> LawLine {
    LawLine {
        name: finding.law.name(),
        verdict: match finding.verdict {
            Found::Held => LawVerdict::Held,
            Found::Broken => LawVerdict::Broken,
            Found::Unproven => LawVerdict::Unproven,
        },
        checked: finding.checked,
        detail: finding.detail.clone(),
        examples: finding.examples.clone(),
    }
}

/// One sentence: the worst that is known, and what was achieved.
fn headline(report: &RunReport) -> String {
    let sold = format!(
        "{} of {} seats sold",
        grouped(report.load.funnel.sold),
        grouped(report.load.seats)
    );
    let count = |found: Found| {
        let findings = report.audit.iter().flat_map(|audit| &audit.findings);
        findings.filter(|f| f.verdict == found && !f.passes()).count()
    };
    let s = |n: usize| if n == 1 { "law is" } else { "laws are" };
    match report.conclusion() {
        Conclusion::Passed => format!("all laws hold, all thresholds met, {sold}"),
        Conclusion::LawBroken => match (count(Found::Broken), count(Found::Unproven)) {
            (0, unproven) => format!("{unproven} {} unproven, {sold}", s(unproven)),
            (broken, _) => format!("{broken} {} BROKEN, {sold}", s(broken)),
        },
        Conclusion::Invalid => format!("the run proves nothing, {sold}"),
        Conclusion::ThresholdsFailed => {
            let missed = report.load.thresholds.iter().filter(|t| !t.passed).count();
            let s = if missed == 1 { "" } else { "s" };
            format!("all laws hold, {missed} threshold{s} missed, {sold}")
        }
    }
}

/// `2 cores, 23 GiB`.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("MemTotal:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(format!(", {} GiB", kib / (1024 * 1024)))
    });
    format!("{cores} cores{}", memory.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_conclusion_exits_with_the_number_the_report_names() {
        for conclusion in [
            Conclusion::Passed,
            Conclusion::LawBroken,
            Conclusion::Invalid,
            Conclusion::ThresholdsFailed,
        ] {
            assert_eq!(i32::from(exit_of(conclusion).code()), conclusion.exit_code());
        }
    }
}
