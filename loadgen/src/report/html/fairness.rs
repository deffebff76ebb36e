//! Who waited how long, and whether that was fair.

use super::{escape, float};
use crate::fairness::{DrawFairness, Inversions};
use crate::report::{RunReport, human};
use std::fmt::Write;
use urr_core::sale::Ordering;

pub(super) fn fairness(report: &RunReport) -> String {
    let mut html = waits(report);
    html.push_str(&order(report));
    html
}

/// Waiting time by tenths of the crowd in order of arrival.
fn waits(report: &RunReport) -> String {
    let deciles = &report.load.waiting;
    if deciles.is_empty() {
        return String::new();
    }
    let longest = deciles.iter().map(|d| d.p95_ms).max().unwrap_or(1).max(1);
    let fair = match report.sale.ordering {
        Ordering::Fifo => {
            "Fair means: who came earlier waited for fewer people, and within a part waits are alike."
        }
        Ordering::Shuffle => {
            "Places of those who came before the opening were drawn, so fair means that nobody gained by coming at the first second; who came after it stands in order of arrival."
        }
    };
    let mut html = format!(
        "<h2>Who waited how long</h2><p>Everybody who came, in ten equal parts by when. {fair}</p><div class=\"card\"><table><thead><tr><th>came</th><th class=\"num\">let in</th><th class=\"num\">half waited at most</th><th></th><th>95 of 100 at most</th></tr></thead><tbody>"
    );
    for decile in deciles {
        let came = if decile.from_us == decile.to_us {
            human::from_opening(decile.from_us / 1000)
        } else {
            format!(
                "{} to {}",
                human::from_opening(decile.from_us / 1000),
                human::from_opening(decile.to_us / 1000)
            )
        };
        let waited = |ms: u64| {
            if decile.let_in == 0 {
                "–".to_owned()
            } else {
                human::millis(ms)
            }
        };
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{came}</th><td class=\"num\">{} of {}</td><td class=\"num\">{}</td><td class=\"bar\">{}</td><td class=\"quiet\">{}</td></tr>",
            human::count(decile.let_in),
            human::count(decile.came),
            waited(decile.p50_ms),
            if decile.let_in == 0 {
                String::new()
            } else {
                let width = float(decile.p50_ms) / float(longest) * 100.0;
                format!("<i class=\"c5\" style=\"width:{width:.2}%\"></i>")
            },
            waited(decile.p95_ms)
        );
    }
    html.push_str("</tbody></table></div>");
    html
}

/// Whether places followed arrival, or the draw.
fn order(report: &RunReport) -> String {
    let fairness = &report.load.fairness;
    if fairness.places == 0 {
        return String::new();
    }
    let mut html = String::from(
        "<h2>Who stands where</h2><p>By what visitors themselves were told. Two joins at most 50 ms apart may be numbered in either order; beyond that nobody may stand behind somebody who came later.</p><div class=\"card\"><table><tbody>",
    );
    let drawn = fairness.draw.as_ref();
    let late = if drawn.is_some() { " after the opening" } else { "" };
    fact(
        &mut html,
        "places that visitors were told",
        &human::count(fairness.places),
        "",
    );
    fact(
        &mut html,
        &format!("overtaken{late}, beyond doubt"),
        &pairs(&fairness.inversions),
        "pairs in which one had the answer before the other had asked, and stands behind",
    );
    fact(
        &mut html,
        &format!("overtaken{late}, by when requests left"),
        &pairs(&fairness.felt),
        &worst(&fairness.felt),
    );
    if let Some(tau) = fairness.tau {
        fact(
            &mut html,
            &format!("agreement of arrival and place{late}"),
            &format!("{tau:.5}"),
            "Kendall’s tau: 1 is the same order, 0 none",
        );
    }
    html.push_str("</tbody></table></div>");
    if let Some(draw) = drawn {
        html.push_str(&the_draw(draw));
    }
    html
}

fn the_draw(draw: &DrawFairness) -> String {
    let (class, word) = match &draw.violation {
        None => (
            "ok",
            "✔ the seed revealed after the opening is the one committed to before it".to_owned(),
        ),
        Some(why) => ("no", format!("✘ {why}")),
    };
    let mut html = format!(
        "<h2>The draw</h2><div class=\"card\"><table><tbody><tr><td class=\"{class}\" colspan=\"3\" style=\"white-space:normal\">{}</td></tr>",
        escape(&word)
    );
    if let Some(commitment) = &draw.commitment {
        fact(&mut html, "committed to", "", "");
        let _ = write!(
            html,
            "<tr><td colspan=\"3\"><code style=\"overflow-wrap:anywhere\">sha256 {}</code></td></tr>",
            escape(commitment)
        );
    }
    if let Some(drawn) = draw.drawn {
        fact(&mut html, "tickets in the draw", &human::count(drawn), "");
    }
    fact(
        &mut html,
        "places replayed from the seed",
        &human::count(draw.places),
        "each belongs to a ticket of the draw",
    );
    fact(
        &mut html,
        "tickets overtaken",
        &pairs(&draw.tickets),
        "tickets are given out in order of arrival",
    );
    if let (Some(tau), Some(sigmas)) = (draw.tau, draw.sigmas) {
        fact(
            &mut html,
            "agreement of arrival and place",
            &format!("{tau:.5}"),
            &format!("{:.1} standard deviations from none at all", sigmas.abs()),
        );
    }
    html.push_str("</tbody></table></div>");
    html
}

fn pairs(inversions: &Inversions) -> String {
    match inversions.pairs {
        0 => "none".to_owned(),
        1 => "1 pair".to_owned(),
        pairs => format!("{} pairs", human::count(pairs)),
    }
}

fn worst(inversions: &Inversions) -> String {
    if inversions.pairs == 0 {
        return "delays of network and machine included".to_owned();
    }
    format!(
        "{} people stand ahead of somebody who came before, by {} at most; delays of network and machine included",
        human::count(inversions.people),
        human::micros(inversions.worst_us.unsigned_abs())
    )
}

/// One line of a table of facts.
pub(super) fn fact(html: &mut String, name: &str, value: &str, note: &str) {
    let _ = write!(
        html,
        "<tr><th scope=\"row\">{}</th><td class=\"num\">{}</td><td class=\"quiet\">{}</td></tr>",
        escape(name),
        escape(value),
        escape(note)
    );
}
