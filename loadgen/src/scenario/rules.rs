//! Thresholds: sentences such as `join p95 < 100ms`, `sold >= 100%` or `dropped <= 0`.
//!
//! Latency and error rules of a step are handed to goose, which judges them from its own metrics;
//! the rest is judged by `crate::thresholds`. A rule that can never pass, or that names a step
//! nobody measures, is refused when the file is read, not after a run of five minutes.

use super::error::suggest;
use super::units::Share;
use crate::measure::Step;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A sentence that must be true of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// As written, trimmed.
    pub text: String,
    /// What it is about.
    pub subject: Subject,
    /// Which way.
    pub operator: Operator,
    /// The figure: microseconds, a fraction, or a count, by subject.
    pub limit: f64,
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A step of the journey, as the crowd felt it.
    Step {
        /// Which.
        step: Step,
        /// Which figure of it.
        metric: Metric,
    },
    /// Arrivals and requests that never started because the generator was full.
    Dropped,
    /// Share of requests that started more than 100 ms after they were due.
    Late,
    /// Share of the hall's seats that visitors paid for.
    Sold,
    /// Share of visitors whose journey broke off with an error.
    Failed,
}

/// A figure of a step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// A percentile of the response time, in percent.
    Percentile(f64),
    /// The slowest.
    Max,
    /// Share of requests that failed.
    ErrorRate,
}

/// Which way a figure is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Operator {
    /// Whether `observed` is on the right side of `limit`.
    #[must_use]
    pub fn holds(self, observed: f64, limit: f64) -> bool {
        match self {
            Self::Less => observed < limit,
            Self::AtMost => observed <= limit,
            Self::More => observed > limit,
            Self::AtLeast => observed >= limit,
        }
    }

    /// `<`, `<=`, `>` or `>=`.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// Why a sentence is not a rule: the problem and the remedy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) problem: String,
    pub(super) remedy: String,
}

const GRAMMAR: &str = "write `join p95 < 100ms`, `poll error-rate < 1%`, `dropped <= 0`, `late < 1%`, `sold >= 100%` or `failed < 1%`";

fn refused(problem: impl Into<String>, remedy: impl Into<String>) -> Refused {
    Refused {
        problem: problem.into(),
        remedy: remedy.into(),
    }
}

impl Rule {
    /// Reads a sentence.
    pub(super) fn parse(text: &str) -> Result<Self, Refused> {
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
        let limit = subject.limit(right.trim())?;
        let rule = Self {
            text: text.to_owned(),
            subject,
            operator,
            limit,
        };
        if operator == Operator::Less && limit == 0.0 {
            return Err(refused(
                format!("`{text}` can never hold: nothing is less than zero"),
                "use `<=` or a figure above zero",
            ));
        }
        let whole = matches!(subject, Subject::Sold | Subject::Late | Subject::Failed);
        if whole && operator == Operator::More && limit >= 1.0 {
            return Err(refused(
                format!("`{text}` can never hold: no share is above 100%"),
                "use `>= 100%`",
            ));
        }
        Ok(rule)
    }

    /// The rule as goose spells it, for those goose can judge.
    #[must_use]
    pub fn for_goose(&self) -> Option<String> {
        let Subject::Step { step, metric } = self.subject else {
            return None;
        };
        let (verb, name) = step.label();
        let sign = self.operator.sign();
        let left = match metric {
            Metric::Percentile(percent) => format!("p{percent}"),
            Metric::Max => "max".to_owned(),
            Metric::ErrorRate => {
                return Some(format!(
                    "error-rate{sign}{}% for {verb} {name}",
                    self.limit * 100.0
                ));
            }
        };
        Some(format!("{left}{sign}{}us for {verb} {name}", self.limit))
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
        match (first, second) {
            ("dropped", None) => Ok(Self::Dropped),
            ("late", None) => Ok(Self::Late),
            ("sold", None) => Ok(Self::Sold),
            ("failed", None) => Ok(Self::Failed),
            ("dropped" | "late" | "sold" | "failed", Some(_)) => {
                Err(refused(format!("`{first}` takes no metric"), GRAMMAR))
            }
            (name, metric) => {
                let step = Step::ALL
                    .into_iter()
                    .find(|step| step.name() == name)
                    .ok_or_else(|| {
                        let mut known: Vec<&str> = Step::ALL.iter().map(|s| s.name()).collect();
                        known.extend(["dropped", "late", "sold", "failed"]);
                        refused(
                            format!("threshold on unknown step `{name}`"),
                            suggest(name, &known, "known"),
                        )
                    })?;
                let metric =
                    metric.ok_or_else(|| refused(format!("`{name}` needs a metric such as p95"), GRAMMAR))?;
                Ok(Self::Step {
                    step,
                    metric: Metric::parse(metric)?,
                })
            }
        }
    }

    /// Reads the figure on the right.
    fn limit(self, text: &str) -> Result<f64, Refused> {
        let number = |unit: &str| -> Option<f64> {
            let digits = text.strip_suffix(unit)?.trim();
            let value: f64 = digits.parse().ok()?;
            (value.is_finite() && value >= 0.0).then_some(value)
        };
        let wrong = |shape: &str| refused(format!("expected {shape}, found `{text}`"), GRAMMAR);
        match self {
            Self::Step {
                metric: Metric::ErrorRate,
                ..
            }
            | Self::Late
            | Self::Sold
            | Self::Failed => {
                let percent = number("%").ok_or_else(|| wrong("a share such as `1%`"))?;
                if percent > 100.0 {
                    return Err(wrong("a share from 0% to 100%"));
                }
                Ok(percent / 100.0)
            }
            Self::Step { .. } => number("ms")
                .map(|ms| ms * 1000.0)
                .or_else(|| number("us"))
                .or_else(|| number("s").map(|s| s * 1_000_000.0))
                .ok_or_else(|| wrong("a time such as `100ms`")),
            Self::Dropped => number("").ok_or_else(|| wrong("a count such as `0`")),
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

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A share as a fraction between 0 and 1.
impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.fraction()
    }
}
