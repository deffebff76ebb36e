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
    // On narrow screens the middle gives way: the last two (help, quit) always stay.
    let size = |(key, what): &(String, &str)| key.chars().count() + what.chars().count() + 4;
    let last: usize = keys[keys.len().saturating_sub(2)..].iter().map(size).sum();
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
    if let Some(at) = app.closes_at.filter(|_| app.over()) {
        let left_s = at.since(app.now).max(0).unsigned_abs().div_ceil(1000);
        let text = format!("closes in {}, any key keeps it", duration_s(left_s));
        spans.push(Span::styled(text, theme.dim()));
    }
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
    let mut keys = Vec::new();
    let mut key = |action: Action, what: &'static str| {
        if let Some(key) = app.keymap.key_of(action) {
            keys.push((key, what));
        }
    };
    if app.over() {
        key(Action::View(7), "verdict");
        key(Action::View(1), "last picture");
    } else if app.player.is_some() {
        key(Action::Freeze, "play");
        key(Action::StepBack, "back");
        key(Action::StepOn, "forward");
        key(Action::SeekBack, "-10 s");
        key(Action::SeekOn, "+10 s");
        key(Action::Faster, "faster");
    } else if app.read_only().is_some() {
        key(Action::Arm, "steer");
        key(Action::Freeze, "freeze");
    } else {
        key(Action::PauseResume, "pause");
        key(Action::RateUp, "more");
        key(Action::RateDown, "less");
        key(Action::Rate, "rate");
        key(Action::Cap, "cap");
        key(Action::Undo, "undo");
    }
    if app.view == View::Mission {
        key(Action::NextPane, "pane");
        key(Action::Open, "open");
        key(Action::Expand, "expand");
    } else {
        key(Action::Back, "back");
        key(Action::Down, "rows");
        key(Action::Filter, "filter");
    }
    key(Action::Palette, "command");
    key(Action::Help, "help");
    key(Action::Quit, "quit");
    keys
}
