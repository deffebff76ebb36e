//! How quick it felt.

use super::{float, over_time};
use crate::measure::{Lane, Step};
use crate::report::charts::{Chart, Line, Mark};
use crate::report::{RunReport, human};
use std::fmt::Write;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an axis label of µs"
)]
fn axis_micros(y: f64) -> String {
    human::micros(y.round() as u64)
}

pub(super) fn latency(report: &RunReport, marks: &[Mark]) -> String {
    let load = &report.load;
    let shown = [
        (Step::Join, 1),
        (Step::Poll, 2),
        (Step::SeatMap, 5),
        (Step::Hold, 3),
        (Step::Confirm, 4),
    ];
    let chart = Chart {
        title: "95th percentile of response times, every second",
        lines: shown
            .into_iter()
            .map(|(step, colour)| Line {
                name: step.title(),
                colour,
                filled: false,
                points: over_time(report, |second| {
                    second.p95_us.get(step.index()).copied().flatten().map(float)
                }),
            })
            .collect(),
        marks,
        logarithmic: true,
        label: axis_micros,
    };
    let mut html = format!(
        "<h2>How quick it felt</h2><p>Counted from the moment a visitor meant to act, so a stall shows even where requests could not be sent; “sent” counts from the sending. 95 of 100 answers came within:</p><div class=\"card\">{}</div><div class=\"card\" style=\"margin-top:12px\"><table><thead><tr><th>step</th><th class=\"num\">times</th><th class=\"num\">median</th><th class=\"num\">p95</th><th class=\"num\">p99</th><th class=\"num\">slowest</th><th class=\"num\">sent p95</th><th class=\"num\">errors</th></tr></thead><tbody>",
        chart.draw()
    );
    for summary in &load.steps {
        let lane = if summary.lane == Lane::Browser {
            " <span class=\"quiet\">(browsers)</span>"
        } else {
            ""
        };
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}{lane}</th><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td></tr>",
            summary.step.title(),
            human::count(summary.total()),
            human::micros(summary.p50_us),
            human::micros(summary.p95_us),
            human::micros(summary.p99_us),
            human::micros(summary.max_us),
            human::micros(summary.service_p95_us),
            human::count(summary.failed),
        );
    }
    html.push_str("</tbody></table></div>");
    html
}
