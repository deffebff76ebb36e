//! Thresholds: sentences such as `join p95 < 100ms`, `sold >= 100%` or `dropped <= 0`.
//!
//! Latency and error rules of a step are handed to goose, which judges them from its own metrics;
//! the rest is judged by `crate::thresholds`. A rule that can never pass, or that names a step
//! nobody measures, is refused when the file is read, not after a run of five minutes.

mod parse;

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
    /// Share of visitors who left the line because of how long it was.
    GaveUp,
    /// Pairs of visitors of whom the later stands ahead, beyond the commit window.
    Inversions,
    /// Agreement of arrival and place where people stand in order of arrival (Kendall's tau).
    Tau,
    /// The same, without its sign, where places are drawn.
    DrawTau,
    /// Contradictions between a draw and what was published before it.
    DrawViolations,
    /// Scripts' share of the seats over their share of the crowd.
    BotAdvantage,
    /// How long a tenth of the crowd waited, in order of arrival.
    Decile {
        /// From 1, who came first, to 10.
        nth: u8,
        /// Which figure; not the error rate.
        metric: Metric,
    },
    /// How often an adaptive rate moved. Visitors do not see it: who keeps pictures of the sale judges it.
    RateSteps {
        /// Which moves count.
        way: Way,
    },
}

/// Which moves of an adaptive rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// More were let in.
    Up,
    /// Fewer were.
    Down,
    /// Both.
    Either,
}

/// How a figure is written and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `100ms`; kept in microseconds.
    Time,
    /// `1%`; kept as a fraction, never above 1.
    Share,
    /// `0`: a whole number.
    Count,
    /// `0.95`.
    Number,
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

impl Subject {
    const fn kind(self) -> Kind {
        match self {
            Self::Step {
                metric: Metric::ErrorRate,
                ..
            }
            | Self::Late
            | Self::Sold
            | Self::Failed
            | Self::GaveUp => Kind::Share,
            Self::Step { .. } | Self::Decile { .. } => Kind::Time,
            Self::Dropped | Self::Inversions | Self::DrawViolations | Self::RateSteps { .. } => Kind::Count,
            Self::Tau | Self::DrawTau | Self::BotAdvantage => Kind::Number,
        }
    }
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

impl Rule {
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
