//! What a drill leaves behind: the report's files, and the verdict for screen and summary. Of several
//! sales each gets a report of its own, and the run's report is their sum.

use super::{load::Came, load_view, plan::Plan, processes::Taken, stand::Stand, together, witness::Witness};
use crate::{
    exit::Exit,
    forecast::{self, Comparison, forecast_vs_outcome},
    picture::{Board, LawLine, LawVerdict, ThresholdLine, Verdict},
    rate::Followed,
    text::grouped,
};
use anyhow::Context as _;
use std::{path::Path, time::Duration};
use urr_core::{
    audit::{AuditReport, Finding, Verdict as Found},
    rate_steps::rate_steps,
    snapshot::EventLine,
};
use urr_loadgen::{
    LoadResult,
    report::{Conclusion, Meta, RunReport, StorageUse, foretold::Foretold, human},
    together::rates_moved,
};

/// The steps of a drill that follow the visitors, as its report calls them.
pub(super) const AFTER_THE_VISITORS: [&str; 2] = ["settling", "audit"];

/// Everything that is known at the end.
pub(super) struct Outcome<'a> {
    pub(super) plan: &'a Plan,
    pub(super) stands: &'a [Stand],
    pub(super) came: Came,
    /// Of each sale.
    pub(super) audits: Vec<AuditReport>,
    /// Who saw all sales as one.
    pub(super) witness: &'a Witness,
    pub(super) unsettled: Vec<String>,
    pub(super) storage: StorageUse,
    pub(super) taken: Taken,
    /// Steps of the drill and what each took, ms.
    pub(super) stages: Vec<(String, u64)>,
}

impl Outcome<'_> {
    /// Writes the report into `dir` and says how the drill ended.
    pub(super) fn conclude(mut self, dir: &Path, board: &Board) -> anyhow::Result<Verdict> {
        let picture = board.now_showing();
        let mut events: Vec<EventLine> = picture.notes.into_iter().collect();
        if let Some(snapshot) = &picture.snapshot {
            events.extend(snapshot.events.iter().cloned());
        }
        events.sort_by_key(|event| event.at);
        let meta = self.meta(events);
        let mut comparisons = Vec::with_capacity(self.stands.len());
        let mut reports = Vec::with_capacity(self.stands.len());
        let loads = std::mem::take(&mut self.came.sales);
        let audits = std::mem::take(&mut self.audits);
        for ((stand, mut load), audit) in self.stands.iter().zip(loads).zip(audits) {
            let snapshots = stand.witness.snapshots();
            let steps = rate_steps(stand.sale().admission.rate_per_s, &snapshots);
            load.rate_moved(&stand.scenario.thresholds, steps);
            let comparison = forecast_vs_outcome(&stand.scenario, stand.sale(), &load, &snapshots);
            comparison.write(&stand.dir).context("writing the forecast")?;
            let meta = Meta {
                forecast: Some(comparison.foretold()),
                ..meta.clone()
            };
            comparisons.push(comparison);
            reports.push(RunReport {
                load,
                audit: Some(audit),
                sale: stand.sale().clone(),
                snapshots,
                meta,
                sales: Vec::new(),
            });
        }
        let report = self.whole(reports, &comparisons, meta)?;
        urr_loadgen::report::write(dir, &report).context("writing the report")?;
        let mut verdict = verdict(&report, self.unsettled);
        let figures = report.meta.forecast.iter().flat_map(|foretold| &foretold.figures);
        verdict.forecast = figures.map(forecast::line).collect();
        Ok(verdict)
    }

    fn meta(&self, events: Vec<EventLine>) -> Meta {
        let plan = self.plan;
        Meta {
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
            stages: self.stages.clone(),
            storage: Some(self.storage),
            processes: self.taken.processes.clone(),
            memory_most_bytes: self.taken.memory_most_bytes,
            events,
            forecast: None,
        }
    }

    /// The report of the run: that of its only sale, or the sum of several.
    fn whole(
        &mut self,
        mut reports: Vec<RunReport>,
        comparisons: &[Comparison],
        meta: Meta,
    ) -> anyhow::Result<RunReport> {
        let Some(mut load) = self.came.all.take() else {
            return reports.pop().context("a drill has a sale");
        };
        let each: Vec<&LoadResult> = reports.iter().map(|report| &report.load).collect();
        rates_moved(&self.plan.scenario.thresholds, &each, &mut load);
        let sales: Vec<_> = reports.iter().map(|report| &report.sale).collect();
        let foretold: Vec<Foretold> = comparisons.iter().map(Comparison::foretold).collect();
        Ok(RunReport {
            audit: urr_loadgen::report::together::laws(&reports),
            sale: together::sale(&load.title, &sales).context("a drill has a sale")?,
            snapshots: self.witness.snapshots(),
            meta: Meta {
                forecast: Some(together::foretold(&foretold)),
                ..meta
            },
            load,
            sales: reports,
        })
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
        sales: report.sales.iter().map(sale_line).collect(),
        rate: Followed::of(report),
        cost: cost(report),
        forecast: Vec::new(),
        took: Duration::ZERO,
        files: Vec::new(),
    }
}

/// One of several sales in a line.
fn sale_line(report: &RunReport) -> String {
    let LoadResult {
        scenario,
        funnel,
        seats,
        fairness,
        ..
    } = &report.load;
    format!(
        "{scenario:<24} {:<18} came {:>9}, let in {:>7}, sold {:>6} of {:>6}, overtaken {}",
        report.conclusion().word(),
        grouped(funnel.arrived),
        grouped(funnel.admitted),
        grouped(funnel.sold),
        grouped(*seats),
        grouped(fairness.inversions.pairs),
    )
}

/// What the run took: time part by part, the waiting room's store, memory and CPU.
fn cost(report: &RunReport) -> Vec<(&'static str, String)> {
    let meta = &report.meta;
    let spans = report.load.spans();
    // What came before the visitors is no part of the opening.
    let after = meta
        .stages
        .iter()
        .filter(|(stage, _)| AFTER_THE_VISITORS.contains(&stage.as_str()));
    let parts: Vec<(String, u64)> = spans.into_iter().chain(after.cloned()).collect();
    let mut cost = Vec::new();
    if !parts.is_empty() {
        let told = parts
            .iter()
            .map(|(part, ms)| format!("{part} {}", human::millis(*ms)));
        let sum: u64 = parts.iter().map(|(_, ms)| ms).sum();
        let told = told.collect::<Vec<_>>().join(", ");
        cost.push(("time", format!("{told}; together {}", human::millis(sum))));
    }
    if let Some(storage) = &meta.storage {
        cost.push((
            "store",
            format!(
                "{} items written by the waiting room, at most {} in one second; {} reads by {} waiting polls, {} by the clock",
                grouped(storage.item_writes),
                grouped(storage.item_writes_most_per_s),
                grouped(storage.poll_reads),
                grouped(storage.polls),
                grouped(storage.clock_reads)
            ),
        ));
    }
    if let Some(most) = meta.memory_most_bytes {
        cost.push((
            "memory",
            format!("{} at most, all processes together", human::bytes(most)),
        ));
    }
    if !meta.processes.is_empty() {
        let each = meta.processes.iter().map(|process| {
            format!(
                "{} {:.1} s and {}",
                process.name,
                process.cpu_s,
                human::bytes(process.memory_most_bytes)
            )
        });
        cost.push(("processes", each.collect::<Vec<_>>().join(", ")));
    }
    cost
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
