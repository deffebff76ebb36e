//! A column chart several lines high, to the eighth of a cell where the terminal can.

use crate::tui::state::App;
use ratatui::text::{Line, Span};

/// The newest `values` that fit into `width` columns, `height` lines high, scaled to `top`.
pub(super) fn lines(app: &App, values: &[u64], width: usize, height: usize, top: u64) -> Vec<Line<'static>> {
    const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    let shown = &values[values.len().saturating_sub(width)..];
    let indent = " ".repeat(width.saturating_sub(shown.len()));
    let top = u128::from(top.max(1));
    let levels: Vec<usize> = shown
        .iter()
        .map(|value| {
            let level = (u128::from(*value) * (height as u128) * 8).div_ceil(top);
            usize::try_from(level).unwrap_or(usize::MAX).min(height * 8)
        })
        .collect();
    (0..height)
        .rev()
        .map(|row| {
            let mut text = indent.clone();
            for level in &levels {
                let eighths = level.saturating_sub(row * 8).min(8);
                text.push_str(match (app.theme.unicode, eighths) {
                    (true, eighths) => EIGHTHS[eighths],
                    (false, 0) => " ",
                    (false, 1..5) => ".",
                    (false, _) => "#",
                });
            }
            Line::from(Span::styled(text, app.theme.bar()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::tui::fixtures;

    #[test]
    fn the_highest_column_reaches_the_top_and_nothing_is_higher() {
        let app = fixtures::app();
        let text = |values: &[u64], top| {
            let lines = super::lines(&app, values, 4, 2, top);
            lines.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(text(&[0, 4, 8], 8), ["   █", "  ██"]);
        assert_eq!(text(&[u64::MAX], u64::MAX), ["   █", "   █"]);
        assert_eq!(text(&[1], 1_000), ["    ", "   ▁"]);
    }
}
