//! The bottom line: what the keys do right now, or what just happened.

use crate::{
    text::{duration_s, fit},
    tui::{
        keymap::Action,
        state::{App, Mode, View},
    },
};
use ratatui::text::{Line, Span};

pub(super) fn line(app: &App, width: u16) -> Line<'static> {
    let theme = app.theme;
    if let Some(notice) = &app.notice {
        let (sign, style) = if notice.bad {
            ("! ", theme.warn())
        } else {
            ("", theme.good())
        };
        let text = format!("{sign}{}", notice.text);
        return Line::styled(fit(&text, usize::from(width), theme.ellipsis()), style);
    }
    let keys = keys(app);
    let closing = app.closes_at.filter(|_| app.over()).map(|at| {
        let left_s = at.since(app.now).max(0).unsigned_abs().div_ceil(1000);
        format!("closes in {}, any key keeps it", duration_s(left_s))
    });
    // On narrow screens the middle gives way: the last two (help, quit) always stay, and when it closes.
    let size = |(key, what): &(String, &str)| key.chars().count() + what.chars().count() + 4;
    let last: usize = keys[keys.len().saturating_sub(2)..].iter().map(size).sum();
    let last = last + closing.as_ref().map_or(0, |text| text.chars().count());
    let mut spans = Vec::new();
    let mut used = 0;
    for (i, pair) in keys.iter().enumerate() {
        if i + 2 < keys.len() && used + size(pair) + last > usize::from(width) {
            continue;
        }
        used += size(pair);
        spans.push(Span::styled(format!(" {} ", pair.0), theme.key()));
        spans.push(Span::raw(format!(" {} ", pair.1)));
    }
    spans.extend(closing.map(|text| Span::styled(text, theme.dim())));
    Line::from(spans)
}

fn keys(app: &App) -> Vec<(String, &'static str)> {
    let fixed = |keys: &[(&str, &'static str)]| {
        keys.iter()
            .map(|(key, what)| ((*key).to_owned(), *what))
            .collect::<Vec<_>>()
    };
    match &app.mode {
        Mode::Confirm(..) => fixed(&[("Enter", "apply"), ("Esc", "cancel")]),
        Mode::Palette(..) => fixed(&[("Tab", "complete"), ("Enter", "run"), ("Esc", "cancel")]),
        Mode::Filter(_) => fixed(&[("Enter", "keep"), ("Esc", "all rows")]),
        Mode::ConfirmQuit => fixed(&[("y", "end the drill"), ("Esc", "go on")]),
        Mode::Help(_) => fixed(&[("j/k", "more"), ("any other", "back")]),
        Mode::Watch => watching(app),
    }
}

fn watching(app: &App) -> Vec<(String, &'static str)> {
    let by_mode: &[(Action, &str)] = if app.over() {
        &[(Action::View(7), "verdict"), (Action::View(1), "last picture")]
    } else if app.player.is_some() {
        &[
            (Action::Freeze, "play"),
            (Action::StepBack, "back"),
            (Action::StepOn, "forward"),
            (Action::SeekBack, "-10 s"),
            (Action::SeekOn, "+10 s"),
            (Action::Faster, "faster"),
        ]
    } else if app.read_only().is_some() {
        &[(Action::Arm, "steer"), (Action::Freeze, "freeze")]
    } else {
        &[
            (Action::PauseResume, "pause"),
            (Action::RateUp, "more"),
            (Action::RateDown, "less"),
            (Action::Rate, "rate"),
            (Action::Cap, "cap"),
            (Action::Undo, "undo"),
        ]
    };
    let by_view: &[(Action, &str)] = if app.view == View::Mission {
        &[
            (Action::NextPane, "pane"),
            (Action::Open, "open"),
            (Action::Expand, "expand"),
        ]
    } else {
        &[
            (Action::Back, "back"),
            (Action::Down, "rows"),
            (Action::Filter, "filter"),
        ]
    };
    let always: &[(Action, &str)] = &[
        (Action::Palette, "command"),
        (Action::Help, "help"),
        (Action::Quit, "quit"),
    ];
    [by_mode, by_view, always]
        .concat()
        .into_iter()
        .filter_map(|(action, what)| Some((app.keymap.key_of(action)?, what)))
        .collect()
}
