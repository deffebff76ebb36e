//! Keys in the boxes over the screen. They are fixed: a box says which ones it takes.

use super::{Effect, refuse_read_only};
use crate::{
    control::Action,
    tui::{
        keymap::ENTRIES,
        state::{App, Mode},
        steer::Proposal,
    },
};
use crossterm::event::KeyCode;

/// Scrolling goes on reading, anything else closes.
pub(super) fn help(app: &mut App, from: usize, code: KeyCode) -> Effect {
    app.mode = match code {
        KeyCode::Down | KeyCode::Char('j') => Mode::Help((from + 1).min(ENTRIES.len())),
        KeyCode::Up | KeyCode::Char('k') => Mode::Help(from.saturating_sub(1)),
        _ => Mode::Watch,
    };
    Effect::None
}

/// Whether the sale's name must be typed before `proposal` is carried out.
pub(crate) fn asks_name(app: &App, proposal: &Proposal) -> bool {
    proposal.is_severe() && !app.picture.environment.is_tame()
}

pub(super) fn confirm(app: &mut App, proposal: Box<Proposal>, mut name: String, code: KeyCode) -> Effect {
    let typing = asks_name(app, &proposal);
    match code {
        KeyCode::Esc => {
            app.say(false, "nothing changed");
            return Effect::None;
        }
        KeyCode::Enter if typing && name.trim() != app.picture.title.trim() => {
            app.say(
                true,
                format!("type the sale's name to do it: {}", app.picture.title),
            );
        }
        KeyCode::Enter => return carry_out(app, *proposal),
        KeyCode::Backspace if typing => {
            name.pop();
        }
        KeyCode::Char(c) if typing => name.push(c),
        KeyCode::Char('q' | 'n') => {
            app.say(false, "nothing changed");
            return Effect::None;
        }
        // Another press moves the proposal on, not the sale.
        KeyCode::Char(c @ ('+' | '=' | '-' | '_')) => {
            let stepped = stepped(app, *proposal, matches!(c, '+' | '='));
            app.mode = Mode::Confirm(Box::new(stepped), name);
            return Effect::None;
        }
        _ => {}
    }
    app.mode = Mode::Confirm(proposal, name);
    Effect::None
}

fn carry_out(app: &mut App, proposal: Proposal) -> Effect {
    // The control plane may have died while the preview was read.
    if refuse_read_only(app) {
        return Effect::None;
    }
    app.undo = match app.snapshot() {
        Ok(snapshot) => proposal.inverse(snapshot, app.flow()),
        Err(_) => None,
    };
    app.say(false, format!("sent: {}", proposal.title()));
    Effect::Send(proposal.into_override(&app.actor))
}

fn stepped(app: &App, proposal: Proposal, up: bool) -> Proposal {
    match (proposal.action, app.snapshot()) {
        (Action::Rate(rate), Ok(snapshot)) => {
            Proposal::rate_by(snapshot, app.flow(), rate, if up { 10 } else { -10 }).because(proposal.reason)
        }
        _ => proposal,
    }
}
