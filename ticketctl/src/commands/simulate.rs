//! `ticketctl simulate`: the opening in numbers only, drawn.

use super::{Done, document, show};
use crate::{
    chart::Ink,
    exit::Exit,
    failure::Failure,
    forecast::{self, draw},
    output::Format,
    source::{self, Source},
};
use serde_json::{Value, json};
use std::path::PathBuf;
use urr_core::simulate::{Forecast, Opening, Usual, simulate};

/// What to simulate.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ticketctl simulate scenarios/arena.yaml
  ticketctl simulate sale.yaml --think 20s --group 4
  ticketctl simulate scenarios/arena.yaml -o jsonpath='{.forecast.soldOutMs}'")]
pub(crate) struct Args {
    /// A scenario, or a TicketSale.
    pub(crate) file: PathBuf,
    /// Another seed than the scenario's; the same seed gives the same opening.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) assumed: Assumed,
    /// table, wide, json, yaml or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// How a crowd behaves that nobody has described: of a TicketSale only.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Assumptions for a TicketSale")]
pub(crate) struct Assumed {
    /// Share that is there before the opening, in percent.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) early: Option<u8>,
    /// How long the rush after the opening lasts.
    #[arg(long, value_name = "TIME", value_parser = crate::cli::duration)]
    pub(crate) rush: Option<std::time::Duration>,
    /// Mean time between two steps inside.
    #[arg(long, value_name = "TIME", value_parser = crate::cli::duration)]
    pub(crate) think: Option<std::time::Duration>,
    /// Seats each buyer takes.
    #[arg(long, value_name = "SEATS", value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) group: Option<u8>,
}

impl Assumed {
    /// A worst second that the sale expects tells how long the rush lasts, unless somebody says.
    fn usual(&self, expected_visitors: u64, peak_per_s: Option<u32>) -> Usual {
        let default = Usual::default();
        let ms = |time: std::time::Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let early = self
            .early
            .map_or(default.early, |percent| f64::from(percent) / 100.0);
        let by_peak = || {
            let peak_per_s = peak_per_s.filter(|peak| *peak > 0)?;
            Some(Usual::rush_with_peak(
                expected_visitors as f64 * (1.0 - early),
                peak_per_s,
            ))
        };
        let rush = self.rush.map(|time| i64::from(ms(time)));
        Usual {
            early,
            rush_ms: rush.or_else(by_peak).unwrap_or(default.rush_ms),
            think_ms: self.think.map_or(default.think_ms, ms),
            group: self.group.unwrap_or(default.group),
            abandons: default.abandons,
        }
    }
}

/// Simulates and draws.
pub(crate) fn run(args: &Args) -> Done {
    let mut forecasts = Vec::new();
    for (title, opening) in openings(&args.file, args.seed, &args.assumed)? {
        forecasts.push((title, simulate(&opening)));
    }
    let json = |(title, forecast): &(String, Forecast)| -> Result<Value, Failure> {
        Ok(json!({
            "apiVersion": "urr.io/forecast/v1",
            "kind": "Forecast",
            "title": title,
            "forecast": document(forecast)?,
        }))
    };
    let all = match forecasts.as_slice() {
        [alone] => json(alone)?,
        several => json!({
            "apiVersion": "urr.io/forecast/v1",
            "kind": "ForecastList",
            "items": several.iter().map(json).collect::<Result<Vec<_>, _>>()?,
        }),
    };
    show(&args.output, &all, || {
        let drawn = forecasts
            .iter()
            .map(|(title, forecast)| draw(title, forecast, Ink::of_locale()));
        drawn.collect::<Vec<_>>().join("\n")
    })?;
    Ok(Exit::Ok)
}

/// The opening that `file` describes, and its name; the first, where it describes several.
pub(crate) fn opening(
    file: &std::path::Path,
    seed: Option<u64>,
    assumed: &Assumed,
) -> Result<(String, Opening), Failure> {
    let mut openings = openings(file, seed, assumed)?;
    Ok(openings.remove(0))
}

/// Every opening that `file` describes, with its name; never none.
fn openings(
    file: &std::path::Path,
    seed: Option<u64>,
    assumed: &Assumed,
) -> Result<Vec<(String, Opening)>, Failure> {
    let mut openings = match source::read(file)? {
        Source::Scenario(scenario) => scenario
            .each()
            .iter()
            .map(|one| {
                let sale = one.sale(uuid::Uuid::nil(), urr_core::time::Millis(0));
                (one.title.clone(), forecast::of_scenario(one, sale))
            })
            .collect(),
        Source::Sale(sale, peak_per_s) => {
            let usual = assumed.usual(sale.expected_visitors, peak_per_s);
            vec![(sale.name.clone(), Opening::usual(*sale, usual, 1))]
        }
    };
    if let Some(seed) = seed {
        openings.iter_mut().for_each(|(_, opening)| opening.seed = seed);
    }
    let visitors = openings
        .iter()
        .map(|(_, opening)| opening.sale.expected_visitors)
        .sum();
    if visitors > MOST_VISITORS {
        return Err(Failure::bad_input(format!(
            "{} visitors are more than are simulated one by one",
            crate::text::grouped(visitors)
        ))
        .remedy(format!(
            "simulate at most {}",
            crate::text::grouped(MOST_VISITORS)
        )));
    }
    Ok(openings)
}

/// Half a gigabyte of visitors.
const MOST_VISITORS: u64 = 20_000_000;
