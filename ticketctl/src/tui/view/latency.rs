//! Latency of each step of the journey, counted from the intended moment, beside what is promised
//! of it; below, the heatmap of the selected step.

use super::{data, empty, framed, heat, left, list, slo};
use crate::{
    picture::StepLatency,
    text::{grouped, latency_ms},
    tui::state::App,
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
};
use urr_core::crowd::is_request;

const NUMBER: usize = 9;

/// Rows that pass the filter; `None` is all requests together.
pub(super) fn rows(app: &App) -> Vec<Option<StepLatency>> {
    let Some(load) = &app.shown().load else {
        return Vec::new();
    };
    let all = app.filter.is_empty().then_some(None);
    let steps = load.latency.iter().filter(|step| app.passes(&step.name));
    all.into_iter().chain(steps.cloned().map(Some)).collect()
}

/// The whole view: a table, and a heatmap of its selected row, which opens to the whole.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let rows = rows(app);
    let selected = rows.get(list::cursor(app, rows.len())).cloned().flatten();
    let name = selected.as_ref().map(|step| step.name.clone());
    let title = match &name {
        Some(name) => format!("latency of {name}, over time"),
        None => "latency of all requests, over time".to_owned(),
    };
    let map = move |app: &App, width, height| heat::of(app, name.as_deref(), width, height);
    if app.opened || app.expanded {
        return framed(frame, app, area, &title, true, map);
    }
    let table = u16::try_from(rows.len() + 3)
        .unwrap_or(u16::MAX)
        .clamp(5, (area.height / 2).max(5));
    let [top, bottom] = Layout::vertical([Constraint::Length(table), Constraint::Min(4)]).areas(area);
    framed(frame, app, top, app.view.title(), true, table_lines);
    framed(frame, app, bottom, &title, false, map);
}

fn table_lines(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let rows = rows(app);
    if rows.is_empty() {
        let why = if app.shown().load.is_some() {
            "nothing matches"
        } else {
            "nobody measures the visitors' side here: see the services' dashboards"
        };
        return empty(app, why);
    }
    let name = 20.min(usize::from(width).saturating_sub(5 * NUMBER)).max(8);
    let promises = usize::from(width) >= name + 5 * NUMBER + 44;
    let mut head = format!(
        "{}{:>NUMBER$}{:>NUMBER$}{:>NUMBER$}{:>NUMBER$}{:>NUMBER$}",
        left(app, "", name),
        "p50",
        "p95",
        "p99",
        "requests",
        "errors"
    );
    if promises {
        head.push_str(&format!("{:>11}{:>10}{:>12}", "promise", "burn 1min", "budget"));
    }
    let mut lines = vec![Line::styled(head, app.theme.dim())];
    let rows = rows.iter().map(|row| match row {
        None => all(app, name),
        Some(step) => row_of(app, step, name, promises),
    });
    lines.extend(list::lines(
        app,
        rows.collect(),
        width,
        usize::from(height).saturating_sub(1),
    ));
    lines
}

/// Percentiles of different steps do not add up; counts do.
fn all(app: &App, name: usize) -> Line<'static> {
    let steps = app.shown().load.iter().flat_map(|load| &load.latency);
    let requests = steps.filter(|step| is_request(&step.name));
    let (count, errors) = requests.fold((0, 0), |(n, e), step| (n + step.count, e + step.errors));
    Line::from(vec![
        Span::raw(left(app, "all requests", name + 3 * NUMBER)),
        Span::styled(
            format!("{:>NUMBER$}{:>NUMBER$}", grouped(count), grouped(errors)),
            data(app),
        ),
    ])
}

fn row_of(app: &App, step: &StepLatency, name: usize, promises: bool) -> Line<'static> {
    let mut row = line(app, step, name, true, true);
    let burn = app.burns.iter().find(|burn| burn.slo.step == step.name);
    if let Some(burn) = burn.filter(|_| promises) {
        let (sign, word, style) = slo::grade(app, burn);
        let promise = format!("< {}", slo::bound(burn.slo.bound_ms));
        row.push_span(Span::styled(format!("{promise:>11}"), app.theme.dim()));
        row.push_span(Span::styled(format!("{:>10}", slo::burnt(burn)), style));
        row.push_span(Span::styled(format!("{:>12}  ", slo::left_of(burn)), data(app)));
        row.push_span(Span::styled(format!("{sign} {word}"), style));
    }
    row
}

/// The table without a cursor, for small screens.
pub(super) fn lines(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let Some(load) = app.shown().load.as_ref().filter(|l| !l.latency.is_empty()) else {
        return empty(app, "no request has been answered yet");
    };
    let width = usize::from(width);
    // Errors matter more than the count, percentiles more than both.
    let (counts, errors) = (width >= 58, width >= 46);
    let columns = 3 + usize::from(counts) + usize::from(errors);
    let name = width.saturating_sub(columns * NUMBER).min(24);
    let mut head = format!(
        "{}{:>NUMBER$}{:>NUMBER$}{:>NUMBER$}",
        left(app, "", name),
        "p50",
        "p95",
        "p99"
    );
    if counts {
        head.push_str(&format!("{:>NUMBER$}", "requests"));
    }
    if errors {
        head.push_str(&format!("{:>NUMBER$}", "errors"));
    }
    let mut lines = vec![Line::styled(head, app.theme.dim())];
    let room = usize::from(height).saturating_sub(1);
    lines.extend(
        load.latency
            .iter()
            .take(room)
            .map(|step| line(app, step, name, counts, errors)),
    );
    lines
}

fn line(app: &App, step: &StepLatency, name: usize, counts: bool, errors: bool) -> Line<'static> {
    let failed = step.errors > 0;
    let mut label = step.name.clone();
    if failed && !errors {
        label.insert_str(0, "! ");
    }
    let style = if failed && !errors {
        app.theme.bad()
    } else {
        app.theme.dim()
    };
    let mut spans = vec![
        Span::styled(left(app, &label, name), style),
        Span::styled(format!("{:>NUMBER$}", latency_ms(step.p50_ms)), data(app)),
        Span::styled(
            format!("{:>NUMBER$}", latency_ms(step.p95_ms)),
            data(app).patch(app.theme.strong()),
        ),
        Span::styled(format!("{:>NUMBER$}", latency_ms(step.p99_ms)), data(app)),
    ];
    if counts {
        spans.push(Span::styled(
            format!("{:>NUMBER$}", grouped(step.count)),
            data(app),
        ));
    }
    if errors {
        let style = if failed { app.theme.bad() } else { app.theme.dim() };
        let sign = if failed { "! " } else { "" };
        let text = format!("{sign}{}", grouped(step.errors));
        spans.push(Span::styled(format!("{text:>NUMBER$}"), style));
    }
    Line::from(spans)
}
