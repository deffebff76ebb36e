//! Several sales in one run: each in a line, with the way to its own page.

use super::{crowd_step, escape};
use crate::measure::Step;
use crate::report::{RunReport, human};
use std::fmt::Write;
use urr_core::audit::Verdict;

pub(super) fn sales(report: &RunReport) -> String {
    if report.sales.is_empty() {
        return String::new();
    }
    let mut html = String::from(
        "<h2>The sales</h2><p>All of them opened in the same instant, behind the same services. Each was judged by itself and has a page of its own; what this page tells is their sum, and a law or a threshold holds here only if it holds in every sale.</p><div class=\"card\"><table><thead><tr><th></th><th>sale</th><th class=\"num\">came</th><th class=\"num\">let in</th><th class=\"num\">seats sold</th><th class=\"num\">half waited at most</th><th class=\"num\">join p95</th><th class=\"num\">poll p95</th><th>laws</th><th class=\"num\">overtaken</th></tr></thead><tbody>",
    );
    for sale in &report.sales {
        let load = &sale.load;
        let conclusion = sale.conclusion();
        let (class, sign) = if conclusion.exit_code() == 0 {
            ("ok", '✔')
        } else {
            ("no", '✘')
        };
        let p95 =
            |step| crowd_step(&load.steps, step).map_or_else(|| "–".to_owned(), |s| human::micros(s.p95_us));
        let wait =
            crowd_step(&load.steps, Step::Wait).map_or_else(|| "–".to_owned(), |s| human::micros(s.p50_us));
        let laws = sale.audit.as_ref().map_or_else(
            || "not audited".to_owned(),
            |audit| {
                let held = audit.findings.iter().filter(|f| f.verdict == Verdict::Held);
                format!("{} of {} held", held.count(), audit.findings.len())
            },
        );
        let _ = write!(
            html,
            "<tr><td class=\"{class}\">{sign} {}</td><th scope=\"row\"><a href=\"sales/{name}/report.html\">{name}</a></th><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{} of {}</td><td class=\"num\">{wait}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td>{laws}</td><td class=\"num\">{}</td></tr>",
            conclusion.word(),
            human::count(load.funnel.arrived),
            human::count(load.funnel.admitted),
            human::count(load.funnel.sold),
            human::count(load.seats),
            p95(Step::Join),
            p95(Step::Poll),
            human::count(load.fairness.inversions.pairs),
            name = escape(&load.scenario),
        );
    }
    html.push_str("</tbody></table></div>");
    html
}
