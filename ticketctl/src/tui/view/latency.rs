//! Latency of each step of the journey, counted from the intended moment, in the journey's order.

use super::{empty, left};
use crate::{
    picture::StepLatency,
    text::{grouped, latency_ms},
    tui::state::App,
};
use ratatui::text::{Line, Span};

const NUMBER: usize = 9;

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
    lines.extend(
        load.latency
            .iter()
            .take(usize::from(height).saturating_sub(1))
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
    let mut spans = vec![
        Span::styled(
            left(app, &label, name),
            if failed && !errors {
                app.theme.bad()
            } else {
                app.theme.dim()
            },
        ),
        Span::raw(format!("{:>NUMBER$}", latency_ms(step.p50_ms))),
        Span::styled(
            format!("{:>NUMBER$}", latency_ms(step.p95_ms)),
            app.theme.strong(),
        ),
        Span::raw(format!("{:>NUMBER$}", latency_ms(step.p99_ms))),
    ];
    if counts {
        spans.push(Span::raw(format!("{:>NUMBER$}", grouped(step.count))));
    }
    if errors {
        let style = if failed { app.theme.bad() } else { app.theme.dim() };
        let sign = if failed { "! " } else { "" };
        let text = format!("{sign}{}", grouped(step.errors));
        spans.push(Span::styled(format!("{text:>NUMBER$}"), style));
    }
    Line::from(spans)
}
