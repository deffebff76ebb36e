//! A forecast in the terminal.

use crate::{
    chart::Ink,
    text::{grouped, percent},
};
use std::fmt::Write as _;
use urr_core::simulate::{Forecast, Point};

/// Lines of each chart.
const HEIGHT: usize = 4;
/// Columns of charts; with labels they fit into 80.
const WIDTH: usize = 60;

/// The whole drawing of `forecast`, headed by `title`.
pub(crate) fn draw(title: &str, forecast: &Forecast, ink: Ink) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut out, title, forecast, ink);
    out
}

fn write_all(out: &mut String, title: &str, forecast: &Forecast, ink: Ink) -> std::fmt::Result {
    writeln!(
        out,
        "{title}: {} visitors for {} seats, {} let in a second, at most {} inside (simulated, seed {})",
        grouped(forecast.visitors),
        grouped(forecast.seats),
        grouped(u64::from(forecast.rate_per_s)),
        grouped(u64::from(forecast.cap)),
        forecast.seed
    )?;
    if let Some((least, most)) = forecast.rate_bounds_per_s {
        writeln!(
            out,
            "(the rate follows the services, {} to {} a second; this is what comes of the one it opens with)",
            grouped(u64::from(least)),
            grouped(u64::from(most))
        )?;
    }
    writeln!(out)?;
    figures(out, forecast)?;
    charts(out, forecast, ink)?;
    tenths(out, forecast, ink)?;
    fates(out, forecast)
}

fn figures(out: &mut String, forecast: &Forecast) -> std::fmt::Result {
    let sold_out = forecast.sold_out_ms.map_or_else(
        || {
            format!(
                "never; {} of {} sold",
                grouped(forecast.sold_seats),
                grouped(forecast.seats)
            )
        },
        from_opening,
    );
    writeln!(out, "  sold out        {sold_out}")?;
    if let Some(wait) = forecast.wait {
        writeln!(
            out,
            "  wait            half within {}, nine in ten within {}, longest {}",
            span(wait.p50),
            span(wait.p90),
            span(wait.max)
        )?;
    }
    writeln!(out, "  longest line    {} people", grouped(forecast.peak_waiting))?;
    writeln!(
        out,
        "  most inside     {} ({} % of the cap)",
        grouped(forecast.peak_active),
        percent(forecast.peak_active, u64::from(forecast.cap)).unwrap_or(0)
    )?;
    writeln!(out, "  all over        {}", from_opening(forecast.ended_ms))
}

fn charts(out: &mut String, forecast: &Forecast, ink: Ink) -> std::fmt::Result {
    let points = interesting(forecast);
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Ok(());
    };
    for (name, of) in [
        ("in line", (|point| point.waiting) as fn(&Point) -> u64),
        ("inside", |point| point.active),
        ("sold", |point| point.sold),
    ] {
        let values: Vec<u64> = points.iter().map(of).collect();
        let top = values.iter().copied().max().unwrap_or(0);
        writeln!(out)?;
        for (line, row) in ink.area(&values, WIDTH, HEIGHT).into_iter().enumerate() {
            let label = match line {
                0 => grouped(top),
                1 => name.to_owned(),
                _ => String::new(),
            };
            writeln!(out, "  {label:>14}  {}", row.trim_end())?;
        }
    }
    let width = points.len().min(WIDTH);
    let (from, to) = (from_opening(first.at_ms), from_opening(last.at_ms));
    let gap = width
        .saturating_sub(from.chars().count() + to.chars().count())
        .max(1);
    writeln!(out, "  {:14}  {from}{:gap$}{to}", "", "")
}

/// From the first arrival until little happens any more: the last seat paid or the last admission.
fn interesting(forecast: &Forecast) -> &[Point] {
    let points = &forecast.points;
    let last = points.last();
    let over = last.map_or(0, |last| {
        points.partition_point(|point| {
            point.sold < last.sold || point.admitted < last.admitted || point.arrived < last.arrived
        })
    });
    // A little of what follows shows that it is the end.
    &points[..(over + over / 10 + 1).min(points.len())]
}

fn tenths(out: &mut String, forecast: &Forecast, ink: Ink) -> std::fmt::Result {
    let tenths = &forecast.wait_by_arrival;
    let longest = tenths.iter().map(|tenth| tenth.p95_ms).max().unwrap_or(0);
    if tenths.is_empty() {
        return writeln!(out, "\n  nobody is let in");
    }
    writeln!(
        out,
        "\n  wait of those let in, in ten parts by arrival: median (19 in 20)"
    )?;
    for tenth in tenths {
        writeln!(
            out,
            "  {:>14}  {} {} ({})",
            from_opening(tenth.from_ms),
            ink.bar(tenth.p50_ms, longest, 30),
            span(tenth.p50_ms),
            span(tenth.p95_ms)
        )?;
    }
    Ok(())
}

fn fates(out: &mut String, forecast: &Forecast) -> std::fmt::Result {
    let fates = &forecast.fates;
    writeln!(out)?;
    for (label, count) in [
        ("bought", fates.bought),
        ("looked around", fates.looked),
        ("told sold out", fates.sold_out),
        ("lost patience", fates.gave_up),
        ("lost every race", fates.lost_race),
        ("paid too late", fates.hold_lost),
        ("payment refused", fates.payment_refused),
        ("walked away", fates.abandoned),
        ("slot ran out", fates.timed_out),
        ("left in line", fates.left_in_line),
        ("never in line", fates.elsewhere),
    ] {
        if count > 0 {
            let share = count as f64 * 100.0 / forecast.visitors.max(1) as f64;
            writeln!(out, "  {label:<15} {:>12}  {share:>5.1} %", grouped(count))?;
        }
    }
    Ok(())
}

/// `T+12.3 s`, `T-5 min 10 s`.
pub(crate) fn from_opening(ms: i64) -> String {
    let sign = if ms < 0 { '-' } else { '+' };
    format!("T{sign}{}", span(ms.unsigned_abs()))
}

/// `0.4 s`, `34 s`, `5 min 10 s`.
pub(crate) fn span(ms: u64) -> String {
    crate::text::age(i64::try_from(ms).unwrap_or(i64::MAX))
}
