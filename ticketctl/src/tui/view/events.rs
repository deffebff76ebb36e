//! Warnings first, as sentences with their remedy; then what happened, newest last.

use super::wrap;
use crate::{text::log_time, tui::state::App};
use ratatui::text::{Line, Span};
use urr_core::snapshot::EventLine;

pub(super) fn lines(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let mut lines = warnings(app, width, height);
    let room = usize::from(height).saturating_sub(lines.len());
    lines.extend(events(app, width, room));
    lines
}

/// At most half of the pane (but one at least): a storm of warnings must not hide what happens.
fn warnings(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let Some(snapshot) = &app.shown().snapshot else {
        return Vec::new();
    };
    let most = usize::from(height / 2).max(1);
    let mut lines = Vec::new();
    for warning in &snapshot.warnings {
        let text = wrap(
            warning,
            usize::from(width).saturating_sub(7),
            app.theme.ellipsis(),
        );
        for (i, part) in text.into_iter().enumerate() {
            let sign = if i == 0 { "! WARN " } else { "       " };
            lines.push(Line::styled(format!("{sign}{part}"), app.theme.warn()));
        }
    }
    let hidden = lines.len().saturating_sub(most);
    lines.truncate(most);
    if hidden > 0
        && let Some(last) = lines.last_mut()
    {
        last.push_span(Span::styled(
            format!(" {}", app.theme.ellipsis()),
            app.theme.warn(),
        ));
    }
    lines
}

fn events(app: &App, width: u16, room: usize) -> Vec<Line<'static>> {
    let picture = app.shown();
    let mut all: Vec<&EventLine> = picture.notes.iter().collect();
    if let Some(snapshot) = &picture.snapshot {
        all.extend(&snapshot.events);
    }
    all.sort_by_key(|e| e.at);
    if all.is_empty() {
        return vec![Line::styled("nothing has happened yet", app.theme.dim())];
    }
    let skip = all.len().saturating_sub(room);
    all.into_iter()
        .skip(skip)
        .map(|event| line(app, event, width))
        .collect()
}

fn line(app: &App, event: &EventLine, width: u16) -> Line<'static> {
    let when = app
        .shown()
        .opens_at
        .map(|opens| log_time(event.at, opens))
        .unwrap_or_default();
    let text = crate::text::fit(
        &format!("{}: {}", event.actor, event.text),
        usize::from(width).saturating_sub(when.chars().count() + 1),
        app.theme.ellipsis(),
    );
    Line::from(vec![
        Span::styled(format!("{when} "), app.theme.dim()),
        Span::raw(text),
    ])
}
