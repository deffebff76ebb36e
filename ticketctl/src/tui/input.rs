//! Keys to changes of state and to effects the loop carries out. Pure, so that two-step steering
//! is a test and not a hope.

use super::{
    state::{App, Mode},
    steer::{Field, Proposal, set_rate},
};
use crate::control::{Action, Override};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// How many digits a typed number may have; all rates and caps fit.
const MOST_DIGITS: usize = 7;

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
        Mode::Watch => watching(app, event.code),
        Mode::Help => Effect::None, // any key closes it
        Mode::Typing(field, text) => typing(app, field, text, event.code),
        Mode::Confirm(proposal) => confirming(app, proposal, event.code),
        Mode::ConfirmQuit => match event.code {
            KeyCode::Char('y' | 'Y') | KeyCode::Enter => Effect::Quit,
            _ => Effect::None,
        },
    }
}

fn watching(app: &mut App, code: KeyCode) -> Effect {
    match code {
        KeyCode::Char('q') if app.over() => return Effect::Quit,
        KeyCode::Esc | KeyCode::Enter if app.over() => return Effect::Quit,
        KeyCode::Char('q') => app.mode = Mode::ConfirmQuit,
        KeyCode::Char('?' | 'h') => app.mode = Mode::Help,
        KeyCode::Tab if app.over() => app.look_back = !app.look_back,
        KeyCode::Char(' ') => freeze(app),
        KeyCode::Char('p') => propose(app, |app| {
            let snapshot = app.picture.snapshot.as_ref().ok_or(NO_DATA)?;
            Proposal::pause_or_resume(snapshot)
        }),
        KeyCode::Char('+' | '=') => propose(app, |app| rate_by(app, 10)),
        KeyCode::Char('-' | '_') => propose(app, |app| rate_by(app, -10)),
        KeyCode::Char('r') => start_typing(app, Field::Rate),
        KeyCode::Char('c') => start_typing(app, Field::Cap),
        _ => {}
    }
    Effect::None
}

const NO_DATA: &str = "nothing is known about the sale yet";

fn rate_by(app: &App, percent: i32) -> Result<Proposal, &'static str> {
    let snapshot = app.picture.snapshot.as_ref().ok_or(NO_DATA)?;
    let from = set_rate(snapshot).ok_or("the rate is not known: neither tier could be read")?;
    Ok(Proposal::rate_by(snapshot, from, percent))
}

fn propose(app: &mut App, make: impl FnOnce(&App) -> Result<Proposal, &'static str>) {
    if refuse_read_only(app) {
        return;
    }
    match make(app) {
        Ok(proposal) => app.mode = Mode::Confirm(proposal),
        Err(why) => app.say(true, why),
    }
}

fn start_typing(app: &mut App, field: Field) {
    if !refuse_read_only(app) {
        app.mode = Mode::Typing(field, String::new());
    }
}

fn refuse_read_only(app: &mut App) -> bool {
    let Some(why) = app.read_only() else {
        return false;
    };
    app.say(true, format!("read-only: {why}"));
    true
}

fn freeze(app: &mut App) {
    app.frozen = match app.frozen.take() {
        Some(_) => None,
        None => Some((app.now, Box::new(app.picture.clone()))),
    };
}

fn typing(app: &mut App, field: Field, mut text: String, code: KeyCode) -> Effect {
    match code {
        KeyCode::Esc => return Effect::None,
        KeyCode::Backspace => {
            text.pop();
        }
        KeyCode::Char(c) if c.is_ascii_digit() && text.len() < MOST_DIGITS => text.push(c),
        KeyCode::Enter => {
            let Some(snapshot) = app.picture.snapshot.as_ref() else {
                app.say(true, NO_DATA);
                return Effect::None;
            };
            match Proposal::typed(field, &text, snapshot) {
                Ok(proposal) => app.mode = Mode::Confirm(proposal),
                Err(why) => {
                    app.say(true, why);
                    app.mode = Mode::Typing(field, text);
                }
            }
            return Effect::None;
        }
        _ => {}
    }
    app.mode = Mode::Typing(field, text);
    Effect::None
}

fn confirming(app: &mut App, proposal: Proposal, code: KeyCode) -> Effect {
    match code {
        KeyCode::Enter => {
            // The control plane may have died while the preview was read.
            if refuse_read_only(app) {
                return Effect::None;
            }
            app.say(false, format!("sent: {}", proposal.title()));
            Effect::Send(proposal.into_override(&app.actor))
        }
        KeyCode::Esc | KeyCode::Char('q' | 'n') => {
            app.say(false, "nothing changed");
            Effect::None
        }
        // Another press moves the proposal on, not the sale.
        KeyCode::Char(c @ ('+' | '=' | '-' | '_')) => {
            app.mode = Mode::Confirm(stepped(app, proposal, matches!(c, '+' | '=')));
            Effect::None
        }
        _ => {
            app.mode = Mode::Confirm(proposal);
            Effect::None
        }
    }
}

fn stepped(app: &App, proposal: Proposal, up: bool) -> Proposal {
    match (proposal.action, app.picture.snapshot.as_ref()) {
        (Action::Rate(rate), Some(snapshot)) => Proposal::rate_by(snapshot, rate, if up { 10 } else { -10 }),
        _ => proposal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{picture::Feed, tui::fixtures};

    fn press(app: &mut App, keys: &str) -> Effect {
        let mut last = Effect::None;
        for c in keys.chars() {
            let code = match c {
                '⏎' => KeyCode::Enter,
                '⎋' => KeyCode::Esc,
                '⌫' => KeyCode::Backspace,
                '⇥' => KeyCode::Tab,
                c => KeyCode::Char(c),
            };
            last = key(app, KeyEvent::new(code, KeyModifiers::NONE));
        }
        last
    }

    #[test]
    fn steering_takes_two_steps() {
        let mut app = fixtures::app();
        assert_eq!(press(&mut app, "+"), Effect::None);
        assert!(matches!(app.mode, Mode::Confirm(_)), "{:?}", app.mode);
        let Effect::Send(sent) = press(&mut app, "⏎") else {
            panic!("Enter sends")
        };
        assert_eq!(sent.action, Action::Rate(220));
        assert_eq!(sent.actor, "mk");
        assert_eq!(sent.reason, "from the terminal: rate 200 -> 220 a second");
        assert_eq!(app.mode, Mode::Watch);
    }

    #[test]
    fn escape_changes_nothing() {
        let mut app = fixtures::app();
        assert_eq!(press(&mut app, "p⎋"), Effect::None);
        assert_eq!(app.mode, Mode::Watch);
        assert_eq!(app.notice.as_ref().unwrap().text, "nothing changed");
        assert_eq!(press(&mut app, "⏎"), Effect::None, "a late Enter is nobody's");
    }

    #[test]
    fn more_presses_move_the_proposal_not_the_sale() {
        let mut app = fixtures::app();
        let Effect::Send(sent) = press(&mut app, "++-⏎") else {
            panic!()
        };
        // 200 -> 220 -> 242 -> 218
        assert_eq!(sent.action, Action::Rate(218));
    }

    #[test]
    fn a_rate_is_typed_corrected_and_confirmed() {
        let mut app = fixtures::app();
        assert_eq!(press(&mut app, "r30x5⌫0⏎"), Effect::None);
        let Mode::Confirm(proposal) = &app.mode else {
            panic!("{:?}", app.mode)
        };
        assert_eq!(proposal.action, Action::Rate(300));
        assert_eq!(proposal.from, Some(200));
        assert!(matches!(press(&mut app, "⏎"), Effect::Send(_)));
    }

    #[test]
    fn nothing_typed_is_refused_and_stays_open() {
        let mut app = fixtures::app();
        press(&mut app, "c⏎");
        assert!(matches!(app.mode, Mode::Typing(Field::Cap, _)));
        assert!(app.notice.as_ref().unwrap().bad);
    }

    #[test]
    fn without_the_control_api_the_screen_is_read_only() {
        for keys in ["p", "+", "-", "r", "c"] {
            let mut app = fixtures::app();
            app.picture.feed = Feed::Lost("connection refused".to_owned());
            assert_eq!(press(&mut app, keys), Effect::None);
            assert_eq!(app.mode, Mode::Watch);
            assert_eq!(
                app.notice.as_ref().unwrap().text,
                "read-only: the control API is away (connection refused)"
            );
        }
    }

    #[test]
    fn a_control_api_that_dies_during_the_preview_gets_nothing() {
        let mut app = fixtures::app();
        press(&mut app, "+");
        app.picture.feed = Feed::Lost("connection refused".to_owned());
        assert_eq!(press(&mut app, "⏎"), Effect::None);
    }

    #[test]
    fn quitting_a_running_drill_is_asked_and_a_finished_one_is_not() {
        let mut app = fixtures::app();
        assert_eq!(press(&mut app, "q"), Effect::None);
        assert_eq!(press(&mut app, "n"), Effect::None);
        assert_eq!(press(&mut app, "qy"), Effect::Quit);
        let mut app = fixtures::finished();
        assert_eq!(press(&mut app, "q"), Effect::Quit);
    }

    #[test]
    fn control_c_is_never_asked() {
        let mut app = fixtures::app();
        press(&mut app, "+");
        let event = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(key(&mut app, event), Effect::Interrupt);
    }

    #[test]
    fn space_freezes_the_screen_and_not_the_drill() {
        let mut app = fixtures::app();
        press(&mut app, " ");
        let before = app.shown().snapshot.clone();
        let mut next = app.picture.clone();
        let mut snapshot = fixtures::snapshot();
        snapshot.room.as_mut().unwrap().issued = 4_999;
        next.snapshot = Some(std::sync::Arc::new(snapshot));
        app.take(next, app.now.plus_s(1));
        assert_eq!(app.shown().snapshot, before);
        press(&mut app, " ");
        assert_ne!(app.shown().snapshot, before);
    }

    #[test]
    fn any_key_keeps_the_verdict_on_the_screen() {
        let mut app = fixtures::finished();
        app.closes_at = Some(app.now.plus_s(30));
        press(&mut app, "⇥");
        assert_eq!(app.closes_at, None);
        assert!(app.look_back);
    }
}
