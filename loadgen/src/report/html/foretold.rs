//! What the simulator said beforehand, beside what happened.

use super::{escape, float, seconds};
use crate::measure::Second;
use crate::report::RunReport;
use crate::report::charts::{Chart, Line, Mark};
use crate::report::foretold::Foretold;
use std::fmt::Write;

pub(super) fn foretold(report: &RunReport) -> String {
    let marks: &[Mark] = &[Mark {
        x: 0.0,
        label: "opening".to_owned(),
    }];
    let Some(foretold) = &report.meta.forecast else {
        return String::new();
    };
    let mut html = format!(
        "<h2>Forecast and outcome</h2><p>{}</p><div class=\"card\"><table><thead><tr><th></th><th class=\"num\">forecast</th><th class=\"num\">outcome</th><th class=\"num\">error</th><th></th></tr></thead><tbody>",
        summary(report, foretold)
    );
    for figure in &foretold.figures {
        let (class, verdict) = if figure.within {
            ("ok", "as promised")
        } else {
            ("no", "further off than promised")
        };
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}</th><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"{class}\">{verdict}</td></tr>",
            escape(&figure.name),
            escape(&figure.told(figure.forecast)),
            escape(&figure.told(figure.outcome)),
            escape(&figure.error()),
        );
    }
    html.push_str("</tbody></table></div>");
    let from_opening = |second: &Second| second.at.since(report.load.opens_at);
    let first = report.load.series.first().map_or(i64::MIN, from_opening);
    let last = report.load.series.last().map_or(i64::MAX, from_opening);
    let curve = |forecast: &[(i64, u64)]| {
        let within = forecast.iter().filter(|(at, _)| (first..=last).contains(at));
        let mut points: Vec<(i64, u64)> = within.copied().collect();
        // A forecast ends with its last event; what it says holds on.
        if let Some((_, n)) = points.last().copied() {
            points.push((last, n));
        }
        points
            .into_iter()
            .map(|(at, n)| (seconds(at), Some(float(n))))
            .collect()
    };
    let chart = |title, outcome: &dyn Fn(&Second) -> u64, forecast: &[(i64, u64)], colour| Chart {
        title,
        lines: vec![
            Line {
                name: "outcome",
                colour,
                filled: true,
                points: so_far(report, outcome),
            },
            Line {
                name: "forecast",
                colour: 5,
                filled: false,
                points: curve(forecast),
            },
        ],
        marks,
        logarithmic: false,
        label: |y| format!("{y:.0}"),
    };
    if !foretold.sold.is_empty() {
        let sold = chart("Seats sold so far", &|second| second.sold, &foretold.sold, 3);
        let let_in = chart(
            "People let in so far",
            &|second| second.admitted,
            &foretold.let_in,
            2,
        );
        let _ = write!(
            html,
            "<div class=\"card\" style=\"margin-top:12px\"><p class=\"quiet\">Seats sold so far</p>{}</div><div class=\"card\" style=\"margin-top:12px\"><p class=\"quiet\">People let in so far</p>{}</div>",
            sold.draw(),
            let_in.draw()
        );
    }
    html
}

/// The worst of it in a sentence.
fn summary(report: &RunReport, foretold: &Foretold) -> String {
    let promised = foretold.promised_percent;
    let off = foretold.figures.iter().filter(|figure| !figure.within).count();
    let all = foretold.figures.len();
    let verdict = match off {
        0 => format!("Every figure is within the {promised:.0} % that it promises."),
        off if off == all => format!("No figure is within the {promised:.0} % that it promises."),
        1 => format!("One figure of {all} is further off than the {promised:.0} % that it promises."),
        off => format!("{off} figures of {all} are further off than the {promised:.0} % that it promises."),
    };
    let doubt = if report.load.validity.is_valid() {
        ""
    } else {
        " The run itself proves nothing (see above), so this comparison says as little."
    };
    let opens_with = match report.load.rate_steps.len() {
        0 => "",
        _ => " It was told of the rate that the sale opens with, and not of how that moved.",
    };
    format!(
        "The simulator was given the same crowd and the same terms, and knows nothing of this machine.{opens_with} {verdict} The error is the forecast's, in percent of what happened.{doubt}"
    )
}

/// A count of every second, summed up from the first.
fn so_far(report: &RunReport, of: &dyn Fn(&Second) -> u64) -> Vec<(f64, Option<f64>)> {
    let mut sum = 0;
    let series = report.load.series.iter();
    series
        .map(|second| {
            sum += of(second);
            (seconds(second.at.since(report.load.opens_at)), Some(float(sum)))
        })
        .collect()
}
