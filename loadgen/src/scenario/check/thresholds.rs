//! What must hold: every rule readable, possible, and about something this scenario does.

use super::checker::Checker;
use crate::scenario::schema::At;
use crate::scenario::{Crowd, Rule, SalePlan, Subject};
use urr_core::sale::Ordering;

/// The rules of the scenario.
pub(super) fn thresholds(c: &mut Checker, texts: &[At<String>], sale: &SalePlan, crowd: &Crowd) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let field = format!("thresholds[{index}]");
        match Rule::parse(&text.value) {
            Err(refused) => c.refuse(&field, text, refused.problem, refused.remedy),
            Ok(rule) => {
                if let Some((problem, remedy)) = about_nothing(&rule, sale, crowd) {
                    c.refuse(&field, text, format!("`{rule}` {problem}"), remedy);
                }
                rules.push(rule);
            }
        }
    }
    rules
}

/// Why nothing in this scenario could answer `rule`, and what would.
fn about_nothing(rule: &Rule, sale: &SalePlan, crowd: &Crowd) -> Option<(&'static str, &'static str)> {
    let scripts = || crowd.personas.iter().any(|persona| persona.behaviour.is_bot());
    match rule.subject {
        Subject::DrawTau | Subject::DrawViolations if sale.ordering == Ordering::Fifo => Some((
            "is about a draw, and nothing is drawn",
            "add `ordering: shuffle` to the sale",
        )),
        Subject::BotAdvantage if !scripts() => Some((
            "is about scripts, and none comes",
            "add a persona that `grabs` or `intrudes`",
        )),
        Subject::RateSteps { .. } if sale.admission.adaptive.is_none() => Some((
            "is about a rate that moves, and this one stands",
            "add `adaptive: { min_rate: .., max_rate: .. }` to the sale's admission",
        )),
        _ => None,
    }
}
