//! The line that is typed after `:` or `/`, with what it may become above it.

use super::{dialog::boxed, left};
use crate::tui::{
    command::completions,
    state::{App, Mode},
};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Clear, Paragraph},
};

/// Most completions shown at once.
const SHOWN: usize = 10;

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let (sign, text, marked) = match &app.mode {
        Mode::Palette(text, marked) => (":", text, *marked),
        Mode::Filter(text) => ("/", text, None),
        _ => return,
    };
    // One above the key line, which goes on saying what the keys do, or what was wrong.
    let at = Rect {
        y: area.y + area.height.saturating_sub(2),
        height: 1,
        ..area
    };
    frame.render_widget(Clear, at);
    let line = Line::from(vec![
        Span::styled(format!("{sign}{text}"), app.theme.strong()),
        Span::styled("_", app.theme.strong()),
    ]);
    frame.render_widget(Paragraph::new(line), at);
    if sign == ":" {
        offer(frame, app, at, text, marked);
    }
}

fn offer(frame: &mut Frame<'_>, app: &App, below: Rect, text: &str, marked: Option<usize>) {
    let offered = completions(text);
    if offered.is_empty() {
        return;
    }
    let window = super::list::window(marked.unwrap_or(0), offered.len(), SHOWN);
    let width = below.width.saturating_sub(2).min(64);
    let lines: Vec<Line<'static>> = offered
        .into_iter()
        .enumerate()
        .skip(window.start)
        .take(window.len())
        .map(|(index, completion)| {
            let line = Line::from(vec![
                Span::styled(left(app, &completion.line, 20), app.theme.strong()),
                Span::styled(completion.says, app.theme.dim()),
            ]);
            if marked == Some(index) {
                line.patch_style(app.theme.selected())
            } else {
                line
            }
        })
        .collect();
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(below.y);
    let at = Rect {
        y: below.y - height,
        x: below.x,
        width,
        height,
    };
    boxed(frame, app, at, "Tab completes", lines);
}
