//! Whole screens, as people see them: every size class, every view, every theme, with and without
//! colour and UTF-8. Texts and styles are snapshots; what must not be lost is asserted by name.

mod paper;

use super::{
    fixtures::{self, FULL},
    state::{Mode, View},
    theme::{Palette, Theme},
};
use crate::picture::{Environment, Feed, LawVerdict, Picture};
use paper::{cell_at, press, screen, styles, text};
use ratatui::{
    buffer::Cell,
    style::{Color, Modifier},
};
use std::sync::Arc;

const SIZES: [(u16, u16); 6] = [(200, 50), (120, 36), (80, 24), (60, 20), (40, 10), (30, 8)];

const NO_COLOUR: Theme = Theme {
    palette: Palette::Mono,
    unicode: true,
};
const ASCII: Theme = Theme {
    palette: Palette::Mono,
    unicode: false,
};

#[test]
fn mission_control_at_every_size() {
    for (width, height) in SIZES {
        let shown = text(&screen(&fixtures::app(), (width, height)));
        insta::assert_snapshot!(format!("mission_control_{width}x{height}"), shown);
    }
}

#[test]
fn every_view_has_a_screen_of_its_own() {
    for view in View::ALL {
        for (width, height) in [(120, 36), (80, 24), (60, 20)] {
            let mut app = fixtures::app();
            app.show(view);
            let shown = text(&screen(&app, (width, height)));
            if width == 120 && !matches!(view, View::Mission | View::Verdict) {
                insta::assert_snapshot!(format!("view_{}_120x36", view.name()), shown);
            }
            assert!(shown.contains("T+00:00:12"), "{shown}");
        }
    }
}

#[test]
fn a_row_opens_to_all_that_is_known_of_it() {
    for (name, keys) in [
        ("section", "3jj⏎"),
        ("law", "5jj⏎"),
        ("event", "6G⏎"),
        ("step", "4jjjjj⏎"),
    ] {
        let mut app = fixtures::app();
        press(&mut app, keys);
        insta::assert_snapshot!(format!("opened_{name}_80x24"), text(&screen(&app, (80, 24))));
    }
}

#[test]
fn any_pane_can_fill_the_screen() {
    let mut app = fixtures::app();
    press(&mut app, "⇥⇥⇥e");
    let shown = text(&screen(&app, (80, 24)));
    insta::assert_snapshot!("expanded_80x24", shown);
}

#[test]
fn an_adaptive_rate_shows_its_bounds_and_why_it_moves() {
    for (width, height) in [(200, 50), (80, 24), (60, 20)] {
        let mut app = fixtures::app();
        let mut picture = app.picture.clone();
        picture.snapshot = Some(Arc::new(fixtures::adaptive()));
        app.take(picture, app.now);
        let buffer = screen(&app, (width, height));
        insta::assert_snapshot!(format!("adaptive_{width}x{height}"), text(&buffer));
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
fn a_verdict_that_closes_by_itself_says_when_on_narrow_screens_too() {
    let mut app = fixtures::finished();
    app.closes_at = Some(app.now.plus_s(30));
    for size in [(200, 50), (80, 24), (60, 20)] {
        let shown = text(&screen(&app, size));
        assert!(shown.contains("quit closes in 30 s, any key keeps it"), "{shown}");
    }
}

#[test]
fn the_verdict_tells_how_an_adaptive_rate_moved() {
    for (width, height) in [(200, 50), (120, 36), (100, 24), (80, 24), (60, 20)] {
        let app = fixtures::followed(&[220, 242, 150]);
        let shown = text(&screen(&app, (width, height)));
        assert!(shown.contains("200/s to 150/s, 50 to 400"), "{shown}");
        insta::assert_snapshot!(format!("verdict_adaptive_{width}x{height}"), shown);
        let stayed = text(&screen(&fixtures::followed(&[]), (width, height)));
        assert!(stayed.contains("it stayed at 200/s"), "{stayed}");
        let other = text(&screen(&fixtures::finished(), (width, height)));
        assert!(
            !other.contains("rate followed") && !other.contains("200/s"),
            "{other}"
        );
    }
}

#[test]
fn of_more_steps_than_there_is_room_for_the_falls_are_told_and_the_rest_is_counted() {
    let rates = [220, 242, 266, 190, 209, 230, 253, 180, 198, 217, 239, 263];
    for (width, height) in [(120, 36), (80, 24)] {
        let app = fixtures::followed(&rates);
        let shown = text(&screen(&app, (width, height)));
        insta::assert_snapshot!(format!("verdict_adaptive_long_{width}x{height}"), shown);
        assert_eq!(shown.matches('▼').count(), 2, "{shown}");
        let told = shown.matches('▲').count() + 2;
        let counted = format!("and {} more steps", rates.len() - told);
        assert!(told == rates.len() || shown.contains(&counted), "{shown}");
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
fn a_law_seen_broken_is_red_on_every_size_at_once() {
    let mut app = fixtures::app();
    let mut picture = app.picture.clone();
    let mut snapshot = fixtures::snapshot();
    snapshot.at = snapshot.at.plus_s(1);
    snapshot.seats.as_mut().unwrap().sold += 1;
    picture.snapshot = Some(Arc::new(snapshot));
    app.take(picture, app.now.plus_s(1));
    for size in SIZES {
        let buffer = screen(&app, size);
        assert!(text(&buffer).to_lowercase().contains("law"), "{size:?}");
        assert_eq!(
            cell_at(&buffer, "BROKEN").fg,
            Color::Red,
            "{size:?}\n{}",
            text(&buffer)
        );
    }
    assert!(text(&screen(&app, (120, 36))).contains("no-oversell was seen broken"));
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
fn what_nobody_measures_is_said_and_not_shown_as_zero() {
    let buffer = screen(&fixtures::production(), (120, 36));
    insta::assert_snapshot!("production_120x36", text(&buffer));
    assert_eq!(cell_at(&buffer, "PROD: real people").bg, Color::Red);
}

#[test]
fn the_environment_cannot_be_missed_in_any_theme() {
    for palette in Palette::ALL {
        for environment in [
            Environment::Prod,
            Environment::Unnamed,
            Environment::Named("apac".to_owned()),
        ] {
            let mut app = fixtures::production();
            app.theme.palette = palette;
            app.picture.environment = environment.clone();
            for size in SIZES {
                let buffer = screen(&app, size);
                let cell = cell_at(&buffer, &environment.word());
                let reversed = cell.modifier.contains(Modifier::REVERSED);
                assert!(cell.bg == Color::Red || reversed, "{palette:?} {size:?}");
            }
        }
    }
}

#[test]
fn without_colour_nothing_is_coloured_and_nothing_is_lost() {
    let mut plain = fixtures::app();
    plain.theme = NO_COLOUR;
    for view in View::ALL {
        for size in SIZES {
            let mut colourful = fixtures::app();
            colourful.show(view);
            plain.show(view);
            let (colourful, buffer) = (screen(&colourful, size), screen(&plain, size));
            assert_eq!(text(&colourful), text(&buffer), "same words at {size:?}");
            assert!(
                buffer
                    .content
                    .iter()
                    .all(|c| c.fg == Color::Reset && c.bg == Color::Reset)
            );
        }
    }
    plain.show(View::Mission);
    let buffer = screen(&plain, (120, 36));
    assert!(cell_at(&buffer, "DRILL").modifier.contains(Modifier::REVERSED));
    assert!(cell_at(&buffer, "! WARN").modifier.contains(Modifier::BOLD));
}

#[test]
fn every_theme_paints_the_same_words_in_its_own_way() {
    let words = text(&screen(&fixtures::app(), (80, 24)));
    for palette in Palette::ALL {
        let mut app = fixtures::app();
        app.theme.palette = palette;
        let buffer = screen(&app, (80, 24));
        assert_eq!(text(&buffer), words);
        insta::assert_snapshot!(format!("styles_{}_80x24", palette.name()), styles(&buffer));
    }
    let mut bright = fixtures::app();
    bright.theme.palette = Palette::HighContrast;
    let dimmed = |cell: &Cell| cell.fg == Color::Indexed(244) || cell.modifier.contains(Modifier::DIM);
    assert!(
        !screen(&bright, (120, 36)).content.iter().any(dimmed),
        "nothing is dim in high contrast"
    );
}

#[test]
fn with_colour_a_phase_and_a_warning_have_theirs() {
    let buffer = screen(&fixtures::app(), (120, 36));
    assert_eq!(cell_at(&buffer, "● OPEN").fg, Color::Green);
    assert_eq!(cell_at(&buffer, "! WARN").fg, Color::Yellow);
    assert_eq!(cell_at(&buffer, "DRILL").bg, Color::Magenta);
    assert_eq!(cell_at(&buffer, "STEERING").fg, Color::Yellow);
}

#[test]
fn a_terminal_without_utf8_gets_ascii_only() {
    for mut app in [
        fixtures::app(),
        fixtures::finished(),
        fixtures::followed(&[220, 150]),
        fixtures::production(),
        fixtures::replay(),
    ] {
        app.theme = ASCII;
        for view in View::ALL {
            app.show(view);
            for size in SIZES {
                let shown = text(&screen(&app, size));
                assert!(shown.is_ascii(), "{size:?}\n{shown}");
            }
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
    assert_eq!(cell_at(&buffer, "3,640").fg, Color::Indexed(244));
    app.picture.feed = Feed::Lost("connection refused".to_owned());
    let buffer = screen(&app, (120, 36));
    assert!(text(&buffer).contains("LOST, age 9.3 s"));
    assert!(text(&buffer).contains("read-only"));
}

#[test]
fn a_change_is_previewed_before_it_is_made() {
    let mut app = fixtures::app();
    press(&mut app, "+");
    insta::assert_snapshot!("preview_80x24", text(&screen(&app, (80, 24))));
    app.mode = Mode::Help(0);
    insta::assert_snapshot!("help_80x24", text(&screen(&app, (80, 24))));
    insta::assert_snapshot!("help_120x36", text(&screen(&app, (120, 36))));
    app.mode = Mode::Watch;
    press(&mut app, ":r⇥");
    insta::assert_snapshot!("palette_80x24", text(&screen(&app, (80, 24))));
}

#[test]
fn a_pause_where_people_are_real_asks_for_the_name() {
    let mut app = fixtures::production();
    press(&mut app, "Sp");
    let shown = text(&screen(&app, (80, 24)));
    insta::assert_snapshot!("pause_in_production_80x24", shown);
}

#[test]
fn a_recording_has_a_time_line() {
    let mut app = fixtures::replay();
    press(&mut app, " >");
    app.player
        .as_mut()
        .unwrap()
        .seek(super::command::Seek::Percent(30), None);
    let buffer = screen(&app, (120, 36));
    insta::assert_snapshot!("replay_120x36", text(&buffer));
    assert!(!text(&buffer).contains("STALE"), "what is long ago is not stale");
}

#[test]
fn a_recorded_opening_is_seen_again_as_it_was() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recording.ndjson");
    let recording = crate::recording::Recording::open(std::path::Path::new(file)).unwrap();
    let mut replay = super::replay::Replay::new(recording);
    let mut app = fixtures::app();
    app.player = Some(replay.player());
    app.picture = replay.picture();
    for (seconds, name) in [(0, "at_the_opening"), (4, "after")] {
        let to = super::command::Seek::Opening(seconds * 1000);
        let opens_at = app.picture.opens_at.or_else(|| {
            replay.show(&mut app).unwrap();
            app.picture.opens_at
        });
        app.player.as_mut().unwrap().seek(to, opens_at);
        replay.show(&mut app).unwrap();
        app.player.as_mut().unwrap().toggle();
        insta::assert_snapshot!(format!("recorded_{name}_120x36"), text(&screen(&app, (120, 36))));
        assert_eq!(app.laws.broken().count(), 0, "{:?}", app.laws);
    }
}

#[test]
fn no_size_panics() {
    for theme in [FULL, ASCII] {
        for mut app in [
            fixtures::app(),
            fixtures::finished(),
            fixtures::production(),
            fixtures::replay(),
        ] {
            app.theme = theme;
            for view in View::ALL {
                app.show(view);
                for opened in [false, true] {
                    app.opened = opened;
                    for size in [
                        (1, 1),
                        (10, 7),
                        (60, 20),
                        (79, 23),
                        (80, 24),
                        (99, 30),
                        (100, 29),
                        (250, 80),
                    ] {
                        screen(&app, size);
                    }
                }
            }
            for mode in [
                Mode::Help(3),
                Mode::Palette(String::new(), Some(4)),
                Mode::Filter("x".to_owned()),
            ] {
                app.mode = mode;
                for size in [(1, 1), (60, 20), (61, 21), (80, 24)] {
                    screen(&app, size);
                }
            }
        }
    }
}
