//! Kinds of visitors, and what scripts won against people.

use super::float;
use crate::report::{RunReport, human};
use crate::tally::bot_share;
use std::fmt::Write;

pub(super) fn personas(report: &RunReport) -> String {
    let personas = &report.load.personas;
    if personas.is_empty() {
        return String::new();
    }
    let seats: u64 = personas.iter().map(|persona| persona.seats).sum();
    let mut html = String::from(
        "<h2>Kinds of visitors</h2><div class=\"card\"><table><thead><tr><th>kind</th><th class=\"num\">came</th><th class=\"num\">let in</th><th class=\"num\">waited (median)</th><th class=\"num\">p95</th><th class=\"num\">seats</th><th class=\"num\">of all sold</th></tr></thead><tbody>",
    );
    for persona in personas {
        let wait = |ms: Option<u64>| ms.map_or_else(|| "–".to_owned(), human::millis);
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}{}</th><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td></tr>",
            persona.name,
            if persona.bot {
                " <span class=\"quiet\">(script)</span>"
            } else {
                ""
            },
            human::count(persona.came),
            human::count(persona.admitted),
            wait(persona.wait_p50_ms),
            wait(persona.wait_p95_ms),
            human::count(persona.seats),
            human::percent(persona.seats, seats)
        );
    }
    html.push_str("</tbody></table></div>");
    if let Some(share) = bot_share(personas) {
        let part = |n: u64, of: u64| {
            if of == 0 {
                0.0
            } else {
                float(n) / float(of) * 100.0
            }
        };
        let _ = write!(
            html,
            "<p>Scripts were {:.1} % of those who came and hold {:.1} % of the seats sold: {:.2} times what chance alone would give them.</p>",
            part(share.bots, share.came),
            part(share.bot_seats, share.seats),
            share.advantage
        );
    }
    html
}
