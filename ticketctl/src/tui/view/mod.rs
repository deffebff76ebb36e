//! State to screen, one file per pane or view. Every pane is a pure function from the state and a
//! size to lines; this file only decides who gets which rectangle.
//!
//! ```text
//!  header (2)                   what, phase, clock, how fresh, where; the drill, the recording
//!  body                         mission control, one of the views, or one pane filling it
//!  keys (1)                     what the keys do right now, or what just happened
//! ```
//!
//! Below 60x20 there is one column of the numbers that matter most, as text.

mod chart;
mod compact;
mod detail;
mod dialog;
mod events;
mod funnel;
mod header;
mod health;
mod heat;
mod help;
mod keys;
mod latency;
mod list;
mod mission;
mod palette;
mod room;
mod seats;
mod slo;
mod timeline;
mod verdict;
mod waiting;

use super::state::{App, Freshness, Pane, View};
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
    match (app.view, &app.picture.verdict) {
        (View::Verdict, Some(verdict)) => verdict::draw(frame, app, verdict, body),
        (View::Mission | View::Verdict, _) => mission::draw(frame, app, body),
        (View::Room, _) => waiting::draw(frame, app, body),
        (View::Seats, _) => whole(frame, app, body, seats::list),
        (View::Latency, _) => latency::draw(frame, app, body),
        (View::Health, _) => whole(frame, app, body, health::list),
        (View::Events, _) => whole(frame, app, body, events::list),
    }
    frame.render_widget(Paragraph::new(keys::line(app, foot.width)), foot);
    dialog::draw(frame, app, area);
    palette::draw(frame, app, area);
}

/// Rows of the present view's list that pass the filter.
pub(crate) fn rows(app: &App) -> usize {
    match app.view {
        View::Seats => seats::rows(app).len(),
        View::Latency => latency::rows(app).len(),
        View::Health => health::rows(app).len(),
        View::Events => events::rows(app).len(),
        View::Mission | View::Room | View::Verdict => 0,
    }
}

/// The command that the selected row suggests.
pub(crate) fn suggested(app: &App) -> Option<String> {
    match app.view {
        View::Events => events::suggested(app),
        _ => None,
    }
}

type Lines = fn(&App, u16, u16) -> Vec<Line<'static>>;

/// One list that fills the body, with more about its selected row below when it is opened.
fn whole(frame: &mut Frame<'_>, app: &App, area: Rect, list: Lines) {
    let title = match app.filter.as_str() {
        "" => app.view.title().to_owned(),
        filter => format!("{} with \"{filter}\"", app.view.title()),
    };
    if !app.opened {
        return framed(frame, app, area, &title, true, list);
    }
    let more = (area.height / 2).clamp(6, 16);
    let [top, bottom] = Layout::vertical([Constraint::Min(4), Constraint::Length(more)]).areas(area);
    framed(frame, app, top, &title, false, list);
    framed(frame, app, bottom, "the selected row", true, detail::lines);
}

/// What a pane of mission control shows.
fn pane_of(pane: Pane) -> (&'static str, Lines) {
    match pane {
        Pane::Funnel => ("from arrived to sold", funnel::lines),
        Pane::Room => ("waiting room", room::lines),
        Pane::Slo => ("service levels", slo::lines),
        Pane::Heat => ("latency of all requests", heat::lines),
        Pane::Seats => ("seats", seats::lines),
        Pane::Health => ("services and laws", health::lines),
        Pane::Events => ("warnings and events", events::lines),
    }
}

/// A pane of mission control in its frame.
fn pane(frame: &mut Frame<'_>, app: &App, area: Rect, pane: Pane) {
    let (title, lines) = pane_of(pane);
    framed(frame, app, area, title, app.focus == pane, lines);
}

/// The frame is thin on purpose: the numbers are the picture.
fn framed(
    frame: &mut Frame<'_>,
    app: &App,
    area: Rect,
    title: &str,
    focused: bool,
    lines: impl FnOnce(&App, u16, u16) -> Vec<Line<'static>>,
) {
    let border = if focused {
        app.theme.focus()
    } else {
        app.theme.dim()
    };
    let mut block = Block::new()
        .borders(Borders::ALL)
        .border_style(border)
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
        Freshness::Live | Freshness::Final => Style::new(),
        Freshness::None | Freshness::Stale(_) | Freshness::Lost(_) => app.theme.dim(),
    }
}

/// `text` left-aligned in `width` cells, cut if it must be. Names may be of wide characters.
fn left(app: &App, text: &str, width: usize) -> String {
    let mut out = text.to_owned();
    if cells(&out) > width {
        while cells(&out) + 1 > width && out.pop().is_some() {}
        if width > 0 {
            out.push(app.theme.ellipsis());
        }
    }
    let room = width.saturating_sub(cells(&out));
    out.push_str(&" ".repeat(room));
    out
}

/// Cells that `text` takes.
fn cells(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        Span::raw(text).width()
    }
}

/// A pane that knows nothing yet says why.
fn empty(app: &App, why: &str) -> Vec<Line<'static>> {
    vec![Line::styled(why.to_owned(), app.theme.dim())]
}

/// `label` and what follows it.
fn labelled(app: &App, label: &str, width: usize, spans: Vec<Span<'static>>) -> Line<'static> {
    let mut line = Line::from(Span::styled(left(app, label, width), app.theme.dim()));
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
    use super::*;
    use crate::tui::fixtures;

    #[test]
    fn words_wrap_and_never_overflow() {
        assert_eq!(wrap("a bb ccc dddd", 4, '…'), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrap("enormous", 4, '…'), ["eno…"]);
        assert!(wrap("", 4, '…').is_empty());
    }

    #[test]
    fn wide_names_keep_columns_straight() {
        let app = fixtures::app();
        for (text, shown) in [
            ("Floor", "Floor   "),
            ("스탠딩", "스탠딩  "),
            ("스탠딩 구역", "스탠딩 …"),
        ] {
            assert_eq!(left(&app, text, 8), shown);
            assert_eq!(cells(&left(&app, text, 8)), 8);
        }
    }
}
