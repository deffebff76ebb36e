//! Where a replay stands, as a line: `> 4x  00:12 of 01:03  ━━━━●─────`.

use crate::tui::{player::Player, state::App};
use ratatui::text::{Line, Span};

pub(super) fn line(app: &App, player: &Player, file: &str, width: u16) -> Line<'static> {
    let theme = app.theme;
    let sign = match player.is_playing() {
        true => theme.glyph("▶", ">"),
        false => theme.glyph("‖", "="),
    };
    let clock = |ms: i64| {
        let s = ms.max(0) / 1000;
        match s / 3600 {
            0 => format!("{:02}:{:02}", s / 60, s % 60),
            h => format!("{h}:{:02}:{:02}", s / 60 % 60, s % 60),
        }
    };
    let text = format!(
        "{sign} {}x  {} of {}  ",
        player.speed(),
        clock(player.position_ms()),
        clock(player.length_ms())
    );
    let name = format!("  {file}");
    let used = text.chars().count() + name.chars().count();
    let room = usize::from(width).saturating_sub(used).clamp(10, 80);
    let at = usize::try_from(player.permille()).unwrap_or(0) * (room - 1) / 1000;
    Line::from(vec![
        Span::styled(text, theme.strong()),
        Span::styled(theme.glyph("━", "=").repeat(at), theme.bar()),
        Span::styled(theme.glyph("●", "o"), theme.strong()),
        Span::styled(
            theme.glyph("─", "-").repeat(room - 1 - at.min(room - 1)),
            theme.dim(),
        ),
        Span::styled(name, theme.dim()),
    ])
}
