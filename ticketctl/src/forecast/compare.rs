//! Forecast against outcome: the model's error is a published figure.

use super::of_scenario;
use serde::{Deserialize, Serialize};
use std::{io, path::Path};
use urr_core::{
    sale::Sale,
    simulate::{Forecast, Point, simulate},
    snapshot::Snapshot,
};
use urr_loadgen::{
    LoadResult, Scenario,
    report::foretold::{Figure, Foretold},
};

/// The file beside the report.
pub(crate) const FILE: &str = "forecast.json";
const API_VERSION: &str = "urr.io/forecast/v1";
/// The forecast is the middle of so many throws of the dice: the last seat is a matter of who
/// happens to hold it.
const DICE: usize = 9;
/// The model promises to be this near.
const PROMISED_PERCENT: f64 = 15.0;

/// A forecast beside what happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Comparison {
    /// `urr.io/forecast/v1`.
    pub(crate) api_version: String,
    /// The figures both have.
    pub(crate) figures: Vec<Figure>,
    /// The whole forecast.
    pub(crate) forecast: Forecast,
}

/// Simulates what was run and sets both side by side.
pub(crate) fn forecast_vs_outcome(
    scenario: &Scenario,
    sale: &Sale,
    load: &LoadResult,
    snapshots: &[Snapshot],
) -> Comparison {
    let mut opening = of_scenario(scenario, sale.clone());
    let mut forecasts = Vec::with_capacity(DICE);
    for throw in 0..DICE as u64 {
        // The same people at the same instants; only what they decide is thrown anew.
        opening.seed = scenario.seed.wrapping_add(throw);
        forecasts.push(simulate(&opening));
    }
    let figures = figures(&forecasts, sale, load, snapshots);
    let forecast = forecasts.swap_remove(0);
    Comparison {
        api_version: API_VERSION.to_owned(),
        figures,
        forecast,
    }
}

fn figures(forecasts: &[Forecast], sale: &Sale, load: &LoadResult, snapshots: &[Snapshot]) -> Vec<Figure> {
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let middle = |of: &dyn Fn(&Forecast) -> Option<f64>| middle(forecasts.iter().map(of).collect());
    vec![
        figure(
            "99 % sold after",
            "s",
            middle(&|forecast| nearly_sold_out_ms(forecast).map(seconds)),
            bought_ms(sale, load, nearly_all(load.seats)).map(seconds),
        ),
        figure(
            "sold out after",
            "s",
            middle(&|forecast| forecast.sold_out_ms.map(seconds)),
            sold_out_ms(sale, load, snapshots).map(seconds),
        ),
        figure(
            "median wait",
            "s",
            middle(&|forecast| forecast.wait.map(|wait| wait.p50 as f64 / 1000.0)),
            median_wait_ms(load).map(|ms| ms as f64 / 1000.0),
        ),
        figure(
            "seats sold",
            "seats",
            middle(&|forecast| Some(forecast.sold_seats as f64)),
            Some(load.funnel.sold as f64),
        ),
        figure(
            "people let in",
            "people",
            middle(&|forecast| forecast.points.last().map(|point| point.admitted as f64)),
            Some(load.funnel.admitted as f64),
        ),
    ]
}

/// The middle one; what does not happen comes after everything that does.
fn middle(mut values: Vec<Option<f64>>) -> Option<f64> {
    values.sort_by(|a, b| {
        let never = |value: &Option<f64>| value.unwrap_or(f64::INFINITY);
        never(a).total_cmp(&never(b))
    });
    values.get(values.len() / 2).copied().flatten()
}

/// All but one in a hundred: the very last seats come and go with single people's holds.
const fn nearly_all(seats: u64) -> u64 {
    (seats * 99).div_ceil(100)
}

fn nearly_sold_out_ms(forecast: &Forecast) -> Option<i64> {
    let enough = nearly_all(forecast.seats);
    let point = forecast.points.iter().find(|point| point.sold >= enough);
    point.map(|point| point.at_ms)
}

/// From the opening until so many seats were bought, as buyers saw it.
fn bought_ms(sale: &Sale, load: &LoadResult, seats: u64) -> Option<i64> {
    let purchases = &load.observations.purchases;
    let mut bought: Vec<_> = purchases.iter().map(|p| (p.at, p.seats.len() as u64)).collect();
    bought.sort_unstable();
    let mut sum = 0;
    let at = bought.into_iter().find(|(_, seats_bought)| {
        sum += seats_bought;
        sum >= seats
    });
    at.map(|(at, _)| at.since(sale.schedule.opens_at))
}

/// Both figures, and how far off the forecast is.
fn figure(name: &str, unit: &str, forecast: Option<f64>, outcome: Option<f64>) -> Figure {
    let error_percent = match (forecast, outcome) {
        (Some(forecast), Some(outcome)) if outcome != 0.0 => Some((forecast - outcome) / outcome * 100.0),
        (Some(0.0), Some(0.0)) => Some(0.0),
        _ => None,
    };
    let within = match error_percent {
        Some(error) => error.abs() <= PROMISED_PERCENT,
        // What was not expected and did not happen was forecast well.
        None => forecast.is_none() && outcome.is_none(),
    };
    Figure {
        name: name.to_owned(),
        unit: unit.to_owned(),
        forecast,
        outcome,
        error_percent,
        within,
    }
}

impl Comparison {
    /// A line for each figure, for the summary.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.figures.iter().map(line).collect()
    }

    /// The same for the report.
    pub(crate) fn foretold(&self) -> Foretold {
        let curve = |of: fn(&Point) -> u64| {
            let points = self.forecast.points.iter();
            points.map(|point| (point.at_ms, of(point))).collect()
        };
        Foretold {
            figures: self.figures.clone(),
            promised_percent: PROMISED_PERCENT,
            sold: curve(|point| point.sold),
            let_in: curve(|point| point.admitted),
        }
    }

    /// Writes it beside the report.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        std::fs::write(dir.join(FILE), text)
    }
}

/// One figure of both, for the summary.
pub(crate) fn line(figure: &Figure) -> String {
    let verdict = if figure.within {
        String::new()
    } else {
        format!("  beyond {PROMISED_PERCENT:.0} %")
    };
    format!(
        "{:<16} forecast {:>14}, outcome {:>14}: {}{verdict}",
        figure.name,
        figure.told(figure.forecast),
        figure.told(figure.outcome),
        figure.error()
    )
}

/// From the opening to the last seat paid for, as buyers saw it, or as snapshots did.
fn sold_out_ms(sale: &Sale, load: &LoadResult, snapshots: &[Snapshot]) -> Option<i64> {
    if load.funnel.sold < load.seats {
        return None;
    }
    let bought = bought_ms(sale, load, load.seats);
    let seen = || {
        let full = |snapshot: &&Snapshot| {
            let seats = snapshot.seats.as_ref();
            seats.is_some_and(|seats| seats.sold >= seats.capacity)
        };
        snapshots.iter().find(full).map(|snapshot| snapshot.at)
    };
    bought.or_else(|| Some(seen()?.since(sale.schedule.opens_at)))
}

fn median_wait_ms(load: &LoadResult) -> Option<u64> {
    let mut waits: Vec<u32> = load
        .observations
        .waits
        .iter()
        .map(|wait| wait.waited_ms)
        .collect();
    if waits.is_empty() {
        return None;
    }
    let middle = (waits.len() - 1) / 2;
    let (_, median, _) = waits.select_nth_unstable(middle);
    Some(u64::from(*median))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_some_that_never_happen_may_be_never() {
        assert_eq!(middle(vec![Some(3.0), None, Some(1.0)]), Some(3.0));
        assert_eq!(middle(vec![None, None, Some(1.0)]), None);
        assert_eq!(nearly_all(1000), 990);
        assert_eq!(nearly_all(60), 60);
    }

    #[test]
    fn the_error_is_a_share_of_what_happened() {
        let sold_out = figure("sold out after", "s", Some(11.0), Some(10.0));
        assert!(sold_out.within && (sold_out.error_percent.unwrap() - 10.0).abs() < 1e-9);
        assert!(!figure("x", "s", Some(12.0), Some(10.0)).within);
        assert!(figure("x", "s", None, None).within);
        assert!(!figure("x", "s", Some(12.0), None).within);
        assert_eq!(
            line(&figure("median wait", "s", Some(5.5), Some(5.0))),
            "median wait      forecast          5.5 s, outcome          5.0 s: +10.0 %"
        );
    }
}
