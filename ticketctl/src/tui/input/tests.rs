//! What keys and commands do, screen by screen.

use super::*;
use crate::{
    control::Action as Steer,
    picture::{Environment, Feed},
    tui::{fixtures, state::Pane},
};

fn press(app: &mut App, keys: &str) -> Effect {
    let mut last = Effect::None;
    for c in keys.chars() {
        let code = match c {
            '⏎' => KeyCode::Enter,
            '⎋' => KeyCode::Esc,
            '⌫' => KeyCode::Backspace,
            '⇥' => KeyCode::Tab,
            '↓' => KeyCode::Down,
            '→' => KeyCode::Right,
            c => KeyCode::Char(c),
        };
        last = key(app, KeyEvent::new(code, KeyModifiers::NONE));
    }
    last
}

fn said(app: &App) -> &str {
    app.notice.as_ref().map_or("", |notice| notice.text.as_str())
}

#[test]
fn steering_takes_two_steps() {
    let mut app = fixtures::app();
    assert_eq!(press(&mut app, "+"), Effect::None);
    assert!(matches!(app.mode, Mode::Confirm(..)), "{:?}", app.mode);
    let Effect::Send(sent) = press(&mut app, "⏎") else {
        panic!("Enter sends")
    };
    assert_eq!(sent.action, Steer::Rate(220));
    assert_eq!(sent.actor, "mk");
    assert_eq!(sent.reason, "from the terminal: rate 200 -> 220 a second");
    assert_eq!(app.mode, Mode::Watch);
}

#[test]
fn it_is_read_only_until_it_is_armed() {
    let mut app = fixtures::app();
    app.armed = false;
    for keys in ["p", "+", "-", "r", "c", "u", ":rate 300⏎", ":pause⏎"] {
        assert_eq!(press(&mut app, keys), Effect::None);
        assert_eq!(app.mode, Mode::Watch, "{keys}");
        assert_eq!(said(&app), "read-only: S turns steering on");
    }
    press(&mut app, "S+");
    assert!(matches!(app.mode, Mode::Confirm(..)));
}

#[test]
fn escape_changes_nothing() {
    let mut app = fixtures::app();
    assert_eq!(press(&mut app, "p⎋"), Effect::None);
    assert_eq!(app.mode, Mode::Watch);
    assert_eq!(said(&app), "nothing changed");
}

#[test]
fn more_presses_move_the_proposal_not_the_sale() {
    let mut app = fixtures::app();
    let Effect::Send(sent) = press(&mut app, "++-⏎") else {
        panic!()
    };
    // 200 -> 220 -> 242 -> 218
    assert_eq!(sent.action, Steer::Rate(218));
}

#[test]
fn a_rate_is_typed_corrected_and_confirmed_with_its_reason() {
    let mut app = fixtures::app();
    assert_eq!(press(&mut app, "r305⌫0 payments recovered⏎"), Effect::None);
    let Mode::Confirm(proposal, _) = &app.mode else {
        panic!("{:?}", app.mode)
    };
    assert_eq!(proposal.action, Steer::Rate(300));
    assert_eq!(proposal.from, Some(200));
    let Effect::Send(sent) = press(&mut app, "⏎") else {
        panic!()
    };
    assert_eq!(
        sent.reason,
        "payments recovered (from the terminal: rate 200 -> 300 a second)"
    );
}

#[test]
fn a_refused_figure_stays_open_to_be_mended() {
    let mut app = fixtures::app();
    press(&mut app, "c⏎");
    assert_eq!(app.mode, Mode::Palette("cap ".to_owned(), None));
    press(&mut app, "0⏎");
    assert!(said(&app).contains("is a pause"), "{}", said(&app));
    assert_eq!(app.mode, Mode::Palette("cap 0".to_owned(), None));
}

#[test]
fn where_people_are_real_a_pause_asks_for_the_name_of_the_sale() {
    let mut app = fixtures::app();
    app.picture.environment = Environment::Prod;
    assert_eq!(press(&mut app, "p⏎"), Effect::None);
    assert!(said(&app).contains("type the sale's name"));
    let title = app.picture.title.clone();
    assert_eq!(press(&mut app, &title[..3]), Effect::None);
    let Effect::Send(sent) = press(&mut app, &format!("{}⏎", &title[3..])) else {
        panic!("{:?}", app.mode)
    };
    assert_eq!(sent.action, Steer::Pause);
    let mut drill = fixtures::app();
    assert!(matches!(press(&mut drill, "p⏎"), Effect::Send(_)));
}

#[test]
fn the_last_change_can_be_taken_back() {
    let mut app = fixtures::app();
    press(&mut app, "u");
    assert!(said(&app).contains("nothing was changed"));
    press(&mut app, "+⏎u");
    let Mode::Confirm(proposal, _) = &app.mode else {
        panic!("{:?}", app.mode)
    };
    assert_eq!(proposal.action, Steer::Rate(200));
}

#[test]
fn without_the_control_api_the_screen_is_read_only() {
    for keys in ["p", "+", "-", "r", "c"] {
        let mut app = fixtures::app();
        app.picture.feed = Feed::Lost("connection refused".to_owned());
        assert_eq!(press(&mut app, keys), Effect::None);
        assert_eq!(app.mode, Mode::Watch);
        assert_eq!(
            said(&app),
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
    press(&mut app, "1");
    assert_eq!((app.closes_at, app.view), (None, View::Mission));
    press(&mut app, "7");
    assert_eq!(app.view, View::Verdict);
}

#[test]
fn one_goes_in_by_panes_and_rows_and_out_again() {
    let mut app = fixtures::app();
    press(&mut app, "⇥⇥⇥⇥");
    assert_eq!(app.focus, Pane::Seats);
    press(&mut app, "⏎jj⏎");
    assert_eq!((app.view, app.cursor, app.opened), (View::Seats, 2, true));
    press(&mut app, "⎋⎋⎋");
    assert_eq!((app.view, app.opened), (View::Mission, false));
    press(&mut app, "3Gjj");
    assert_eq!(app.cursor, 3, "the last of four sections");
    press(&mut app, "7");
    assert_eq!(app.view, View::Seats, "there is no verdict yet");
}

#[test]
fn a_filter_narrows_rows_and_escape_lifts_it() {
    let mut app = fixtures::app();
    press(&mut app, "3/bal⏎");
    assert_eq!((view::rows(&app), app.filter.as_str()), (2, "bal"));
    press(&mut app, "⎋");
    assert_eq!((view::rows(&app), app.view), (4, View::Seats));
}

#[test]
fn commands_are_completed_with_tab_and_marked_with_arrows() {
    let mut app = fixtures::app();
    press(&mut app, ":th⇥");
    assert_eq!(app.mode, Mode::Palette("theme ".to_owned(), None));
    press(&mut app, "⇥⇥⏎");
    assert_eq!(app.theme.palette, Palette::Light);
    press(&mut app, ":vie⇥hea⇥⏎");
    assert_eq!(app.view, View::Health);
    press(&mut app, ":scale 30s⏎");
    assert_eq!(app.scale, 2);
    press(&mut app, ":nonsense⏎");
    assert!(said(&app).contains("there is no"), "{}", said(&app));
}

#[test]
fn advice_opens_the_command_it_suggests() {
    let mut app = fixtures::app();
    let mut picture = app.picture.clone();
    let mut snapshot = fixtures::snapshot();
    snapshot.queue.as_mut().unwrap().paused = true;
    picture.snapshot = Some(std::sync::Arc::new(snapshot));
    app.take(picture, app.now.plus_ms(500));
    press(&mut app, "6⏎");
    assert_eq!(app.mode, Mode::Palette("resume".to_owned(), None));
}

#[test]
fn keys_of_a_replay_say_so_when_it_is_live() {
    let mut app = fixtures::app();
    press(&mut app, ".");
    assert!(said(&app).contains("this is live"));
    let mut app = fixtures::replay();
    press(&mut app, " ..→>");
    let player = app.player.as_ref().unwrap();
    assert!(!player.is_playing());
    assert_eq!(player.position_ms(), 11_000);
    press(&mut app, "+");
    assert_eq!(said(&app), "read-only: this is a recording");
}
