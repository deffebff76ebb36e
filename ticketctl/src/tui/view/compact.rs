//! Small terminals: one column without frames, and below that the numbers that matter most.

use super::{events, funnel, health, latency, room, seats};
use crate::{
    picture::Source,
    text::{fit, grouped},
    tui::{
        face::clock,
        state::{App, Freshness},
        steer,
    },
};
use ratatui::{Frame, layout::Rect, text::Line, widgets::Paragraph};

/// One column: the waiting room, the funnel, seats, the slowest steps, events.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let width = area.width;
    let mut lines = Vec::new();
    match &app.shown().snapshot {
        Some(snapshot) => lines.extend([
            room::waiting(app, snapshot),
            room::inside(app, snapshot, width),
            room::rate(app, snapshot),
        ]),
        None => lines.extend(room::lines(app, width, 3)),
    }
    lines.push(Line::default());
    match &app.shown().load {
        Some(load) => lines.extend(funnel::steps(app, &load.funnel, width)),
        None if app.shown().source == Source::Drill => lines.extend(funnel::lines(app, width, 1)),
        None => {}
    }
    lines.push(health::summary(app, width));
    match seats::seats(app) {
        Some(view) => lines.push(seats::total(app, view, width)),
        None => lines.extend(seats::lines(app, width, 1)),
    }
    lines.push(Line::default());
    let room = usize::from(area.height).saturating_sub(lines.len());
    // Two thirds of what is left to latency, the rest to events: both keep at least a line.
    if app.shown().load.is_some() {
        let of_latency = u16::try_from(room * 2 / 3).unwrap_or(0);
        lines.extend(latency::lines(app, width, of_latency));
    }
    let room = usize::from(area.height).saturating_sub(lines.len());
    lines.extend(events::lines(app, width, u16::try_from(room).unwrap_or(0)));
    frame.render_widget(Paragraph::new(lines), area);
}

/// Too small for panes: text only, most vital first, as many lines as there are.
pub(super) fn tiny(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let picture = app.shown();
    let theme = app.theme;
    let mut lines: Vec<Line<'static>> = Vec::new();
    let width = usize::from(area.width);
    let mut push = |text: String, style| {
        lines.push(Line::styled(fit(&text, width, theme.ellipsis()), style));
    };
    if let Some(verdict) = &picture.verdict {
        push(verdict.headline.clone(), theme.strong());
    }
    let since = picture
        .opens_at
        .map(|opens| clock(app.shown_now(), opens))
        .unwrap_or_default();
    match &picture.snapshot {
        Some(snapshot) => {
            let (glyph, word, style) = theme.phase(snapshot.phase);
            push(format!("{glyph} {word} {since}"), style);
            push(
                format!("waiting {}", grouped(steer::waiting(snapshot))),
                theme.strong(),
            );
            if let Some(seats) = &snapshot.seats {
                push(
                    format!("sold {} of {}", grouped(seats.sold), grouped(seats.capacity)),
                    theme.strong(),
                );
            }
            if let Freshness::Stale(age) | Freshness::Lost(age) = app.freshness() {
                push(format!("STALE, age {age}"), theme.bad());
            }
            let broken = app.laws.broken().count();
            if broken > 0 {
                push(format!("! laws BROKEN: {broken}"), theme.bad());
            }
            let warnings = snapshot.warnings.len() + app.advice.len();
            if warnings > 0 {
                let plural = if warnings == 1 { "" } else { "s" };
                push(format!("! {warnings} warning{plural}"), theme.warn());
            }
        }
        None => push(format!("{} {since}", picture.stage.words()), theme.strong()),
    }
    push(
        format!("{}: {}", picture.environment.word(), picture.title),
        theme.banner(&picture.environment),
    );
    push("q quits; enlarge for more".to_owned(), theme.dim());
    frame.render_widget(Paragraph::new(lines), area);
}
