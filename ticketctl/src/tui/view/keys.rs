//! The bottom line: what the keys do right now, or what just happened.

use crate::{
    text::{duration_s, fit},
    tui::state::{App, Mode},
};
use ratatui::text::{Line, Span};

pub(super) fn line(app: &App, width: u16) -> Line<'static> {
    let theme = app.theme;
    if let (Mode::Watch | Mode::Typing(..), Some(notice)) = (&app.mode, &app.notice) {
        let (sign, style) = if notice.bad {
            ("! ", theme.warn())
        } else {
            ("", theme.good())
        };
        let text = format!("{sign}{}", notice.text);
        return Line::styled(fit(&text, usize::from(width), theme.ellipsis()), style);
    }
    let keys: &[(&str, &str)] = match &app.mode {
        Mode::Confirm(_) => &[("Enter", "do it"), ("Esc", "leave it")],
        Mode::Typing(..) => &[("Enter", "preview"), ("Esc", "leave it")],
        Mode::ConfirmQuit => &[("y", "end the drill"), ("Esc", "go on")],
        Mode::Help => &[("any key", "back")],
        Mode::Watch if app.over() => &[("q", "close"), ("Tab", "verdict or last picture")],
        Mode::Watch if app.read_only().is_some() => &[("space", "freeze"), ("?", "help"), ("q", "quit")],
        Mode::Watch => &[
            ("p", "pause"),
            ("+/-", "rate"),
            ("r", "type rate"),
            ("c", "cap"),
            ("space", "freeze"),
            ("?", "help"),
            ("q", "quit"),
        ],
    };
    let mut spans = Vec::new();
    let mut used = 0;
    for (i, (key, what)) in keys.iter().enumerate() {
        let pair = key.chars().count() + what.chars().count() + 4;
        // On narrow screens the middle gives way: the last two (help, quit) always stay.
        let last: usize = keys[keys.len().saturating_sub(2)..]
            .iter()
            .map(|(k, w)| k.chars().count() + w.chars().count() + 4)
            .sum();
        if i + 2 < keys.len() && used + pair + last > usize::from(width) {
            continue;
        }
        used += pair;
        spans.push(Span::styled(format!(" {key} "), theme.key()));
        spans.push(Span::raw(format!(" {what} ")));
    }
    if app.over()
        && let Some(at) = app.closes_at
    {
        let left_s = at.since(app.now).max(0).unsigned_abs().div_ceil(1000);
        spans.push(Span::styled(
            format!("closes in {}, any key keeps it", duration_s(left_s)),
            theme.dim(),
        ));
    } else if matches!(app.mode, Mode::Watch) && app.read_only().is_some() && !app.over() {
        spans.push(Span::styled("read-only", theme.dim()));
    }
    Line::from(spans)
}
