//! The page: the verdict first, then the story of the opening, then what was checked and how.
//!
//! One file a chapter; each is a string of HTML, and nothing in it is fetched from elsewhere.

mod bots;
mod checked;
mod fairness;
mod foretold;
mod hall;
mod honesty;
mod latency;
mod machine;
mod rate;
mod sales;
mod story;
mod verdict;

use super::RunReport;
use crate::measure::{Lane, Second, Step, StepSummary};

/// Text as it may stand in HTML and XML, attributes included.
pub(in crate::report) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for ch in text.chars() {
        match ch {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML 1.0 has no way to write most control characters.
            ch if ch.is_control() && !matches!(ch, '\n' | '\t') => out.push('\u{fffd}'),
            ch => out.push(ch),
        }
    }
    out
}

/// The whole page.
pub(in crate::report) fn page(report: &RunReport) -> String {
    let load = &report.load;
    let marks = story::marks(report);
    let title = escape(&load.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}: {}</title><style>{}</style></head><body><main>",
        report.conclusion().word(),
        include_str!("../style.css")
    );
    page.push_str(&verdict::head(report));
    page.push_str(&verdict::tiles(report));
    page.push_str(&sales::sales(report));
    page.push_str(&story::story(report, &marks));
    page.push_str(&rate::rate(report));
    page.push_str(&story::funnel(report));
    page.push_str(&foretold::foretold(report));
    page.push_str(&fairness::fairness(report));
    page.push_str(&bots::personas(report));
    page.push_str(&latency::latency(report, &marks));
    page.push_str(&checked::laws(report));
    page.push_str(&checked::thresholds(report));
    page.push_str(&hall::hall(report));
    page.push_str(&checked::back_door(report));
    page.push_str(&story::events(report));
    page.push_str(&machine::machine(report));
    page.push_str(&honesty::honesty(report));
    page.push_str(&honesty::again(report));
    page.push_str("</main></body></html>\n");
    page
}

fn crowd_step(steps: &[StepSummary], step: Step) -> Option<&StepSummary> {
    steps
        .iter()
        .find(|summary| summary.step == step && summary.lane == Lane::Crowd)
}

fn seconds(ms: i64) -> f64 {
    float(ms.unsigned_abs()) / 1000.0 * if ms < 0 { -1.0 } else { 1.0 }
}

#[expect(clippy::cast_precision_loss, reason = "counts and µs stay below 2^53")]
fn float(n: u64) -> f64 {
    n as f64
}

/// One value of every second, by time from the opening.
fn over_time(report: &RunReport, value: impl Fn(&Second) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
    let load = &report.load;
    load.series
        .iter()
        .map(|second| (seconds(second.at.since(load.opens_at)), value(second)))
        .collect()
}
