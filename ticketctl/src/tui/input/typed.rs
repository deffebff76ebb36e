//! Keys while a line is typed: a command after `:`, or a filter after `/`.

use super::{Effect, arm, freeze, propose, theme, undo};
use crate::tui::{
    command::{self, Command, completions},
    state::{App, Mode},
    steer::Proposal,
};
use crossterm::event::KeyCode;

/// Longest line; reasons in the audit log are shorter than 500.
const MOST_CHARS: usize = 400;

pub(super) fn filter(app: &mut App, mut text: String, code: KeyCode) -> Effect {
    match code {
        KeyCode::Esc => {
            app.filter.clear();
            app.cursor = 0;
            return Effect::None;
        }
        KeyCode::Enter => return Effect::None,
        KeyCode::Backspace => {
            text.pop();
        }
        KeyCode::Char(c) if text.chars().count() < MOST_CHARS => text.push(c),
        _ => {}
    }
    app.filter.clone_from(&text);
    app.cursor = 0;
    app.mode = Mode::Filter(text);
    Effect::None
}

pub(super) fn palette(app: &mut App, mut text: String, marked: Option<usize>, code: KeyCode) -> Effect {
    let offered = completions(&text);
    let mark = |by: usize| {
        let n = offered.len();
        (n > 0).then(|| marked.map_or(if by == 1 { 0 } else { n - 1 }, |at| (at + by) % n))
    };
    let marked = match code {
        KeyCode::Esc => return Effect::None,
        KeyCode::Enter => {
            let taken = marked.and_then(|at| offered.get(at)).map(|c| c.line.clone());
            return enter(app, taken, text);
        }
        // The only one is taken, several are gone through.
        KeyCode::Tab => match offered.as_slice() {
            [only] => {
                text.clone_from(&only.line);
                None
            }
            _ => mark(1),
        },
        KeyCode::Down => mark(1),
        KeyCode::BackTab | KeyCode::Up => mark(offered.len().saturating_sub(1)),
        KeyCode::Backspace => {
            text.pop();
            None
        }
        KeyCode::Char(c) => {
            // Typing on takes what is marked.
            if let Some(taken) = marked.and_then(|at| offered.get(at)) {
                text.clone_from(&taken.line);
                if c != ' ' || !text.ends_with(' ') {
                    text.push(c);
                }
            } else if text.chars().count() < MOST_CHARS {
                text.push(c);
            }
            None
        }
        _ => marked,
    };
    app.mode = Mode::Palette(text, marked);
    Effect::None
}

/// What is marked is completed first; a whole command is carried out.
fn enter(app: &mut App, taken: Option<String>, text: String) -> Effect {
    let line = taken.unwrap_or(text);
    if line.ends_with(' ') && command::parse(&line).is_err() {
        app.mode = Mode::Palette(line, None);
        return Effect::None;
    }
    match command::parse(&line) {
        Ok(command) => run(app, command, line),
        Err(why) => {
            app.say(true, why);
            app.mode = Mode::Palette(line, None);
            Effect::None
        }
    }
}

fn run(app: &mut App, command: Command, line: String) -> Effect {
    match command {
        Command::Rate(figure, why) => {
            propose(app, |app| {
                Ok(Proposal::typed_rate(&figure, app.snapshot()?, app.flow())?.because(why))
            });
            stay_open(app, line);
        }
        Command::Cap(figure, why) => {
            propose(app, |app| {
                Ok(Proposal::typed_cap(&figure, app.snapshot()?, app.flow())?.because(why))
            });
            stay_open(app, line);
        }
        Command::Pause(why) => propose(app, |app| {
            Ok(Proposal::hold(app.snapshot()?, app.flow(), true)?.because(why))
        }),
        Command::Resume(why) => propose(app, |app| {
            Ok(Proposal::hold(app.snapshot()?, app.flow(), false)?.because(why))
        }),
        Command::Undo => undo(app),
        Command::Arm(armed) => arm(app, armed),
        Command::View(view) => {
            let number = crate::tui::state::View::ALL.iter().position(|v| *v == view);
            super::show(app, number.and_then(|n| u8::try_from(n + 1).ok()).unwrap_or(1));
        }
        Command::Filter(text) => {
            app.filter = text;
            app.cursor = 0;
        }
        Command::Theme(palette) => theme(app, palette),
        Command::Scale(scale) => app.scale = scale,
        Command::Freeze => freeze(app),
        Command::Expand => app.expanded = !app.expanded,
        Command::Seek(to) => {
            let opens_at = app.picture.opens_at;
            on_recording(app, |player| player.seek(to, opens_at));
        }
        Command::Speed(times) => on_recording(app, |player| player.set_speed(times)),
        Command::Help => app.mode = Mode::Help(0),
        Command::Quit => return super::act(app, crate::tui::keymap::Action::Quit),
        #[cfg(debug_assertions)]
        #[expect(clippy::panic, reason = "asked for, in debug builds only")]
        Command::Panic => panic!("asked for by :panic"),
    }
    Effect::None
}

/// A figure that was refused is mended, not typed again.
fn stay_open(app: &mut App, line: String) {
    if app.mode == Mode::Watch && app.read_only().is_none() {
        app.mode = Mode::Palette(line, None);
    }
}

fn on_recording(app: &mut App, change: impl FnOnce(&mut crate::tui::player::Player)) {
    match &mut app.player {
        Some(player) => change(player),
        None => app.say(true, "there is no recording to go through: this is live"),
    }
}
