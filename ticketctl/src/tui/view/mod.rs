//! State to screen, one file per pane. Every pane is a pure function from the state and a size to
//! lines; this file only decides who gets which rectangle.
//!
//! ```text
//!  wide (100x30 and up)         medium (80x24)            compact (60x20)
//!  header                       header                    header
//!  funnel | room | seats        funnel | room             room, funnel, seats,
//!  latency | events             seats | latency           latency, events: one column,
//!  keys                         events / keys             no frames / keys
//! ```
//!
//! Anything smaller gets the numbers that matter most, as text.

mod compact;
mod dialog;
mod events;
mod funnel;
mod header;
mod keys;
mod latency;
mod room;
mod seats;
mod verdict;

use super::state::{App, Freshness};
use crate::text::fit;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph},
};

/// Draws the whole screen.
pub(crate) fn draw(frame: &mut Frame<'_>, app: &App) {
    let area = frame.area();
    if area.width < 60 || area.height < 20 {
        compact::tiny(frame, app, area);
        return;
    }
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(0), Constraint::Length(1)]).areas(area);
    frame.render_widget(Paragraph::new(header::lines(app, head.width)), head);
    match &app.picture.verdict {
        Some(verdict) if !app.look_back => verdict::draw(frame, app, verdict, body),
        _ if area.width >= 100 && area.height >= 30 => wide(frame, app, body),
        _ if area.width >= 80 && area.height >= 24 => medium(frame, app, body),
        _ => compact::draw(frame, app, body),
    }
    frame.render_widget(Paragraph::new(keys::line(app, foot.width)), foot);
    dialog::draw(frame, app, area);
}

fn wide(frame: &mut Frame<'_>, app: &App, body: Rect) {
    let [top, bottom] = Layout::vertical([Constraint::Percentage(48), Constraint::Min(8)]).areas(body);
    let [left, middle, right] = Layout::horizontal([Constraint::Fill(1); 3]).areas(top);
    pane(frame, app, left, "from arrived to sold", funnel::lines);
    pane(frame, app, middle, "waiting room", room::lines);
    pane(frame, app, right, "seats", seats::lines);
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(bottom);
    pane(
        frame,
        app,
        left,
        "latency from the intended moment",
        latency::lines,
    );
    pane(frame, app, right, "warnings and events", events::lines);
}

fn medium(frame: &mut Frame<'_>, app: &App, body: Rect) {
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(9), Constraint::Min(7), Constraint::Length(5)]).areas(body);
    let halves = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]);
    let [left, right] = halves.areas(top);
    pane(frame, app, left, "from arrived to sold", funnel::lines);
    pane(frame, app, right, "waiting room", room::lines);
    let [left, right] = halves.areas(middle);
    pane(frame, app, left, "seats", seats::lines);
    pane(frame, app, right, "latency", latency::lines);
    pane(frame, app, bottom, "warnings and events", events::lines);
}

type Lines = fn(&App, u16, u16) -> Vec<Line<'static>>;

/// A framed pane. The frame is thin on purpose: the numbers are the picture.
fn pane(frame: &mut Frame<'_>, app: &App, area: Rect, title: &str, lines: Lines) {
    let mut block = Block::new()
        .borders(Borders::ALL)
        .border_style(app.theme.dim())
        .title(Span::styled(format!(" {title} "), app.theme.strong()));
    if !app.theme.unicode {
        block = block.border_set(ASCII_BORDER);
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    frame.render_widget(Paragraph::new(lines(app, inner.width, inner.height)), inner);
}

const ASCII_BORDER: ratatui::symbols::border::Set<'static> = ratatui::symbols::border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// The style for numbers that come from snapshots: dimmed as soon as they are not current.
fn data(app: &App) -> Style {
    match app.freshness() {
        Freshness::Live(_) | Freshness::Final => Style::new(),
        Freshness::None | Freshness::Stale(_) | Freshness::Lost(_) => app.theme.dim(),
    }
}

/// `text` left-aligned in `width` characters, cut if it must be.
fn left(app: &App, text: &str, width: usize) -> String {
    format!("{:<width$}", fit(text, width, app.theme.ellipsis()))
}

/// A pane that knows nothing yet says why.
fn empty(app: &App, why: &str) -> Vec<Line<'static>> {
    vec![Line::styled(why.to_owned(), app.theme.dim())]
}

/// Words into lines of at most `width` characters; longer words are cut.
fn wrap(text: &str, width: usize, ellipsis: char) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word = fit(word, width, ellipsis);
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn words_wrap_and_never_overflow() {
        assert_eq!(wrap("a bb ccc dddd", 4, '…'), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrap("enormous", 4, '…'), ["eno…"]);
        assert!(wrap("", 4, '…').is_empty());
    }
}
