//! What the figures are worth, and how to get them again.

use super::escape;
use crate::report::{RunReport, human};
use std::fmt::Write;

pub(super) fn honesty(report: &RunReport) -> String {
    let load = &report.load;
    let funnel = &load.funnel;
    let mut html = format!(
        "<h2>What these figures are worth</h2><ul><li>Of {} requests, {} ({}) started more than 100 ms after they were due and {} were dropped.</li><li>{} visitors shared pooled connections; {} came as browsers with a client, cookies and connections of their own. A pool does not show what opening a connection for each visitor costs.</li><li>{} registered and logged in for real; the others’ access tokens were minted.</li><li>Generator, services and engines shared one machine ({}): latencies include what they take from each other.</li>",
        human::count(funnel.requests),
        human::count(funnel.late),
        human::percent(funnel.late, funnel.requests),
        human::count(funnel.dropped),
        human::count(load.visitors),
        human::count(load.browsers),
        human::count(funnel.registered),
        escape(&report.meta.machine)
    );
    match &load.goose.error {
        Some(error) => {
            let _ = write!(html, "<li>Goose could not judge: {}.</li>", escape(error));
        }
        None => {
            let _ = write!(
                html,
                "<li>Goose counted {} measurements and wrote a report of its own (<a href=\"goose.html\">goose.html</a>).</li>",
                human::count(load.goose.requests)
            );
        }
    }
    html.push_str("</ul>");
    html
}

pub(super) fn again(report: &RunReport) -> String {
    let mut html = format!(
        "<h2>Do it again</h2><pre>{}</pre><p class=\"quiet\">Scenario {} · seed {} · {} · from {} to {}. The same seed brings the same people at the same instants with the same intentions.</p>",
        escape(&report.meta.command),
        escape(&report.meta.scenario_file),
        report.load.seed,
        escape(&report.meta.version),
        human::instant(report.load.started_at),
        human::instant(report.load.finished_at)
    );
    if !report.meta.sources.is_empty() {
        html.push_str("<p class=\"quiet\">Where the figures come from:</p><ul>");
        for source in &report.meta.sources {
            let _ = write!(html, "<li class=\"quiet\">{}</li>", escape(source));
        }
        html.push_str("</ul>");
    }
    html
}
