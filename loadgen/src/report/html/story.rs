//! How it went, second by second and person by person.

use super::rate::staircase;
use super::{escape, float, over_time, seconds};
use crate::measure::{Outcome, Second};
use crate::report::charts::{Chart, Line, Mark, bar};
use crate::report::{RunReport, human};
use std::fmt::Write;
use urr_core::snapshot::EventLine;

/// The opening and whatever was done on purpose.
pub(super) fn marks(report: &RunReport) -> Vec<Mark> {
    let mut marks = vec![Mark {
        x: 0.0,
        label: "opening".to_owned(),
    }];
    let within = done(report).filter(|event| event.at <= report.load.finished_at);
    marks.extend(within.map(|event| Mark {
        x: seconds(event.at.since(report.load.opens_at)),
        label: event.text.clone(),
    }));
    marks
}

/// What somebody did; what the generator tells of itself has a table of its own.
fn done(report: &RunReport) -> impl Iterator<Item = &EventLine> {
    report.meta.events.iter().filter(|event| event.actor != "load")
}

fn per_second(y: f64) -> String {
    format!("{y:.0}/s")
}

fn people(y: f64) -> String {
    if y >= 10_000.0 {
        format!("{:.0}k", y / 1000.0)
    } else {
        format!("{y:.0}")
    }
}

/// From this many arrivals for each admission on, tenfold steps show more.
const STEEP: u64 = 20;

pub(super) fn story(report: &RunReport, marks: &[Mark]) -> String {
    let line = |name, colour, filled, points| Line {
        name,
        colour,
        filled,
        points,
    };
    let most = |pick: fn(&Second) -> u64| report.load.series.iter().map(pick).max().unwrap_or(0);
    // Thousands come a second for every one let in: on an even scale the door would be a flat line.
    let steep = most(|s| s.arrived) > most(|s| s.admitted).max(1) * STEEP;
    let rate = |n: u64| (n > 0 || !steep).then(|| float(n));
    let mut lines = vec![
        line("arriving", 1, true, over_time(report, |s| rate(s.arrived))),
        line("let in", 2, false, over_time(report, |s| rate(s.admitted))),
        line("seats sold", 3, false, over_time(report, |s| rate(s.sold))),
    ];
    lines.extend(staircase(report).map(|points| line("may be let in", 5, false, points)));
    let rates = Chart {
        title: "Arrivals, admissions and sales per second",
        lines,
        marks,
        logarithmic: steep,
        label: per_second,
    };
    let crowd = Chart {
        title: "People waiting and inside",
        lines: vec![
            line("waiting", 1, true, over_time(report, |s| Some(float(s.waiting)))),
            line("inside", 2, false, over_time(report, |s| Some(float(s.inside)))),
        ],
        marks,
        logarithmic: false,
        label: people,
    };
    let mut html = format!(
        "<h2>How it went</h2><div class=\"card\">{}</div><p class=\"quiet\">Every second of the run{}. The line is the point: however steep the blue, the orange stays at the admitted rate.</p><div class=\"card\">{}</div>",
        rates.draw(),
        if steep { ", in tenfold steps" } else { "" },
        crowd.draw()
    );
    if report.snapshots.iter().any(|snapshot| snapshot.seats.is_some()) {
        let seats = |pick: fn(&urr_core::snapshot::SeatsView) -> u64| {
            report
                .snapshots
                .iter()
                .map(|snapshot| {
                    let x = seconds(snapshot.at.since(report.load.opens_at));
                    (x, snapshot.seats.as_ref().map(|seats| float(pick(seats))))
                })
                .collect()
        };
        let chart = Chart {
            title: "Seats free, held and sold",
            lines: vec![
                line("sold", 3, true, seats(|s| s.sold)),
                line("held", 2, false, seats(|s| s.held)),
                line("free", 1, false, seats(|s| s.free)),
            ],
            marks,
            logarithmic: false,
            label: people,
        };
        let _ = write!(
            html,
            "<div class=\"card\" style=\"margin-top:12px\">{}</div>",
            chart.draw()
        );
    }
    html
}

pub(super) fn funnel(report: &RunReport) -> String {
    let funnel = &report.load.funnel;
    let whole = funnel.arrived;
    let part = |n: u64| if whole == 0 { 0.0 } else { float(n) / float(whole) };
    let bought = funnel.outcome(Outcome::Bought);
    let mut html = String::from("<h2>From the street to the seat</h2><div class=\"card\"><table><tbody>");
    for (name, n, colour) in [
        ("came", funnel.arrived, 1),
        ("got a place in line", funnel.joined, 1),
        ("were let in", funnel.admitted, 2),
        ("held seats", funnel.held, 2),
        ("went to pay", funnel.paid, 3),
        ("bought", bought, 3),
    ] {
        html.push_str(&bar(
            name,
            &human::count(n),
            part(n),
            colour,
            &human::percent(n, whole),
        ));
    }
    html.push_str("</tbody></table></div><p class=\"quiet\">How each journey ended:</p><div class=\"card\"><table><tbody>");
    for outcome in Outcome::ALL {
        let n = funnel.outcome(outcome);
        if n > 0 {
            let colour = match outcome {
                Outcome::Bought => 3,
                Outcome::Failed | Outcome::BrokeIn | Outcome::Dropped => 4,
                _ => 1,
            };
            html.push_str(&bar(
                outcome.title(),
                &human::count(n),
                part(n),
                colour,
                &human::percent(n, whole),
            ));
        }
    }
    let _ = write!(
        html,
        "</tbody></table></div><p class=\"quiet\">{} times somebody reached for a seat and another was quicker.</p>",
        human::count(funnel.conflicts)
    );
    html
}

pub(super) fn events(report: &RunReport) -> String {
    if done(report).next().is_none() {
        return String::new();
    }
    let mut html = String::from("<h2>What was done</h2><div class=\"card\"><table><tbody>");
    for event in done(report) {
        let _ = write!(
            html,
            "<tr><td class=\"num\">{}</td><td class=\"quiet\">{}</td><td>{}</td></tr>",
            human::from_opening(event.at.since(report.load.opens_at)),
            escape(&event.actor),
            escape(&event.text)
        );
    }
    html.push_str("</tbody></table></div>");
    html
}
