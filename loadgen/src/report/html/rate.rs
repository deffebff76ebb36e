//! How an adaptive rate moved and why: what the line of "may be let in" in the first chart does.

use super::{escape, float, seconds};
use crate::report::{RunReport, human};
use std::fmt::Write;

pub(super) fn rate(report: &RunReport) -> String {
    let Some(adaptive) = report.sale.admission.adaptive.filter(|_| report.sales.is_empty()) else {
        return String::new();
    };
    let start = report.sale.admission.rate_per_s;
    let mut html = format!(
        "<h2>How the rate followed the services</h2><p>It opens with {start} a second and may be between {} and {}.",
        adaptive.min_rate_per_s, adaptive.max_rate_per_s
    );
    let steps = &report.load.rate_steps;
    if steps.is_empty() {
        html.push_str(" It never moved.</p>");
        return html;
    }
    html.push_str("</p><div class=\"card\"><table><thead><tr><th class=\"num\">when</th><th class=\"num\">from</th><th class=\"num\">to</th><th>why</th></tr></thead><tbody>");
    for step in steps {
        // Writing to a String cannot fail.
        let _ = write!(
            html,
            "<tr><td class=\"num\">{}</td><td class=\"num\">{}/s</td><td class=\"num\">{} {}/s</td><td>{}</td></tr>",
            human::from_opening(step.at.since(report.load.opens_at)),
            step.from_per_s,
            if step.is_down() { "▼" } else { "▲" },
            step.to_per_s,
            escape(&step.why)
        );
    }
    html.push_str("</tbody></table></div>");
    html
}

/// The rate over time, with the corners of a staircase; `None` where it never moved.
pub(super) fn staircase(report: &RunReport) -> Option<Vec<(f64, Option<f64>)>> {
    let load = &report.load;
    let (first, last) = (load.series.first()?, load.series.last()?);
    let from_opening = |at: urr_core::time::Millis| seconds(at.since(load.opens_at));
    let rate = |per_s: u32| Some(float(u64::from(per_s)));
    let begin = load.rate_steps.first()?;
    // Nobody is let in before the opening.
    let mut points = vec![(from_opening(first.at.max(load.opens_at)), rate(begin.from_per_s))];
    for step in load.rate_steps.iter().filter(|step| step.at <= last.at) {
        let x = from_opening(step.at);
        points.extend([(x, rate(step.from_per_s)), (x, rate(step.to_per_s))]);
    }
    let (_, rests) = *points.last()?;
    points.push((from_opening(last.at), rests));
    Some(points)
}
