//! A forecast beside the outcome, as the report tells it. Who forecasts stands elsewhere: the report
//! only sets both side by side, so that the model's error is a published figure.

use serde::{Deserialize, Serialize};

/// What was said beforehand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Foretold {
    /// Figures that both have.
    pub figures: Vec<Figure>,
    /// How near the model promises to be, percent of the outcome.
    pub promised_percent: f64,
    /// Seats sold by the forecast: ms from the opening, and how many by then.
    pub sold: Vec<(i64, u64)>,
    /// People let in by the forecast, the same way.
    pub let_in: Vec<(i64, u64)>,
}

/// One figure of both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// `s` or `seats` or `people`.
    pub unit: String,
    /// As forecast; absent when it was not to happen.
    pub forecast: Option<f64>,
    /// As it was; absent when it did not happen.
    pub outcome: Option<f64>,
    /// The forecast's error in percent of the outcome; absent unless both happened.
    pub error_percent: Option<f64>,
    /// Whether the model keeps its promise here.
    pub within: bool,
}

impl Figure {
    /// `value` with its unit; `never` for what does not happen.
    #[must_use]
    pub fn told(&self, value: Option<f64>) -> String {
        match value {
            None => "never".to_owned(),
            Some(value) if self.unit == "s" => format!("{value:.1} s"),
            Some(1.0) => format!("1 {}", if self.unit == "seats" { "seat" } else { "person" }),
            Some(value) => format!("{value:.0} {}", self.unit),
        }
    }

    /// `+3.2 %`, or in words where one of both did not happen.
    #[must_use]
    pub fn error(&self) -> String {
        match self.error_percent {
            Some(error) => format!("{error:+.1} %"),
            None if self.within => "as expected".to_owned(),
            None => "not as expected".to_owned(),
        }
    }
}
