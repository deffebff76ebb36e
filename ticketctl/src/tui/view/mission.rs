//! Mission control: everything at a glance, as much of it as the screen bears.
//!
//! ```text
//!  wide (100x30 and up)          medium (80x24)
//!  funnel | room   | levels      funnel | room
//!  heatmap         | seats       seats  | levels
//!  services, laws  | events      events
//! ```
//!
//! Where nobody measures the visitors' side, its panes give way to the others. Smaller screens get
//! one column without frames.

use super::{compact, framed, pane, pane_of, waiting};
use crate::{
    picture::Source,
    tui::state::{App, Pane},
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
};

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, area: Rect) {
    if app.expanded {
        let (title, lines) = pane_of(app.focus);
        return framed(frame, app, area, title, true, lines);
    }
    let measured = app.shown().load.is_some() || app.shown().source == Source::Drill;
    match (area.width, area.height) {
        (100.., 27..) if !measured => unmeasured(frame, app, area),
        (100.., 27..) => wide(frame, app, area),
        (80.., 21..) => medium(frame, app, area),
        _ => compact::draw(frame, app, area),
    }
}

fn wide(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let tall = area.height >= 40;
    let (top, bottom) = if tall { (16, 14) } else { (11, 9) };
    let rows = [
        Constraint::Length(top),
        Constraint::Min(8),
        Constraint::Length(bottom),
    ];
    let [top, middle, bottom] = Layout::vertical(rows).areas(area);
    let [left, centre, right] = Layout::horizontal([Constraint::Fill(1); 3]).areas(top);
    pane(frame, app, left, Pane::Funnel);
    pane(frame, app, centre, Pane::Room);
    pane(frame, app, right, Pane::Slo);
    let [left, right] = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(middle);
    pane(frame, app, left, Pane::Heat);
    pane(frame, app, right, Pane::Seats);
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(2)]).areas(bottom);
    pane(frame, app, left, Pane::Health);
    pane(frame, app, right, Pane::Events);
}

fn unmeasured(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let rows = [Constraint::Length(12), Constraint::Min(8), Constraint::Length(10)];
    let [top, middle, bottom] = Layout::vertical(rows).areas(area);
    let halves = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]);
    let [left, right] = halves.areas(top);
    pane(frame, app, left, Pane::Room);
    pane(frame, app, right, Pane::Health);
    let [left, right] = halves.areas(middle);
    framed(frame, app, left, "waiting, over time", false, waiting::line);
    pane(frame, app, right, Pane::Seats);
    pane(frame, app, bottom, Pane::Events);
}

/// The pane the keys go to is always there: one that has no place takes that of its neighbour.
fn medium(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let rows = [Constraint::Length(9), Constraint::Min(6), Constraint::Length(6)];
    let [top, middle, bottom] = Layout::vertical(rows).areas(area);
    let halves = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]);
    let [left, right] = halves.areas(top);
    let measured = app.shown().load.is_some() || app.shown().source == Source::Drill;
    if measured {
        pane(frame, app, left, Pane::Funnel);
        pane(frame, app, right, Pane::Room);
    } else {
        pane(frame, app, top, Pane::Room);
    }
    let [left, right] = halves.areas(middle);
    let (first, second) = match app.focus {
        Pane::Heat => (Pane::Seats, Pane::Heat),
        _ if app.shown().load.is_none() => (Pane::Seats, Pane::Health),
        Pane::Health => (Pane::Health, Pane::Slo),
        _ => (Pane::Seats, Pane::Slo),
    };
    pane(frame, app, left, first);
    pane(frame, app, right, second);
    pane(frame, app, bottom, Pane::Events);
}
