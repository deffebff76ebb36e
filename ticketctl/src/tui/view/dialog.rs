//! Boxes over the screen: the preview of a change, the keys, the last question before quitting.

use super::{ASCII_BORDER, help, wrap};
use crate::tui::{
    input::asks_name,
    state::{App, Mode},
    steer::Proposal,
};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Block, Borders, Clear, Padding, Paragraph},
};

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let widest = if matches!(app.mode, Mode::Help(_)) {
        100
    } else {
        66
    };
    let width = area.width.saturating_sub(4).min(widest);
    let inner = usize::from(width.saturating_sub(4));
    let (title, lines) = match &app.mode {
        Mode::Watch | Mode::Palette(..) | Mode::Filter(_) => return,
        Mode::Help(from) => ("keys", help::lines(app, *from, inner)),
        Mode::Confirm(proposal, name) => ("change", preview(app, proposal, name, inner)),
        Mode::ConfirmQuit => (
            "quit",
            vec![
                Line::styled("End the drill now?", app.theme.strong()),
                Line::raw("Services and engines stop; there will be no audit."),
                Line::default(),
                Line::styled("y ends it, Esc goes on", app.theme.dim()),
            ],
        ),
    };
    let height = u16::try_from(lines.len() + 2)
        .unwrap_or(u16::MAX)
        .min(area.height);
    let at = Rect {
        x: area.x + area.width.saturating_sub(width) / 2,
        y: area.y + area.height.saturating_sub(height) / 2,
        width,
        height,
    };
    boxed(frame, app, at, title, lines);
}

/// `lines` in a frame over whatever is there.
pub(super) fn boxed(frame: &mut Frame<'_>, app: &App, at: Rect, title: &str, lines: Vec<Line<'static>>) {
    let theme = app.theme;
    let mut block = Block::new()
        .borders(Borders::ALL)
        .border_style(theme.warn())
        .title(Span::styled(format!(" {title} "), theme.strong()))
        .padding(Padding::horizontal(1));
    if !theme.unicode {
        block = block.border_set(ASCII_BORDER);
    }
    frame.render_widget(Clear, at);
    frame.render_widget(Paragraph::new(lines).block(block), at);
}

fn preview(app: &App, proposal: &Proposal, name: &str, width: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let environment = &app.picture.environment;
    let mut lines = vec![Line::from(vec![
        Span::styled(proposal.title(), theme.strong()),
        Span::raw("  "),
        Span::styled(format!(" {} ", environment.word()), theme.banner(environment)),
    ])];
    for effect in &proposal.effects {
        lines.extend(wrap(effect, width, theme.ellipsis()).into_iter().map(Line::raw));
    }
    if let Some(reason) = &proposal.reason {
        lines.push(Line::styled(format!("because: {reason}"), theme.dim()));
    }
    lines.push(Line::default());
    if asks_name(app, proposal) {
        lines.push(Line::from(vec![
            Span::styled(format!("type \"{}\": ", app.picture.title), theme.warn()),
            Span::styled(format!("{name}_"), theme.strong()),
        ]));
    }
    lines.push(Line::styled(
        format!("Enter applies it as {}, Esc cancels", app.actor),
        theme.dim(),
    ));
    lines
}
