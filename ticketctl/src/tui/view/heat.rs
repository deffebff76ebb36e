//! Latency over time: a column for a stretch of time, a row for a range of latencies, darker where
//! more requests fell. What is beyond the step's promise is painted as a warning.

use super::empty;
use crate::{
    text::grouped,
    tui::{
        command::scale_name,
        history::{Heat, SCALES_S},
        state::App,
    },
};
use ratatui::text::{Line, Span};
use urr_core::{
    crowd::{BOUNDS_MS, BUCKETS},
    slo::Slo,
};

const LABEL: usize = 9;

/// All requests together, for mission control.
pub(super) fn lines(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    of(app, None, width, height)
}

/// One step's requests, or all.
pub(super) fn of(app: &App, step: Option<&str>, width: u16, height: u16) -> Vec<Line<'static>> {
    if app.shown().load.is_none() {
        return empty(app, "nobody measures the visitors' side here");
    }
    let columns = app.history.heat(app.scale, step);
    let room = usize::from(width).saturating_sub(LABEL + 1);
    let shown = &columns[columns.len().saturating_sub(room)..];
    let Some((low, high)) = used(shown) else {
        return empty(app, "no request has been answered yet");
    };
    let rows = usize::from(height).saturating_sub(1).max(1);
    let bound_ms = step.and_then(Slo::of).map(|slo| slo.bound_ms);
    let failed: u64 = shown.iter().map(|column| u64::from(column.failed)).sum();
    let mut lines = Vec::new();
    // The slowest on top; where there are fewer lines than ranges, neighbours share one.
    let ranges = ranges(low, high, rows.saturating_sub(usize::from(failed > 0)).max(1));
    if failed > 0 {
        lines.push(failures(app, shown, room));
    }
    for (from, to) in ranges.into_iter().rev() {
        let beyond = bound_ms.is_some_and(|bound| from > 0 && BOUNDS_MS[from - 1] >= bound);
        let style = if beyond { app.theme.warn() } else { app.theme.bar() };
        let mut text = " ".repeat(room.saturating_sub(shown.len()));
        for column in shown {
            let part: u64 = (from..=to).map(|bucket| column.count(bucket)).sum();
            text.push_str(app.theme.heat(part, column.answered()));
        }
        let sign = if beyond { "!" } else { " " };
        lines.push(Line::from(vec![
            Span::styled(format!("{:>LABEL$}", bound(to)), app.theme.dim()),
            Span::styled(sign, app.theme.warn()),
            Span::styled(text, style),
        ]));
    }
    lines.push(foot(app, bound_ms, shown));
    lines
}

fn foot(app: &App, bound_ms: Option<u32>, shown: &[Heat]) -> Line<'static> {
    let total: u64 = shown.iter().map(Heat::answered).sum();
    let promise = bound_ms
        .map(|ms| format!(", ! is beyond {}", super::slo::bound(ms)))
        .unwrap_or_default();
    let (few, many) = (app.theme.glyph("░", "."), app.theme.glyph("█", "#"));
    Line::styled(
        format!(
            "{:>LABEL$} {} per column, {} requests, {few} few {many} most{promise}",
            "",
            scale_name(SCALES_S[app.scale.min(SCALES_S.len() - 1)]),
            grouped(total),
        ),
        app.theme.dim(),
    )
}

fn failures(app: &App, shown: &[Heat], room: usize) -> Line<'static> {
    let mut text = " ".repeat(room.saturating_sub(shown.len()));
    for column in shown {
        text.push_str(match column.failed {
            0 => " ",
            _ => app.theme.glyph("✘", "x"),
        });
    }
    Line::from(vec![
        Span::styled(format!("{:>LABEL$}!", "failed"), app.theme.bad()),
        Span::styled(text, app.theme.bad()),
    ])
}

/// The fastest and the slowest range in which anything fell.
fn used(columns: &[Heat]) -> Option<(usize, usize)> {
    let mut ranges = (0..BUCKETS).filter(|bucket| columns.iter().any(|column| column.count(*bucket) > 0));
    let low = ranges.next()?;
    Some((low, ranges.next_back().unwrap_or(low)))
}

/// `low..=high` in at most `rows` groups of neighbours, as even as can be.
fn ranges(low: usize, high: usize, rows: usize) -> Vec<(usize, usize)> {
    let n = high - low + 1;
    let rows = rows.clamp(1, n);
    (0..rows)
        .map(|row| (low + row * n / rows, low + (row + 1) * n / rows - 1))
        .collect()
}

/// The upper bound of a range.
fn bound(bucket: usize) -> String {
    match BOUNDS_MS.get(bucket) {
        Some(ms @ 0..1_000) => format!("{ms} ms"),
        Some(ms) => format!("{} s", ms / 1_000),
        None => "slower".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn ranges_cover_everything_once() {
        for (low, high, rows) in [(0, 15, 16), (0, 15, 4), (3, 3, 9), (2, 11, 3)] {
            let ranges = ranges(low, high, rows);
            assert_eq!((ranges[0].0, ranges[ranges.len() - 1].1), (low, high));
            assert!(
                ranges.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0),
                "{ranges:?}"
            );
            assert!(ranges.len() <= rows);
        }
    }
}
