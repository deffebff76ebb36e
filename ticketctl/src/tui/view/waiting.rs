//! The waiting room in full: how many wait over time, who comes and goes, where it leads, and the
//! settings that decide it.

use super::{chart, cut, empty, framed, room};
use crate::{
    text::grouped,
    tui::{
        command::scale_name,
        history::{SCALES_S, Second},
        state::App,
    },
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
};

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let rows = [Constraint::Length(10), Constraint::Min(5)];
    let [top, bottom] = Layout::vertical(rows).areas(area);
    framed(frame, app, top, app.view.title(), false, figures);
    let title = format!(
        "waiting, {} per column",
        scale_name(SCALES_S[app.scale.min(SCALES_S.len() - 1)])
    );
    let flows = area.height >= 26 && area.width >= 80;
    if !flows {
        return framed(frame, app, bottom, &title, true, line);
    }
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(bottom);
    framed(frame, app, left, &title, true, line);
    let [above, below] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(right);
    for (area, title, of) in [
        (
            above,
            "joined a second",
            (|second| second.joined) as fn(&Second) -> u64,
        ),
        (below, "let in a second", |second| second.let_in),
    ] {
        framed(frame, app, area, title, false, |app, width, height| {
            curve(app, &app.history.per_s(app.scale, of), width, height)
        });
    }
}

fn figures(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let Some(snapshot) = &app.shown().snapshot else {
        return empty(app, "the control plane has not spoken yet");
    };
    let mut lines = vec![
        room::waiting(app, snapshot),
        room::inside(app, snapshot, width),
        room::rate(app, snapshot),
    ];
    lines.extend(room::lean(app, snapshot, width));
    lines.extend(room::served(app, snapshot, width));
    lines.extend(room::forecast(app, snapshot, width));
    if let Some(clock) = skew(app) {
        lines.push(clock);
    }
    lines.truncate(usize::from(height));
    for line in &mut lines {
        cut(line, usize::from(width), app.theme.ellipsis());
    }
    lines
}

/// Clocks that differ by more than a second make every countdown elsewhere wrong.
fn skew(app: &App) -> Option<Line<'static>> {
    let ms = app.skew_ms();
    (ms.abs() > 1_000).then(|| {
        Line::styled(
            format!(
                "! this machine's clock differs from the control plane's by {} ms",
                -ms
            ),
            app.theme.warn(),
        )
    })
}

/// The curve of people waiting, for mission control.
pub(super) fn line(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    curve(app, &app.history.waiting(app.scale), width, height)
}

fn curve(app: &App, values: &[u64], width: u16, height: u16) -> Vec<Line<'static>> {
    if values.is_empty() {
        return empty(app, "nothing was measured yet");
    }
    let columns = usize::from(width).saturating_sub(10).max(1);
    let shown = &values[values.len().saturating_sub(columns)..];
    let top = shown.iter().copied().max().unwrap_or(0);
    let chart = chart::lines(app, values, columns, usize::from(height), top);
    let last = chart.len().saturating_sub(1);
    chart
        .into_iter()
        .enumerate()
        .map(|(row, line)| {
            let label = match row {
                0 => grouped(top),
                row if row == last => "0".to_owned(),
                _ => String::new(),
            };
            let mut spans = vec![Span::styled(format!("{label:>9} "), app.theme.dim())];
            spans.extend(line.spans);
            Line::from(spans)
        })
        .collect()
}
