//! Seats: sold, held and free, in the whole hall and by section.

use super::{data, empty, left, list};
use crate::{text::grouped, tui::state::App};
use ratatui::text::{Line, Span};
use urr_core::snapshot::{SeatsView, SectionView};

pub(super) fn lines(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let Some(seats) = seats(app) else {
        return empty(app, "booking has not answered yet");
    };
    let mut lines = vec![
        total(app, seats, width),
        bar(app, seats.sold, seats.held, seats.capacity, width),
    ];
    let room = usize::from(height).saturating_sub(lines.len());
    let hidden = seats.sections.len().saturating_sub(room);
    let shown = if hidden > 0 { room.saturating_sub(1) } else { room };
    let name = seats
        .sections
        .iter()
        .take(shown)
        .map(|s| super::cells(&s.name))
        .max()
        .unwrap_or(0)
        .min(usize::from(width) / 3);
    for s in seats.sections.iter().take(shown) {
        lines.push(section(app, s, name, width));
    }
    if hidden > 0 && room > 0 {
        lines.push(Line::styled(
            format!("and {} more sections", seats.sections.len() - shown),
            app.theme.dim(),
        ));
    }
    lines
}

/// Sections that pass the filter.
pub(super) fn rows(app: &App) -> Vec<SectionView> {
    let sections = seats(app)
        .map(|seats| seats.sections.as_slice())
        .unwrap_or_default();
    sections
        .iter()
        .filter(|section| app.passes(&section.name))
        .cloned()
        .collect()
}

/// The view's list: the hall, then every section.
pub(super) fn list(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let Some(seats) = seats(app) else {
        return empty(app, "booking has not answered yet");
    };
    let mut lines = vec![
        total(app, seats, width),
        bar(app, seats.sold, seats.held, seats.capacity, width),
        Line::default(),
    ];
    let rows = rows(app);
    if rows.is_empty() {
        lines.extend(empty(app, "nothing matches"));
        return lines;
    }
    let name = rows
        .iter()
        .map(|s| super::cells(&s.name))
        .max()
        .unwrap_or(0)
        .min(usize::from(width) / 3);
    let rows = rows.iter().map(|s| section(app, s, name, width)).collect();
    let room = usize::from(height).saturating_sub(lines.len());
    lines.extend(list::lines(app, rows, width, room));
    lines
}

pub(super) fn seats(app: &App) -> Option<&SeatsView> {
    app.shown().snapshot.as_ref()?.seats.as_ref()
}

/// `sold 944  held 120  free 36  of 1,100`; the words double as the bar's legend.
pub(super) fn total(app: &App, seats: &SeatsView, width: u16) -> Line<'static> {
    let theme = app.theme;
    let mut spans = vec![
        Span::styled(theme.glyph("█", "#"), theme.good()),
        Span::styled(format!(" sold {}  ", grouped(seats.sold)), data(app)),
        Span::styled(theme.glyph("▒", "+"), theme.warn()),
        Span::styled(format!(" held {}  ", grouped(seats.held)), data(app)),
        Span::styled(theme.glyph("·", "."), theme.dim()),
        Span::styled(format!(" free {}", grouped(seats.free)), data(app)),
    ];
    let of = format!("  of {}", grouped(seats.capacity));
    let used: usize = spans.iter().map(Span::width).sum();
    if used + of.len() <= usize::from(width) {
        spans.push(Span::styled(of, theme.dim()));
    }
    Line::from(spans)
}

fn section(app: &App, s: &SectionView, name: usize, width: u16) -> Line<'static> {
    let count = format!(" {:>6} of {}", grouped(s.sold), grouped(s.capacity));
    let count = format!("{count:<16}");
    let used = name + 1 + count.chars().count();
    let bar_width = width.saturating_sub(u16::try_from(used).unwrap_or(u16::MAX));
    let mut line = Line::from(Span::styled(
        format!("{} ", left(app, &s.name, name)),
        app.theme.dim(),
    ));
    for span in bar(app, s.sold, s.held, s.capacity, bar_width).spans {
        line.push_span(span);
    }
    line.push_span(Span::styled(count, data(app)));
    line
}

/// Three parts in `width` whole cells; a part that exists is never invisible, and the three
/// always fill the bar exactly.
fn bar(app: &App, sold: u64, held: u64, capacity: u64, width: u16) -> Line<'static> {
    let theme = app.theme;
    let (sold, held, free) = cells(sold, held, capacity, usize::from(width));
    Line::from(vec![
        Span::styled(theme.glyph("█", "#").repeat(sold), theme.good()),
        Span::styled(theme.glyph("▒", "+").repeat(held), theme.warn()),
        Span::styled(theme.glyph("·", ".").repeat(free), theme.dim()),
    ])
}

fn cells(sold: u64, held: u64, capacity: u64, width: usize) -> (usize, usize, usize) {
    if capacity == 0 || width == 0 {
        return (0, 0, width);
    }
    let share = |n: u64| {
        let exact = u128::from(n.min(capacity)) * (width as u128) / u128::from(capacity);
        let cells = usize::try_from(exact).unwrap_or(width);
        if n > 0 { cells.max(1) } else { 0 }
    };
    let sold_cells = share(sold).min(width);
    let held_cells = share(held).min(width - sold_cells);
    let mut free = width - sold_cells - held_cells;
    let mut sold_cells = sold_cells;
    if sold >= capacity {
        sold_cells = width - held_cells;
        free = 0;
    }
    (sold_cells, held_cells, free)
}

#[cfg(test)]
mod tests {
    use super::cells;

    #[test]
    fn the_three_parts_always_fill_the_bar() {
        for (sold, held, capacity) in [
            (0, 0, 100),
            (100, 0, 100),
            (1, 1, 1_000_000),
            (999_999, 1, 1_000_000),
            (50, 50, 100),
            (0, 0, 0),
        ] {
            for width in [0, 1, 2, 7, 40] {
                let (a, b, c) = cells(sold, held, capacity, width);
                assert_eq!(a + b + c, width, "{sold}/{held}/{capacity} in {width}");
            }
        }
    }

    #[test]
    fn a_single_sold_seat_is_seen() {
        assert_eq!(cells(1, 0, 1_000_000, 10), (1, 0, 9));
        assert_eq!(cells(50, 25, 100, 8), (4, 2, 2));
    }
}
