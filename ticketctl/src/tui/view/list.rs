//! What all lists share: which rows fit around the selected one, and how it is marked.

use crate::tui::state::App;
use ratatui::text::Line;

/// The rows of `total` that are shown in `height` lines so that `cursor` is among them.
pub(super) fn window(cursor: usize, total: usize, height: usize) -> std::ops::Range<usize> {
    if total <= height {
        return 0..total;
    }
    let start = cursor.saturating_sub(height / 2).min(total - height);
    start..start + height
}

/// The cursor on `total` rows, which may have become fewer since it was moved.
pub(super) fn cursor(app: &App, total: usize) -> usize {
    app.cursor.min(total.saturating_sub(1))
}

/// Rows as lines, those that fit, the selected one marked over the whole `width`.
pub(super) fn lines(app: &App, rows: Vec<Line<'static>>, width: u16, height: usize) -> Vec<Line<'static>> {
    let cursor = cursor(app, rows.len());
    let window = window(cursor, rows.len(), height);
    let shown = rows.into_iter().enumerate().skip(window.start).take(window.len());
    shown
        .map(|(row, mut line)| {
            if row == cursor {
                let room = usize::from(width).saturating_sub(line.width());
                line.push_span(" ".repeat(room));
                line = line.patch_style(app.theme.selected());
            }
            line
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::window;

    #[test]
    fn the_selected_row_is_always_shown() {
        for total in [0, 1, 5, 100] {
            for height in [1, 3, 10] {
                for cursor in 0..total {
                    let shown = window(cursor, total, height);
                    assert!(shown.contains(&cursor) && shown.len() <= height && shown.end <= total);
                }
            }
        }
    }
}
