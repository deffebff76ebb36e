//! All keys, as they are bound now.

use crate::tui::{keymap::ENTRIES, state::App};
use ratatui::text::{Line, Span};

const KEYS: usize = 12;

/// The lines of the box, from line `from` on, in two columns where `width` bears them.
pub(super) fn lines(app: &App, from: usize, width: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let entries = ENTRIES.iter().map(|entry| {
        let keys = app.keymap.keys_of(entry.action);
        let keys = if keys.is_empty() { "-".to_owned() } else { keys };
        (keys, entry.says)
    });
    let entries: Vec<(String, &str)> = entries.collect();
    let columns = if width >= 84 { 2 } else { 1 };
    let rows = entries.len().div_ceil(columns);
    let cell = |index: usize| {
        let (keys, says) = entries.get(index)?;
        Some([
            Span::styled(format!("{keys:<KEYS$}"), theme.strong()),
            Span::raw(format!("{says:<pad$}", pad = width / columns - KEYS)),
        ])
    };
    let mut lines: Vec<Line<'static>> = (0..rows)
        .map(|row| {
            let cells = (0..columns).filter_map(|column| cell(row + column * rows));
            Line::from(cells.flatten().collect::<Vec<_>>())
        })
        .collect();
    lines.push(Line::styled(
        "Every change is previewed; Enter carries it out. Ctrl-C interrupts at once.",
        theme.dim(),
    ));
    lines.into_iter().skip(from.min(rows)).collect()
}
