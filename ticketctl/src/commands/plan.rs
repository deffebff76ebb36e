//! `ticketctl plan`: the day of a sale before the day: what happens when, how many replicas stand
//! ready, how long people will wait.

use super::{Done, show, simulate};
use crate::{
    exit::Exit,
    forecast::{from_opening, span},
    output::{Cell, Format, Table},
    text::{grouped, instant},
};
use serde::Serialize;
use std::path::PathBuf;
use urr_core::{
    plan::{Observed, WARM_UP_S, plan},
    sale::{Phase, Sale},
    simulate::{Forecast, Opening},
    time::Millis,
};

/// What to plan.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A TicketSale, or a scenario.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) assumed: simulate::Assumed,
    /// table, wide, json, yaml or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// A sale's day.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Day {
    api_version: &'static str,
    kind: &'static str,
    name: String,
    timeline: Vec<Moment>,
    expected: Forecast,
}

/// An instant at which something changes by itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Moment {
    at: Millis,
    from_opening_ms: i64,
    what: String,
    phase: Phase,
    /// Of every service behind the door.
    replicas: u32,
    rate_per_s: u32,
    cap: u32,
}

/// Plans and prints.
pub(crate) fn run(args: &Args) -> Done {
    let (name, opening) = simulate::opening(&args.file, None, &args.assumed)?;
    let expected = urr_core::simulate::simulate(&opening);
    let day = Day {
        api_version: "urr.io/plan/v1",
        kind: "Plan",
        timeline: timeline(&opening, &expected),
        name,
        expected,
    };
    show(&args.output, &super::document(&day)?, || draw(&day, &opening))?;
    Ok(Exit::Ok)
}

fn timeline(opening: &Opening, expected: &Forecast) -> Vec<Moment> {
    let sale = &opening.sale;
    let schedule = &sale.schedule;
    let mut moments = vec![
        (
            schedule.pre_queue_at.plus_s(-WARM_UP_S),
            "replicas come up",
            false,
        ),
        (schedule.pre_queue_at, "the waiting room opens", false),
        (schedule.opens_at, "the line moves", false),
        (schedule.closes_at, "the sale ends", false),
    ];
    if let Some(ms) = expected.sold_out_ms {
        moments.push((schedule.opens_at.plus_ms(ms), "sold out, as expected", true));
    }
    moments.sort_by_key(|(at, ..)| *at);
    let mut sold_out = false;
    moments
        .into_iter()
        .map(|(at, what, is_sold_out)| {
            sold_out |= is_sold_out;
            moment(opening, at, what, sold_out)
        })
        .collect()
}

fn moment(opening: &Opening, at: Millis, what: &str, sold_out: bool) -> Moment {
    let sale: &Sale = &opening.sale;
    let observed = Observed {
        ready_replicas: opening.ready_replicas,
        sold_out,
        ..Observed::default()
    };
    let planned = plan(sale, &observed, at);
    let moves = matches!(planned.phase, Phase::Open);
    Moment {
        at,
        from_opening_ms: at.since(sale.schedule.opens_at),
        what: what.to_owned(),
        phase: planned.phase,
        replicas: planned.replicas,
        rate_per_s: if moves { planned.limits.rate_per_s } else { 0 },
        cap: planned.limits.cap,
    }
}

fn draw(day: &Day, opening: &Opening) -> String {
    let expected = &day.expected;
    let sale = &opening.sale;
    let mut table = Table::new(&["WHEN", "", "WHAT", "REPLICAS", "RATE", "CAP"], &["PHASE"]);
    for moment in &day.timeline {
        table.row(vec![
            instant(moment.at).into(),
            from_opening(moment.from_opening_ms).into(),
            moment.what.clone().into(),
            moment.replicas.into(),
            Cell::Number(format!("{}/s", grouped(u64::from(moment.rate_per_s)))),
            moment.cap.into(),
            crate::plain::word(moment.phase).into(),
        ]);
    }
    let wait = expected.wait.map_or_else(
        || "nobody is let in".to_owned(),
        |wait| {
            format!(
                "half within {}, nine in ten within {}",
                span(wait.p50),
                span(wait.p90)
            )
        },
    );
    let sold_out = expected.sold_out_ms.map_or_else(
        || {
            format!(
                "never: {} of {} seats",
                grouped(expected.sold_seats),
                grouped(expected.seats)
            )
        },
        from_opening,
    );
    let bears = sale
        .capacity
        .replicas
        .saturating_mul(sale.capacity.rate_per_replica);
    format!(
        "{}: {} people expected for {} seats\n\n{}\nexpected\n  sold out       {sold_out}\n  wait           {wait}\n  longest line   {}\n  most inside    {} of {}\n  headroom       {}/s of {}/s that {} replicas bear\n",
        day.name,
        grouped(expected.visitors),
        grouped(expected.seats),
        table.render(true, true),
        grouped(expected.peak_waiting),
        grouped(expected.peak_active),
        grouped(u64::from(expected.cap)),
        grouped(u64::from(bears.saturating_sub(expected.rate_per_s))),
        grouped(u64::from(bears)),
        sale.capacity.replicas,
    )
}
