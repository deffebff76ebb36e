//! Reading a rule: which words there are, which figure each takes, and what can never hold.

use super::{Kind, Metric, Operator, Rule, Subject, Way};
use crate::measure::Step;
use crate::scenario::error::suggest;

/// Why a sentence is not a rule: the problem and the remedy.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::scenario) struct Refused {
    pub(in crate::scenario) problem: String,
    pub(in crate::scenario) remedy: String,
}

const GRAMMAR: &str = "write `join p95 < 100ms`, `poll error-rate < 1%`, `decile-1 p50 < 10s`, `dropped <= 0`, `late < 1%`, `sold >= 100%`, `failed < 1%`, `gave-up < 10%`, `inversions <= 0`, `tau > 0.99`, `draw-tau < 0.05`, `draw-violations <= 0`, `bot-advantage < 1.2` or `rate-steps down <= 2`";

/// Words that stand alone.
const PLAIN: [(&str, Subject); 10] = [
    ("dropped", Subject::Dropped),
    ("late", Subject::Late),
    ("sold", Subject::Sold),
    ("failed", Subject::Failed),
    ("gave-up", Subject::GaveUp),
    ("inversions", Subject::Inversions),
    ("tau", Subject::Tau),
    ("draw-tau", Subject::DrawTau),
    ("draw-violations", Subject::DrawViolations),
    ("bot-advantage", Subject::BotAdvantage),
];

/// Stands alone or with a way.
const RATE_STEPS: &str = "rate-steps";

fn refused(problem: impl Into<String>, remedy: impl Into<String>) -> Refused {
    Refused {
        problem: problem.into(),
        remedy: remedy.into(),
    }
}

impl Rule {
    /// Reads a sentence.
    pub(in crate::scenario) fn parse(text: &str) -> Result<Self, Refused> {
        let text = text.trim();
        let at = text
            .find(['<', '>'])
            .ok_or_else(|| refused(format!("`{text}` compares nothing"), GRAMMAR))?;
        let (left, rest) = text.split_at(at);
        let (operator, right) = if let Some(right) = rest.strip_prefix("<=") {
            (Operator::AtMost, right)
        } else if let Some(right) = rest.strip_prefix(">=") {
            (Operator::AtLeast, right)
        } else if let Some(right) = rest.strip_prefix('<') {
            (Operator::Less, right)
        } else {
            (Operator::More, rest.trim_start_matches('>'))
        };
        let subject = Subject::parse(left.trim())?;
        let limit = subject.kind().limit(right.trim())?;
        let rule = Self {
            text: text.to_owned(),
            subject,
            operator,
            limit,
        };
        rule.can_hold()?;
        Ok(rule)
    }

    /// Refuses what no run can keep.
    fn can_hold(&self) -> Result<(), Refused> {
        let text = &self.text;
        // No figure is below zero but tau.
        let least = if self.subject == Subject::Tau { -1.0 } else { 0.0 };
        if self.operator == Operator::Less && self.limit <= least {
            return Err(refused(
                format!("`{text}` can never hold: nothing is less than {least}"),
                if least == 0.0 {
                    "use `<=` or a figure above zero"
                } else {
                    "use a figure above -1"
                },
            ));
        }
        if self.operator == Operator::More && self.limit >= 1.0 {
            let whole = match self.subject.kind() {
                Kind::Share => Some(("no share is above 100%", "use `>= 100%`")),
                Kind::Number if matches!(self.subject, Subject::Tau | Subject::DrawTau) => {
                    Some(("no tau is above 1", "use a figure below 1"))
                }
                _ => None,
            };
            if let Some((why, remedy)) = whole {
                return Err(refused(format!("`{text}` can never hold: {why}"), remedy));
            }
        }
        Ok(())
    }
}

impl Subject {
    fn parse(left: &str) -> Result<Self, Refused> {
        let mut words = left.split_whitespace();
        let first = words.next().unwrap_or_default();
        let second = words.next();
        if words.next().is_some() {
            return Err(refused(format!("too many words in `{left}`"), GRAMMAR));
        }
        if let Some((_, subject)) = PLAIN.into_iter().find(|(word, _)| *word == first) {
            return match second {
                None => Ok(subject),
                Some(_) => Err(refused(format!("`{first}` takes no metric"), GRAMMAR)),
            };
        }
        if first == RATE_STEPS {
            let way = match second {
                None => Way::Either,
                Some("up") => Way::Up,
                Some("down") => Way::Down,
                Some(other) => {
                    return Err(refused(
                        format!("a rate does not step `{other}`"),
                        "write `rate-steps down`, `rate-steps up` or `rate-steps` for both",
                    ));
                }
            };
            return Ok(Self::RateSteps { way });
        }
        let metric = || {
            let word =
                second.ok_or_else(|| refused(format!("`{first}` needs a metric such as p95"), GRAMMAR))?;
            Metric::parse(word)
        };
        if let Some(nth) = first.strip_prefix("decile-") {
            let nth = nth.parse().ok().filter(|nth| (1..=10).contains(nth));
            let nth = nth.ok_or_else(|| {
                refused(
                    format!("there is no `{first}`"),
                    "use decile-1 (who came first) to decile-10",
                )
            })?;
            return match metric()? {
                metric @ (Metric::Percentile(50.0) | Metric::Percentile(95.0)) => {
                    Ok(Self::Decile { nth, metric })
                }
                _ => Err(refused(
                    format!("`{first}` is measured by its p50 and p95"),
                    "use one of these",
                )),
            };
        }
        let step = Step::ALL.into_iter().find(|step| step.name() == first);
        let step = step.ok_or_else(|| {
            let mut known: Vec<&str> = Step::ALL.iter().map(|s| s.name()).collect();
            known.extend(PLAIN.iter().map(|(word, _)| *word));
            known.extend(["decile-1", RATE_STEPS]);
            refused(
                format!("threshold on unknown step `{first}`"),
                suggest(first, &known, "known"),
            )
        })?;
        Ok(Self::Step {
            step,
            metric: metric()?,
        })
    }
}

impl Kind {
    /// Reads the figure on the right.
    fn limit(self, text: &str) -> Result<f64, Refused> {
        let any = |unit: &str| -> Option<f64> {
            let value: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
            value.is_finite().then_some(value)
        };
        let number = |unit: &str| any(unit).filter(|value| *value >= 0.0);
        let wrong = |shape: &str| refused(format!("expected {shape}, found `{text}`"), GRAMMAR);
        match self {
            Self::Share => {
                let percent = number("%").ok_or_else(|| wrong("a share such as `1%`"))?;
                if percent > 100.0 {
                    return Err(wrong("a share from 0% to 100%"));
                }
                Ok(percent / 100.0)
            }
            Self::Time => number("ms")
                .map(|ms| ms * 1000.0)
                .or_else(|| number("us"))
                .or_else(|| number("s").map(|s| s * 1_000_000.0))
                .ok_or_else(|| wrong("a time such as `100ms`")),
            Self::Count => number("").ok_or_else(|| wrong("a count such as `0`")),
            Self::Number => any("").ok_or_else(|| wrong("a number such as `0.95`")),
        }
    }
}

impl Metric {
    fn parse(text: &str) -> Result<Self, Refused> {
        match text {
            "max" => Ok(Self::Max),
            "error-rate" => Ok(Self::ErrorRate),
            _ => text
                .strip_prefix('p')
                .and_then(|percent| percent.parse::<f64>().ok())
                .filter(|percent| *percent > 0.0 && *percent < 100.0)
                .map(Self::Percentile)
                .ok_or_else(|| {
                    refused(
                        format!("unknown metric `{text}`"),
                        "use p50, p95, p99, p99.9, max or error-rate",
                    )
                }),
        }
    }
}
