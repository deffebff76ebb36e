//! Boxes over the screen: the preview of a change, a number being typed, the keys, the last
//! question before quitting.

use super::{ASCII_BORDER, wrap};
use crate::tui::state::{App, Mode};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Block, Borders, Clear, Paragraph},
};

const KEYS: [(&str, &str); 10] = [
    ("p", "pause the line, or resume it"),
    ("+ -", "rate up or down by 10 %"),
    ("r", "type a rate (people per second)"),
    ("c", "type a cap (people inside at once)"),
    ("space", "freeze the screen; the drill goes on"),
    ("Tab", "after the end: verdict or last picture"),
    ("?", "these keys"),
    ("q", "end the drill; asked first while it runs"),
    ("Ctrl-C", "end it at once; twice forces"),
    ("", "Every change is previewed; Enter carries it out."),
];

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let theme = app.theme;
    let width = area.width.saturating_sub(4).min(64);
    let inner = usize::from(width.saturating_sub(4));
    let (title, lines): (&str, Vec<Line<'static>>) = match &app.mode {
        Mode::Watch => return,
        Mode::Help => (
            "keys",
            KEYS.iter()
                .map(|(key, what)| {
                    Line::from(vec![
                        Span::styled(format!("{key:<8}"), theme.strong()),
                        Span::raw(*what),
                    ])
                })
                .collect(),
        ),
        Mode::Typing(field, text) => (
            "set",
            vec![Line::from(vec![
                Span::raw(format!("{}: ", field.label())),
                Span::styled(format!("{text}_"), theme.strong()),
            ])],
        ),
        Mode::Confirm(proposal) => {
            let mut lines = vec![Line::styled(proposal.title(), theme.strong())];
            for effect in &proposal.effects {
                lines.extend(wrap(effect, inner, theme.ellipsis()).into_iter().map(Line::raw));
            }
            lines.push(Line::default());
            lines.push(Line::styled(
                format!("Enter does it as {}, Esc leaves it", app.actor),
                theme.dim(),
            ));
            ("change", lines)
        }
        Mode::ConfirmQuit => (
            "quit",
            vec![
                Line::styled("End the drill now?", theme.strong()),
                Line::raw("Services and engines stop; there will be no audit."),
                Line::default(),
                Line::styled("y ends it, Esc goes on", theme.dim()),
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
    let mut block = Block::new()
        .borders(Borders::ALL)
        .border_style(theme.warn())
        .title(Span::styled(format!(" {title} "), theme.strong()))
        .padding(ratatui::widgets::Padding::horizontal(1));
    if !theme.unicode {
        block = block.border_set(ASCII_BORDER);
    }
    frame.render_widget(Clear, at);
    frame.render_widget(Paragraph::new(lines).block(block), at);
}
