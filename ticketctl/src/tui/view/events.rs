//! Warnings first, as sentences with their remedy; then what happened, newest last.

use super::{list, wrap};
use crate::{
    text::{fit, log_time},
    tui::state::App,
};
use ratatui::text::{Line, Span};
use urr_core::snapshot::EventLine;

/// A row of the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row {
    /// Something to look at, with the command that helps.
    Warning(String, Option<String>),
    /// Something that happened.
    Event(EventLine),
}

/// Rows that pass the filter: warnings, then events with the newest first.
pub(super) fn rows(app: &App) -> Vec<Row> {
    let mut rows: Vec<Row> = warnings(app)
        .into_iter()
        .map(|(text, command)| Row::Warning(text, command))
        .collect();
    rows.extend(events(app).into_iter().rev().map(Row::Event));
    rows.retain(|row| match row {
        Row::Warning(text, _) => app.passes(text),
        Row::Event(event) => app.passes(&format!("{} {}", event.actor, event.text)),
    });
    rows
}

/// The command that the selected warning suggests.
pub(super) fn suggested(app: &App) -> Option<String> {
    let mut rows = rows(app);
    let cursor = list::cursor(app, rows.len());
    match rows.get_mut(cursor) {
        Some(Row::Warning(_, command)) => command.take(),
        _ => None,
    }
}

/// What the control plane warns of, and what this screen would look at.
fn warnings(app: &App) -> Vec<(String, Option<String>)> {
    let told = app
        .shown()
        .snapshot
        .iter()
        .flat_map(|snapshot| &snapshot.warnings);
    let told = told.map(|sentence| (sentence.clone(), None));
    let seen = app
        .advice
        .iter()
        .map(|advice| (advice.sentence.clone(), advice.command.clone()));
    // The worst of what is seen here comes first: a broken law.
    seen.chain(told).collect()
}

/// What happened, oldest first, from wherever it is told.
fn events(app: &App) -> Vec<EventLine> {
    let picture = app.shown();
    let mut all: Vec<EventLine> = picture.notes.iter().cloned().collect();
    if let Some(snapshot) = &picture.snapshot {
        all.extend(snapshot.events.iter().cloned());
    }
    all.sort_by_key(|event| event.at);
    all
}

/// The view's list.
pub(super) fn list(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let rows = rows(app);
    if rows.is_empty() {
        let why = if app.filter.is_empty() {
            "nothing has happened yet"
        } else {
            "nothing matches"
        };
        return super::empty(app, why);
    }
    let rows = rows.iter().map(|row| match row {
        Row::Warning(text, command) => warning_line(app, text, command.as_deref(), width),
        Row::Event(event) => line(app, event, width),
    });
    list::lines(app, rows.collect(), width, usize::from(height))
}

/// The pane of mission control.
pub(super) fn lines(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let mut lines = wrapped_warnings(app, width, height);
    let room = usize::from(height).saturating_sub(lines.len());
    let events = events(app);
    if events.is_empty() {
        lines.extend(super::empty(app, "nothing has happened yet"));
        return lines;
    }
    let skip = events.len().saturating_sub(room);
    lines.extend(events.iter().skip(skip).map(|event| line(app, event, width)));
    lines
}

/// At most half of the pane (but one line at least): a storm of warnings must not hide what happens.
fn wrapped_warnings(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let most = usize::from(height / 2).max(1);
    let mut lines = Vec::new();
    for (sentence, command) in warnings(app) {
        let text = match command {
            Some(command) => format!("{sentence} (:{command})"),
            None => sentence,
        };
        let text = wrap(&text, usize::from(width).saturating_sub(7), app.theme.ellipsis());
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

fn warning_line(app: &App, sentence: &str, command: Option<&str>, width: u16) -> Line<'static> {
    let command = command
        .map(|command| format!("  Enter: :{command}"))
        .unwrap_or_default();
    let room = usize::from(width).saturating_sub(7 + command.chars().count());
    Line::from(vec![
        Span::styled("! WARN ", app.theme.warn()),
        Span::styled(fit(sentence, room, app.theme.ellipsis()), app.theme.warn()),
        Span::styled(command, app.theme.strong()),
    ])
}

pub(super) fn line(app: &App, event: &EventLine, width: u16) -> Line<'static> {
    let when = app
        .shown()
        .opens_at
        .map(|opens| log_time(event.at, opens))
        .unwrap_or_default();
    let text = fit(
        &format!("{}: {}", event.actor, event.text),
        usize::from(width).saturating_sub(when.chars().count() + 1),
        app.theme.ellipsis(),
    );
    let text = if app.theme.unicode { text } else { ascii(&text) };
    Line::from(vec![
        Span::styled(format!("{when} "), app.theme.dim()),
        Span::raw(text),
    ])
}

/// What the control plane writes with arrows and dashes, for terminals that have neither.
fn ascii(text: &str) -> String {
    text.replace('→', "->")
        .chars()
        .map(|c| if c.is_ascii() { c } else { '?' })
        .collect()
}
