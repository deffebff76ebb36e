//! What was checked: the laws, the thresholds, the back door.

use super::escape;
use crate::report::{RunReport, human};
use crate::scenario::Trick;
use std::collections::BTreeMap;
use std::fmt::Write;
use urr_core::audit::Verdict;

pub(super) fn laws(report: &RunReport) -> String {
    let mut html = String::from("<h2>The laws</h2>");
    let Some(audit) = &report.audit else {
        html.push_str("<p class=\"no\">✘ The audit could not be made.</p>");
        return html;
    };
    html.push_str("<p>Read from the stores themselves after the run, and compared with what visitors saw.</p><div class=\"card\"><table class=\"laws\"><tbody>");
    for finding in &audit.findings {
        let (class, word) = match (finding.verdict, finding.passes()) {
            (Verdict::Held, _) => ("ok", "✔ held"),
            (Verdict::Broken, _) => ("no", "✘ broken"),
            (Verdict::Unproven, true) => ("na", "– nothing to check"),
            (Verdict::Unproven, false) => ("no", "✘ unproven"),
        };
        let _ = write!(
            html,
            "<tr><td class=\"{class}\">{word}</td><td><b>{}</b>: {}<small>{} · {} checks</small>",
            finding.law,
            escape(finding.law.says()),
            escape(&human::with_clock_times(&finding.detail, report.load.opens_at)),
            human::count(finding.checked)
        );
        for example in &finding.examples {
            let example = human::with_clock_times(example, report.load.opens_at);
            let _ = write!(html, "<small class=\"no\">{}</small>", escape(&example));
        }
        html.push_str("</td></tr>");
    }
    html.push_str("</tbody></table></div>");
    html
}

pub(super) fn thresholds(report: &RunReport) -> String {
    if report.load.thresholds.is_empty() {
        return String::new();
    }
    let mut html = String::from(
        "<h2>Thresholds</h2><div class=\"card\"><table><thead><tr><th></th><th>asked</th><th>seen</th><th>judged by</th></tr></thead><tbody>",
    );
    for judged in &report.load.thresholds {
        let (class, word) = if judged.passed {
            ("ok", "✔ kept")
        } else {
            ("no", "✘ missed")
        };
        let _ = write!(
            html,
            "<tr><td class=\"{class}\">{word}</td><td>{}</td><td>{}</td><td class=\"quiet\">{}</td></tr>",
            escape(&judged.rule),
            escape(&judged.observed),
            escape(&judged.judge)
        );
    }
    html.push_str("</tbody></table></div>");
    html
}

pub(super) fn back_door(report: &RunReport) -> String {
    let intrusions = &report.load.observations.intrusions;
    if intrusions.is_empty() {
        return String::new();
    }
    let mut by_trick: BTreeMap<Trick, (u64, u64, Vec<u16>)> = BTreeMap::new();
    for intrusion in intrusions {
        let (tries, got_in, statuses) = by_trick.entry(intrusion.trick).or_default();
        *tries += 1;
        *got_in += u64::from(intrusion.got_in);
        if !statuses.contains(&intrusion.status) {
            statuses.push(intrusion.status);
        }
    }
    let mut html = String::from(
        "<h2>At the back door</h2><div class=\"card\"><table><thead><tr><th></th><th>trick</th><th class=\"num\">tries</th><th class=\"num\">got in</th><th>answers</th></tr></thead><tbody>",
    );
    for (trick, (tries, got_in, statuses)) in by_trick {
        let (class, word) = if got_in == 0 {
            ("ok", "✔ shut")
        } else {
            ("no", "✘ open")
        };
        let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
        let _ = write!(
            html,
            "<tr><td class=\"{class}\">{word}</td><td>{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"quiet\">{}</td></tr>",
            trick.name(),
            human::count(tries),
            human::count(got_in),
            statuses.join(", ")
        );
    }
    html.push_str("</tbody></table></div>");
    html
}
