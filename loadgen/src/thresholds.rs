//! Judges the rules of a scenario.
//!
//! Goose judges latency and error rates from what it was told; what it cannot know (dropped
//! arrivals, the share of seats sold) is judged here, and so is every rule once more from our own
//! histograms: two judges who disagree would mean that one of them did not see everything, and the
//! stricter one counts.

use crate::fairness::Fairness;
use crate::goose_shell::GooseSummary;
use crate::measure::{Funnel, Lane, Outcome, StepSummary};
use crate::result::{Judged, WaitDecile};
use crate::scenario::{Metric, Rule, Subject, Way};
use crate::tally::{PersonaResult, bot_share};
use urr_core::rate_steps::RateStep;

/// What the rules are compared with.
pub(crate) struct Figures<'a> {
    pub(crate) funnel: &'a Funnel,
    pub(crate) steps: &'a [StepSummary],
    /// A percentile of the crowd's response times for a step, µs.
    pub(crate) percentile_us: &'a dyn Fn(crate::measure::Step, f64) -> u64,
    pub(crate) seats: u64,
    pub(crate) goose: &'a GooseSummary,
    pub(crate) fairness: &'a Fairness,
    pub(crate) waiting: &'a [WaitDecile],
    pub(crate) personas: &'a [PersonaResult],
}

/// Every rule with its verdict, in the order of the scenario.
pub(crate) fn judge(rules: &[Rule], figures: &Figures<'_>) -> Vec<Judged> {
    rules.iter().map(|rule| judge_one(rule, figures)).collect()
}

fn judge_one(rule: &Rule, figures: &Figures<'_>) -> Judged {
    let observed = observe(rule, figures);
    let ours = matches!(&observed, Some((value, _)) if rule.operator.holds(*value, rule.limit));
    let text = observed.map_or_else(|| nothing_seen(rule.subject).to_owned(), |(_, text)| text);
    let goose = rule.for_goose().and_then(|spelled| {
        figures
            .goose
            .thresholds
            .iter()
            .find(|judged| judged.rule == spelled)
    });
    let (passed, judge) = match goose {
        Some(goose) => (ours && goose.passed, format!("goose: {}", goose.observed)),
        None => (ours, "loadgen".to_owned()),
    };
    Judged {
        rule: rule.text.clone(),
        observed: text,
        passed,
        judge,
    }
}

/// Whether a rule is about how the rate moved, which is judged when somebody tells of it.
pub(crate) const fn is_about_the_rate(rule: &Rule) -> bool {
    matches!(rule.subject, Subject::RateSteps { .. })
}

/// Judges the rules about how the rate moved, in place; `judged` is what [`judge`] made of `rules`.
pub(crate) fn judge_rate(rules: &[Rule], steps: &[RateStep], judged: &mut [Judged]) {
    for (rule, judged) in rules.iter().zip(judged) {
        let Subject::RateSteps { way } = rule.subject else {
            continue;
        };
        let down = steps.iter().filter(|step| step.is_down()).count();
        let up = steps.len() - down;
        let counted = match way {
            Way::Up => up,
            Way::Down => down,
            Way::Either => steps.len(),
        };
        judged.observed = format!("{counted} ({up} up, {down} down)");
        judged.passed = rule.operator.holds(float(counted as u64), rule.limit);
        judged.judge = "the pictures of the sale".to_owned();
    }
}

/// Why a rule has no figure.
const fn nothing_seen(subject: Subject) -> &'static str {
    match subject {
        Subject::Tau => "too few people stand in order of arrival",
        Subject::DrawTau => "too few people were drawn",
        Subject::DrawViolations => "nothing was drawn",
        Subject::BotAdvantage => "no script came, or nothing was sold",
        Subject::Decile { .. } => "none of them was let in",
        Subject::RateSteps { .. } => "nobody told how the rate moved",
        _ => "nobody took this step",
    }
}

/// The figure a rule is about, and how a person reads it. `None` without a single sample: a rule
/// about a step nobody took is not kept.
fn observe(rule: &Rule, figures: &Figures<'_>) -> Option<(f64, String)> {
    let share = |part: u64, whole: u64| {
        let share = if whole == 0 {
            0.0
        } else {
            float(part) / float(whole)
        };
        (share, format!("{:.2}% ({part} of {whole})", share * 100.0))
    };
    let funnel = figures.funnel;
    match rule.subject {
        Subject::Step { step, metric } => {
            let summary = figures
                .steps
                .iter()
                .find(|summary| summary.step == step && summary.lane == Lane::Crowd)?;
            Some(match metric {
                Metric::ErrorRate => share(summary.failed, summary.total()),
                // All of them failed: there is no latency to be content with.
                _ if summary.fine + summary.declined == 0 => return None,
                Metric::Max => micros(summary.max_us),
                Metric::Percentile(percent) => micros((figures.percentile_us)(step, percent)),
            })
        }
        Subject::Dropped => {
            let dropped = funnel.dropped;
            Some((float(dropped), format!("{dropped}")))
        }
        Subject::Late => Some(share(funnel.late, funnel.requests)),
        Subject::Sold => Some(share(funnel.sold, figures.seats)),
        Subject::Failed => Some(share(funnel.outcome(Outcome::Failed), funnel.arrived)),
        Subject::GaveUp => Some(share(funnel.outcome(Outcome::GaveUp), funnel.arrived)),
        Subject::Inversions
        | Subject::Tau
        | Subject::DrawTau
        | Subject::DrawViolations
        | Subject::BotAdvantage
        | Subject::Decile { .. } => fair(rule.subject, figures),
        // No visitor sees it: see `judge_rate`.
        Subject::RateSteps { .. } => None,
    }
}

/// Figures of who stood where and waited how long.
fn fair(subject: Subject, figures: &Figures<'_>) -> Option<(f64, String)> {
    let fairness = figures.fairness;
    let draw = fairness.draw.as_ref();
    match subject {
        Subject::Inversions => {
            // Where places are drawn, tickets are what is given out in order of arrival.
            let tickets = draw.map_or(0, |draw| draw.tickets.pairs);
            let pairs = fairness.inversions.pairs + tickets;
            Some((float(pairs), format!("{pairs} of {} places", fairness.places)))
        }
        Subject::Tau => fairness.tau.map(|tau| (tau, format!("{tau:.5}"))),
        Subject::DrawTau => {
            let tau = draw?.tau?;
            Some((tau.abs(), format!("{tau:.5} of {} places", draw?.places)))
        }
        Subject::DrawViolations => Some(match &draw?.violation {
            None => (0.0, "none".to_owned()),
            Some(why) => (1.0, why.clone()),
        }),
        Subject::BotAdvantage => {
            let share = bot_share(figures.personas).filter(|share| share.seats > 0)?;
            let text = format!(
                "{:.2} ({} of {} seats for {} of {} who came)",
                share.advantage, share.bot_seats, share.seats, share.bots, share.came
            );
            Some((share.advantage, text))
        }
        Subject::Decile { nth, metric } => {
            let decile = figures.waiting.get(usize::from(nth.checked_sub(1)?))?;
            if decile.let_in == 0 {
                return None;
            }
            let ms = if metric == Metric::Percentile(50.0) {
                decile.p50_ms
            } else {
                decile.p95_ms
            };
            Some(micros(ms * 1000))
        }
        _ => None,
    }
}

fn micros(us: u64) -> (f64, String) {
    (float(us), crate::report::human::micros(us))
}

#[expect(clippy::cast_precision_loss, reason = "counts and µs stay below 2^53")]
fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Operator;
    use urr_core::time::Millis;

    #[test]
    fn moves_of_the_rate_are_counted_by_their_way_and_nothing_else_is_touched() {
        let step = |from_per_s, to_per_s| RateStep {
            at: Millis(0),
            from_per_s,
            to_per_s,
            why: String::new(),
        };
        let steps = [step(8, 9), step(9, 4), step(4, 5)];
        let rule = |subject, limit| Rule {
            text: "as written".to_owned(),
            subject,
            operator: Operator::AtMost,
            limit,
        };
        let of = |way, limit| rule(Subject::RateSteps { way }, limit);
        let rules = [
            of(Way::Up, 1.0),
            rule(Subject::Dropped, 0.0),
            of(Way::Down, 1.0),
            of(Way::Either, 3.0),
        ];
        let unjudged = Judged {
            rule: "as written".to_owned(),
            observed: "before".to_owned(),
            passed: false,
            judge: "loadgen".to_owned(),
        };
        let mut judged = vec![unjudged.clone(); rules.len()];
        judge_rate(&rules, &steps, &mut judged);
        let told: Vec<(&str, bool)> = judged.iter().map(|j| (j.observed.as_str(), j.passed)).collect();
        assert_eq!(
            told,
            [
                ("2 (2 up, 1 down)", false),
                ("before", false),
                ("1 (2 up, 1 down)", true),
                ("3 (2 up, 1 down)", true),
            ]
        );
        assert_eq!(judged[1], unjudged);
    }
}
