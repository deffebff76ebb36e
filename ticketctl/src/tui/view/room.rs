//! The waiting room: how many wait, how fast they come and go, what is set and what is applied.

use super::{data, empty};
use crate::{
    text::{duration_s, fit, grouped},
    tui::{state::App, steer},
};
use ratatui::text::{Line, Span};
use urr_core::snapshot::Snapshot;

const LABEL: usize = 9;

pub(super) fn lines(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let Some(snapshot) = &app.shown().snapshot else {
        return empty(app, "the control plane has not spoken yet");
    };
    let mut lines = vec![
        waiting(app, snapshot),
        inside(app, snapshot, width),
        rate(app, snapshot),
    ];
    lines.extend(sparks(app, width));
    if let Some(room) = &snapshot.room
        && height > 6
    {
        lines.push(labelled(
            app,
            "served",
            vec![Span::styled(
                format!(
                    "{} of {}, epoch {}",
                    grouped(room.serving),
                    grouped(room.issued),
                    room.epoch
                ),
                data(app),
            )],
        ));
    }
    for line in &mut lines {
        cut(line, usize::from(width), app.theme.ellipsis());
    }
    lines
}

pub(super) fn waiting(app: &App, snapshot: &Snapshot) -> Line<'static> {
    let waiting = steer::waiting(snapshot);
    let eta = eta(snapshot, waiting);
    labelled(
        app,
        "waiting",
        vec![
            Span::styled(
                format!("{:>8}", grouped(waiting)),
                data(app).patch(app.theme.strong()),
            ),
            Span::styled(eta, data(app)),
        ],
    )
}

/// When the last in line comes in, as far as anybody can know. Behind a full cap nobody can: it
/// depends on how soon those inside leave.
fn eta(snapshot: &Snapshot, waiting: u64) -> String {
    if waiting == 0 {
        return String::new();
    }
    let queue = snapshot.queue.as_ref();
    let full = queue.is_some_and(|q| q.waiting > 0 && q.active >= u64::from(q.cap));
    let standing =
        queue.is_some_and(|q| q.paused) || snapshot.room.as_ref().is_some_and(|r| r.drain_s.is_none());
    match steer::set_rate(snapshot) {
        _ if standing => "   the line stands".to_owned(),
        _ if full => "   as slots come back".to_owned(),
        Some(rate) if rate > 0 => {
            format!("   last in {}", duration_s(waiting.div_ceil(u64::from(rate))))
        }
        _ => String::new(),
    }
}

pub(super) fn inside(app: &App, snapshot: &Snapshot, width: u16) -> Line<'static> {
    let Some(queue) = &snapshot.queue else {
        return labelled(
            app,
            "inside",
            vec![Span::styled(
                "not known: the queue does not answer",
                app.theme.warn(),
            )],
        );
    };
    let cap = u64::from(queue.cap);
    let text = format!("{:>8} of {}", grouped(queue.active), grouped(cap));
    let used = LABEL + text.chars().count() + 3;
    let bar = width.saturating_sub(u16::try_from(used).unwrap_or(u16::MAX));
    let style = if queue.active > cap {
        app.theme.bad()
    } else {
        data(app)
    };
    labelled(
        app,
        "inside",
        vec![
            Span::styled(text, style),
            Span::raw("  "),
            Span::styled(app.theme.bar_text(queue.active, cap, bar), app.theme.bar()),
        ],
    )
}

pub(super) fn rate(app: &App, snapshot: &Snapshot) -> Line<'static> {
    let per_s = |n: u32| format!("{}/s", grouped(u64::from(n)));
    let set = snapshot.queue.as_ref().map(|q| (q.rate_per_s, q.paused));
    let applied = snapshot.room.as_ref().map(|r| r.rate_per_s);
    let mut spans = vec![Span::styled(
        match set {
            Some((rate, _)) => format!("{:>8} set", per_s(rate)),
            None => format!("{:>8} set", "?"),
        },
        data(app),
    )];
    match (set, applied) {
        (Some((_, true)), _) => {
            spans.push(Span::raw("   "));
            spans.push(Span::styled("PAUSED by an operator", app.theme.bad()));
        }
        (Some((set, false)), Some(applied)) if set != applied => {
            spans.push(Span::raw("   "));
            spans.push(Span::styled(
                format!("the line moves at {}", per_s(applied)),
                app.theme.warn(),
            ));
        }
        (_, Some(applied)) => {
            spans.push(Span::styled(format!("   {} applied", per_s(applied)), data(app)));
        }
        (_, None) => {}
    }
    labelled(app, "rate", spans)
}

fn sparks(app: &App, width: u16) -> Vec<Line<'static>> {
    let joined = app.history.joined();
    let let_in = app.history.let_in();
    let sold = app.history.sold();
    let room = usize::from(width).saturating_sub(LABEL + 9);
    // In and out share one scale: the line grows exactly where the upper one is higher.
    let top = joined
        .iter()
        .chain(&let_in)
        .rev()
        .take(room.saturating_mul(2))
        .copied()
        .max();
    let line = |label: &'static str, values: &[u64], top: Option<u64>| {
        labelled(
            app,
            label,
            vec![
                Span::styled(app.theme.spark(values, room, top), app.theme.bar()),
                Span::raw(format!("{:>8}", grouped(values.last().copied().unwrap_or(0)))),
            ],
        )
    };
    vec![
        line("joined/s", &joined, top),
        line("let in/s", &let_in, top),
        line("sold/s", &sold, None),
    ]
}

fn labelled(app: &App, label: &'static str, spans: Vec<Span<'static>>) -> Line<'static> {
    let mut line = Line::from(Span::styled(format!("{label:<LABEL$}"), app.theme.dim()));
    for span in spans {
        line.push_span(span);
    }
    line
}

/// Cuts the last span that does not fit, and says so.
fn cut(line: &mut Line<'static>, width: usize, ellipsis: char) {
    let mut used = 0;
    for span in &mut line.spans {
        let chars = span.content.chars().count();
        if used + chars > width {
            span.content = fit(&span.content, width.saturating_sub(used), ellipsis).into();
        }
        used += span.content.chars().count();
    }
}
