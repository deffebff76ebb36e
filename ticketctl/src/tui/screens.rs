//! Whole screens, as people see them: every size class, with and without colour and UTF-8.

use super::{
    fixtures::{self, FULL},
    input,
    state::App,
    theme::Theme,
    view,
};
use crate::picture::{Feed, LawVerdict, Picture};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};
use std::sync::Arc;

const SIZES: [(u16, u16); 6] = [(200, 50), (120, 36), (80, 24), (60, 20), (40, 10), (30, 8)];

const NO_COLOUR: Theme = Theme {
    colour: false,
    unicode: true,
};
const ASCII: Theme = Theme {
    colour: false,
    unicode: false,
};

fn screen(app: &App, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, app)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    buffer
        .content
        .chunks(width)
        .map(|row| row.iter().map(Cell::symbol).collect::<String>())
        .map(|row| row.trim_end().to_owned() + "\n")
        .collect()
}

/// The cell where `word` starts.
fn cell_at<'b>(buffer: &'b Buffer, word: &str) -> &'b Cell {
    let width = usize::from(buffer.area.width);
    for row in buffer.content.chunks(width) {
        let line: Vec<&str> = row.iter().map(Cell::symbol).collect();
        for start in 0..line.len() {
            if line[start..].concat().starts_with(word) {
                return &row[start];
            }
        }
    }
    panic!("no \"{word}\" in\n{}", text(buffer));
}

#[test]
fn mission_control_at_every_size() {
    for (width, height) in SIZES {
        let shown = text(&screen(&fixtures::app(), (width, height)));
        insta::assert_snapshot!(format!("mission_control_{width}x{height}"), shown);
    }
}

#[test]
fn the_verdict_at_every_size() {
    for (width, height) in SIZES {
        let shown = text(&screen(&fixtures::finished(), (width, height)));
        insta::assert_snapshot!(format!("verdict_{width}x{height}"), shown);
    }
}

#[test]
fn a_broken_law_comes_with_its_example() {
    let mut app = fixtures::finished();
    app.picture.verdict = Some(Arc::new(fixtures::verdict(LawVerdict::Broken)));
    let buffer = screen(&app, (120, 36));
    insta::assert_snapshot!("verdict_broken_120x36", text(&buffer));
    assert_eq!(cell_at(&buffer, "BROKEN").fg, Color::Red);
}

#[test]
fn before_anything_is_known_every_pane_says_so() {
    let mut app = fixtures::app();
    app.picture = Picture::new("Club night");
    for (width, height) in SIZES {
        let shown = text(&screen(&app, (width, height)));
        assert!(shown.contains("Club night"), "{shown}");
    }
    insta::assert_snapshot!("starting_80x24", text(&screen(&app, (80, 24))));
}

#[test]
fn without_colour_nothing_is_coloured_and_nothing_is_lost() {
    let mut plain = fixtures::app();
    plain.theme = NO_COLOUR;
    for size in SIZES {
        let colourful = screen(&fixtures::app(), size);
        let buffer = screen(&plain, size);
        assert_eq!(text(&colourful), text(&buffer), "same words at {size:?}");
        assert!(
            buffer
                .content
                .iter()
                .all(|c| c.fg == Color::Reset && c.bg == Color::Reset)
        );
    }
    let buffer = screen(&plain, (120, 36));
    assert!(cell_at(&buffer, "DRILL").modifier.contains(Modifier::REVERSED));
    assert!(cell_at(&buffer, "! WARN").modifier.contains(Modifier::BOLD));
}

#[test]
fn with_colour_a_phase_and_a_warning_have_theirs() {
    let buffer = screen(&fixtures::app(), (120, 36));
    assert_eq!(cell_at(&buffer, "● OPEN").fg, Color::Green);
    assert_eq!(cell_at(&buffer, "! WARN").fg, Color::Yellow);
    assert_eq!(cell_at(&buffer, "DRILL").bg, Color::Magenta);
}

#[test]
fn a_terminal_without_utf8_gets_ascii_only() {
    for mut app in [fixtures::app(), fixtures::finished()] {
        app.theme = ASCII;
        for size in SIZES {
            let shown = text(&screen(&app, size));
            assert!(shown.is_ascii(), "{size:?}\n{shown}");
        }
    }
    let mut app = fixtures::app();
    app.theme = ASCII;
    insta::assert_snapshot!("ascii_80x24", text(&screen(&app, (80, 24))));
}

#[test]
fn stale_data_is_grey_and_labelled_with_its_age() {
    let mut app = fixtures::app();
    app.tick(app.now.plus_s(9));
    let buffer = screen(&app, (120, 36));
    assert!(text(&buffer).contains("STALE, age 9.3 s"));
    assert_eq!(cell_at(&buffer, "3,640").fg, Color::DarkGray);
    app.picture.feed = Feed::Lost("connection refused".to_owned());
    let buffer = screen(&app, (120, 36));
    assert!(text(&buffer).contains("LOST, age 9.3 s"));
    assert!(text(&buffer).contains("read-only"));
}

#[test]
fn a_change_is_previewed_before_it_is_made() {
    let mut app = fixtures::app();
    input::key(&mut app, KeyEvent::new(KeyCode::Char('+'), KeyModifiers::NONE));
    insta::assert_snapshot!("preview_80x24", text(&screen(&app, (80, 24))));
    input::key(&mut app, KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
    input::key(&mut app, KeyEvent::new(KeyCode::Char('?'), KeyModifiers::NONE));
    insta::assert_snapshot!("help_80x24", text(&screen(&app, (80, 24))));
}

#[test]
fn no_size_panics() {
    for theme in [FULL, ASCII] {
        for mut app in [fixtures::app(), fixtures::finished()] {
            app.theme = theme;
            for width in [1, 2, 10, 59, 60, 79, 81, 99, 100, 250] {
                for height in [1, 2, 7, 19, 20, 23, 29, 30, 80] {
                    screen(&app, (width, height));
                }
            }
        }
    }
}
