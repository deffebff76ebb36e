//! The page: the verdict first, then the story of the opening, then what was checked and how.

use super::charts::{Chart, Line, Mark, bar};
use super::human;
use super::{Conclusion, RunReport};
use crate::measure::{Lane, Outcome, Second, Step, StepSummary};
use crate::scenario::Trick;
use std::collections::BTreeMap;
use std::fmt::Write;
use urr_core::audit::Verdict;

/// Text as it may stand in HTML and XML, attributes included.
pub(super) fn escape(text: &str) -> String {
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
pub(super) fn page(report: &RunReport) -> String {
    let load = &report.load;
    let marks = marks(report);
    let title = escape(&load.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}: {}</title><style>{}</style></head><body><main>",
        report.conclusion().word(),
        include_str!("style.css")
    );
    page.push_str(&head(report));
    page.push_str(&tiles(report));
    page.push_str(&story(report, &marks));
    page.push_str(&funnel(report));
    page.push_str(&fairness(report));
    page.push_str(&latency(report, &marks));
    page.push_str(&laws(report));
    page.push_str(&thresholds(report));
    page.push_str(&hall(report));
    page.push_str(&back_door(report));
    page.push_str(&events(report));
    page.push_str(&honesty(report));
    page.push_str(&again(report));
    page.push_str("</main></body></html>\n");
    page
}

// Writing to a String cannot fail; results are ignored throughout.

fn head(report: &RunReport) -> String {
    let load = &report.load;
    let (good, words) = match report.conclusion() {
        Conclusion::Passed => (true, "Passed"),
        Conclusion::LawBroken => (false, "Failed: a law does not hold"),
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
                reasons.push(format!("{} {}: {}", finding.law, finding.verdict, finding.detail));
            }
        }
    }
    reasons.extend(report.load.validity.reasons.iter().cloned());
    for judged in report.load.thresholds.iter().filter(|judged| !judged.passed) {
        reasons.push(format!("{}: observed {}", judged.rule, judged.observed));
    }
    reasons
}

fn tiles(report: &RunReport) -> String {
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

fn crowd_step(steps: &[StepSummary], step: Step) -> Option<&StepSummary> {
    steps
        .iter()
        .find(|summary| summary.step == step && summary.lane == Lane::Crowd)
}

/// The opening and whatever was done on purpose.
fn marks(report: &RunReport) -> Vec<Mark> {
    let mut marks = vec![Mark {
        x: 0.0,
        label: "opening".to_owned(),
    }];
    marks.extend(report.meta.events.iter().map(|event| Mark {
        x: seconds(event.at.since(report.load.opens_at)),
        label: event.text.clone(),
    }));
    marks
}

fn seconds(ms: i64) -> f64 {
    float(ms.unsigned_abs()) / 1000.0 * if ms < 0 { -1.0 } else { 1.0 }
}

#[expect(clippy::cast_precision_loss, reason = "counts and µs stay below 2^53")]
fn float(n: u64) -> f64 {
    n as f64
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

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an axis label of µs"
)]
fn axis_micros(y: f64) -> String {
    human::micros(y.round() as u64)
}

/// One value of every second, by time from the opening.
fn over_time(report: &RunReport, value: impl Fn(&Second) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
    let load = &report.load;
    load.series
        .iter()
        .map(|second| (seconds(second.at.since(load.opens_at)), value(second)))
        .collect()
}

fn story(report: &RunReport, marks: &[Mark]) -> String {
    let line = |name, colour, filled, points| Line {
        name,
        colour,
        filled,
        points,
    };
    let rates = Chart {
        title: "Arrivals, admissions and sales per second",
        lines: vec![
            line("arriving", 1, true, over_time(report, |s| Some(float(s.arrived)))),
            line("let in", 2, false, over_time(report, |s| Some(float(s.admitted)))),
            line("seats sold", 3, false, over_time(report, |s| Some(float(s.sold)))),
        ],
        marks,
        logarithmic: false,
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
        "<h2>How it went</h2><div class=\"card\">{}</div><p class=\"quiet\">Every second of the run. The line is the point: however steep the blue, the orange stays at the admitted rate.</p><div class=\"card\">{}</div>",
        rates.draw(),
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

fn funnel(report: &RunReport) -> String {
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

fn fairness(report: &RunReport) -> String {
    let deciles = &report.load.waiting;
    if deciles.is_empty() {
        return String::new();
    }
    let longest = deciles.iter().map(|d| d.p95_ms).max().unwrap_or(1).max(1);
    let mut html = String::from(
        "<h2>Who waited how long</h2><p>Everybody who was let in, in ten equal parts by when they came. Fair means: who came earlier waited less, and within a part waits are alike.</p><div class=\"card\"><table><thead><tr><th>came</th><th class=\"num\">half waited at most</th><th></th><th>95 of 100 waited at most</th></tr></thead><tbody>",
    );
    for decile in deciles {
        html.push_str(&bar(
            &format!(
                "{} to {}",
                human::from_opening(decile.from_us / 1000),
                human::from_opening(decile.to_us / 1000)
            ),
            &human::millis(decile.p50_ms),
            float(decile.p50_ms) / float(longest),
            5,
            &human::millis(decile.p95_ms),
        ));
    }
    html.push_str("</tbody></table></div>");
    html
}

fn latency(report: &RunReport, marks: &[Mark]) -> String {
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

fn laws(report: &RunReport) -> String {
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
            escape(&finding.detail),
            human::count(finding.checked)
        );
        for example in &finding.examples {
            let _ = write!(html, "<small class=\"no\">{}</small>", escape(example));
        }
        html.push_str("</td></tr>");
    }
    html.push_str("</tbody></table></div>");
    html
}

fn thresholds(report: &RunReport) -> String {
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

fn hall(report: &RunReport) -> String {
    let Some(seats) = report
        .snapshots
        .iter()
        .rev()
        .find_map(|snapshot| snapshot.seats.as_ref())
    else {
        return String::new();
    };
    let mut html = String::from("<h2>The hall at the end</h2><div class=\"card\"><table><tbody>");
    for section in &seats.sections {
        let part = if section.capacity == 0 {
            0.0
        } else {
            float(section.sold) / float(section.capacity)
        };
        html.push_str(&bar(
            &section.name,
            &format!(
                "{} of {}",
                human::count(section.sold),
                human::count(section.capacity)
            ),
            part,
            3,
            &if section.held > 0 {
                format!("{} held", human::count(section.held))
            } else {
                String::new()
            },
        ));
    }
    html.push_str("</tbody></table></div>");
    html
}

fn back_door(report: &RunReport) -> String {
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

fn events(report: &RunReport) -> String {
    if report.meta.events.is_empty() {
        return String::new();
    }
    let mut html = String::from("<h2>What happened on purpose</h2><div class=\"card\"><table><tbody>");
    for event in &report.meta.events {
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

fn honesty(report: &RunReport) -> String {
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

fn again(report: &RunReport) -> String {
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
