//! Keys to changes of state and to effects the loop carries out. Pure, so that two-step steering
//! is a test and not a hope.

mod dialogs;
mod typed;

pub(super) use dialogs::asks_name;

use super::{
    command::Seek,
    history::SCALES_S,
    keymap::{Action, Chord},
    state::{App, Mode, View},
    steer::{Proposal, set_rate},
    theme::Palette,
    view,
};
use crate::control::Override;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What the loop must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing beyond drawing.
    None,
    /// Send this to the control API.
    Send(Override),
    /// End the drill (or, when it is over, close the screen).
    Quit,
    /// End at once, whatever is lost.
    Interrupt,
}

/// A key was pressed.
pub(crate) fn key(app: &mut App, event: KeyEvent) -> Effect {
    if event.kind == KeyEventKind::Release {
        return Effect::None;
    }
    // In raw mode the terminal sends no SIGINT: the key is all there is.
    if event.modifiers.contains(KeyModifiers::CONTROL) && event.code == KeyCode::Char('c') {
        return Effect::Interrupt;
    }
    app.closes_at = None;
    match std::mem::replace(&mut app.mode, Mode::Watch) {
        Mode::Watch => match app.keymap.action(Chord::of(event)) {
            Some(action) => act(app, action),
            None => Effect::None,
        },
        Mode::Help(from) => dialogs::help(app, from, event.code),
        Mode::Palette(text, marked) => typed::palette(app, text, marked, event.code),
        Mode::Filter(text) => typed::filter(app, text, event.code),
        Mode::Confirm(proposal, name) => dialogs::confirm(app, proposal, name, event.code),
        Mode::ConfirmQuit => match event.code {
            KeyCode::Char('y' | 'Y') | KeyCode::Enter => Effect::Quit,
            _ => Effect::None,
        },
    }
}

fn act(app: &mut App, action: Action) -> Effect {
    match action {
        Action::View(n) => show(app, n),
        Action::NextPane => app.focus = app.focus.step(true),
        Action::PreviousPane => app.focus = app.focus.step(false),
        Action::Up => app.cursor = app.cursor.saturating_sub(1),
        Action::Down => app.cursor = (app.cursor + 1).min(last_row(app)),
        Action::Top => app.cursor = 0,
        Action::Bottom => app.cursor = last_row(app),
        Action::Open => return open(app),
        Action::Back => return back(app),
        Action::Filter => app.mode = Mode::Filter(app.filter.clone()),
        Action::Palette => app.mode = Mode::Palette(String::new(), None),
        Action::Help => app.mode = Mode::Help(0),
        Action::Freeze => freeze(app),
        Action::Expand => app.expanded = !app.expanded,
        Action::Finer => app.scale = app.scale.saturating_sub(1),
        Action::Coarser => app.scale = (app.scale + 1).min(SCALES_S.len() - 1),
        Action::Theme => theme(app, app.theme.palette.next()),
        Action::Arm => arm(app, !app.armed),
        Action::PauseResume => propose(app, |app| Proposal::pause_or_resume(app.snapshot()?, app.flow())),
        Action::RateUp => propose(app, |app| rate_by(app, 10)),
        Action::RateDown => propose(app, |app| rate_by(app, -10)),
        Action::Rate => prefill(app, "rate "),
        Action::Cap => prefill(app, "cap "),
        Action::Undo => undo(app),
        Action::Quit if app.over() || !is_drill(app) => return Effect::Quit,
        Action::Quit => app.mode = Mode::ConfirmQuit,
        _ => replay(app, action),
    }
    Effect::None
}

fn is_drill(app: &App) -> bool {
    app.picture.source == crate::picture::Source::Drill
}

fn show(app: &mut App, n: u8) {
    match View::numbered(n) {
        Some(View::Verdict) if !app.over() => app.say(true, "there is no verdict yet"),
        Some(view) => app.show(view),
        None => {}
    }
}

fn last_row(app: &App) -> usize {
    view::rows(app).saturating_sub(1)
}

/// One step in: from mission control to a pane's view, from a row to more about it, from advice to
/// the command it suggests.
fn open(app: &mut App) -> Effect {
    if app.over() && app.view == View::Verdict {
        return Effect::Quit;
    }
    if app.view == View::Mission {
        let view = app.focus.view();
        app.show(view);
        return Effect::None;
    }
    if let Some(command) = view::suggested(app) {
        prefill(app, &command);
    } else if view::rows(app) > 0 {
        app.opened = true;
    }
    Effect::None
}

/// One step out; out of mission control only when nothing is running any more.
fn back(app: &mut App) -> Effect {
    if app.opened {
        app.opened = false;
    } else if app.expanded {
        app.expanded = false;
    } else if !app.filter.is_empty() {
        app.filter.clear();
        app.cursor = 0;
    } else if app.over() && app.view == View::Verdict {
        return Effect::Quit;
    } else if app.view != View::Mission {
        app.show(View::Mission);
    }
    Effect::None
}

fn freeze(app: &mut App) {
    if let Some(player) = &mut app.player {
        player.toggle();
        return;
    }
    app.frozen = match app.frozen.take() {
        Some(_) => None,
        None => Some((app.now, Box::new(app.picture.clone()))),
    };
}

fn theme(app: &mut App, palette: Palette) {
    if app.theme.palette == Palette::Mono && std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) {
        app.say(true, "NO_COLOR is set: there is one theme, mono");
        return;
    }
    app.theme.palette = palette;
    app.say(false, format!("theme {}", palette.name()));
}

fn arm(app: &mut App, armed: bool) {
    if armed && app.player.is_some() {
        app.say(true, "read-only: this is a recording");
        return;
    }
    app.armed = armed;
    if armed {
        let text = format!("steering is ON as {}: every change is previewed first", app.actor);
        app.say(false, text);
    } else {
        app.say(false, "steering is off: look only");
    }
}

fn rate_by(app: &App, percent: i32) -> Result<Proposal, String> {
    let snapshot = app.snapshot()?;
    let from = set_rate(snapshot).ok_or("the rate is not known: neither tier could be read")?;
    Ok(Proposal::rate_by(snapshot, app.flow(), from, percent))
}

fn propose(app: &mut App, make: impl FnOnce(&App) -> Result<Proposal, String>) {
    if refuse_read_only(app) {
        return;
    }
    match make(app) {
        Ok(proposal) => app.mode = Mode::Confirm(Box::new(proposal), String::new()),
        Err(why) => app.say(true, why),
    }
}

fn undo(app: &mut App) {
    propose(app, |app| {
        app.undo
            .clone()
            .ok_or_else(|| "nothing was changed from here yet".to_owned())
    });
}

fn prefill(app: &mut App, text: &str) {
    if !refuse_read_only(app) {
        app.mode = Mode::Palette(text.to_owned(), None);
    }
}

fn refuse_read_only(app: &mut App) -> bool {
    let Some(why) = app.read_only() else {
        return false;
    };
    app.say(true, format!("read-only: {why}"));
    true
}

fn replay(app: &mut App, action: Action) {
    let opens_at = app.picture.opens_at;
    let Some(player) = &mut app.player else {
        app.say(true, "there is no recording to go through: this is live");
        return;
    };
    match action {
        Action::StepOn => player.step(true),
        Action::StepBack => player.step(false),
        Action::SeekOn => player.seek(Seek::By(10_000), opens_at),
        Action::SeekBack => player.seek(Seek::By(-10_000), opens_at),
        Action::Faster => player.faster(true),
        Action::Slower => player.faster(false),
        Action::First => player.seek(Seek::Percent(0), opens_at),
        Action::Last => player.seek(Seek::Percent(100), opens_at),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
