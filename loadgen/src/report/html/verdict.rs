//! First of all: how it ended, why, and the figures everybody asks for.

use super::{crowd_step, escape};
use crate::measure::Step;
use crate::report::{Conclusion, RunReport, human};
use std::fmt::Write;
use urr_core::audit::Verdict;

pub(super) fn head(report: &RunReport) -> String {
    let load = &report.load;
    let (good, words) = match report.conclusion() {
        Conclusion::Passed => (true, "Passed"),
        Conclusion::LawBroken => (false, "Failed: a law does not hold"),
        Conclusion::Invalid if load.cut_short.is_some() => (false, "Says nothing: the run was cut short"),
        Conclusion::Invalid => (false, "Says nothing: the generator was saturated"),
        Conclusion::ThresholdsFailed => (false, "Failed: a threshold was missed"),
    };
    let mut html = format!(
        "<header><p class=\"eyebrow\">Rehearsal of an opening · {} · {}</p><h1>{}</h1><p class=\"quiet\">{}</p></header><div class=\"verdict{}\"><strong>{words}.</strong> {}",
        escape(&report.meta.venue),
        human::instant(load.opens_at),
        escape(&load.title),
        escape(&report.meta.about),
        if good { "" } else { " bad" },
        escape(&summary(report)),
    );
    let reasons = reasons(report);
    if !reasons.is_empty() {
        html.push_str("<ul>");
        for reason in reasons {
            let _ = write!(html, "<li>{}</li>", escape(&reason));
        }
        html.push_str("</ul>");
    }
    html.push_str("</div>");
    html
}

/// The run in one or two sentences.
fn summary(report: &RunReport) -> String {
    let load = &report.load;
    let people = load.visitors + load.browsers;
    let last_sale_s = load
        .observations
        .purchases
        .iter()
        .map(|purchase| purchase.at.since(load.opens_at))
        .max();
    let mut text = format!(
        "{} people came for {} seats; {} were sold",
        human::count(people),
        human::count(load.seats),
        human::count(load.funnel.sold),
    );
    if let Some(ms) = last_sale_s.and_then(|ms| u64::try_from(ms).ok()) {
        let _ = write!(text, ", the last {} after the opening", human::millis(ms));
    }
    text.push('.');
    if let Some(audit) = &report.audit {
        let held = audit
            .findings
            .iter()
            .filter(|f| f.verdict == Verdict::Held)
            .count();
        let checked: u64 = audit.findings.iter().map(|finding| finding.checked).sum();
        let _ = write!(
            text,
            " {held} of {} laws held in {} single checks of the stores.",
            audit.findings.len(),
            human::count(checked)
        );
    }
    text
}

/// Why it did not pass.
fn reasons(report: &RunReport) -> Vec<String> {
    let mut reasons = Vec::new();
    match &report.audit {
        None => reasons.push("the audit could not be made".to_owned()),
        Some(audit) => {
            for finding in audit.findings.iter().filter(|finding| !finding.passes()) {
                let detail = human::with_clock_times(&finding.detail, report.load.opens_at);
                reasons.push(format!("{} {}: {detail}", finding.law, finding.verdict));
            }
        }
    }
    reasons.extend(report.load.validity.reasons.iter().cloned());
    for judged in report.load.thresholds.iter().filter(|judged| !judged.passed) {
        reasons.push(format!("{}: observed {}", judged.rule, judged.observed));
    }
    reasons
}

pub(super) fn tiles(report: &RunReport) -> String {
    let load = &report.load;
    let step = |step: Step| crowd_step(&load.steps, step);
    let mut tiles = vec![
        (
            format!(
                "{} of {}",
                human::count(load.funnel.sold),
                human::count(load.seats)
            ),
            "seats sold".to_owned(),
        ),
        (
            human::won(load.observations.purchases.iter().map(|p| p.amount_krw).sum()),
            "taken at the till".to_owned(),
        ),
    ];
    if let Some(wait) = step(Step::Wait) {
        tiles.push((human::micros(wait.p50_us), "median wait to get in".to_owned()));
    }
    for (which, name) in [
        (Step::Join, "to join (p95)"),
        (Step::Poll, "to ask how far (p95)"),
        (Step::Hold, "to hold a seat (p95)"),
    ] {
        if let Some(summary) = step(which) {
            tiles.push((human::micros(summary.p95_us), name.to_owned()));
        }
    }
    let mut html = String::from("<div class=\"tiles\">");
    for (figure, name) in tiles {
        let _ = write!(
            html,
            "<div class=\"tile\"><b>{}</b><span>{}</span></div>",
            escape(&figure),
            escape(&name)
        );
    }
    html.push_str("</div>");
    html
}
