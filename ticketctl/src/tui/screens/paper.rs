//! A screen read back: its words, its styles, the cell under a word; and keys pressed on it.

use crate::tui::{input, state::App, view};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::{Buffer, Cell},
    style::Color,
};

/// What a terminal of that size shows.
pub(super) fn screen(app: &App, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, app)).unwrap();
    terminal.backend().buffer().clone()
}

fn rows(buffer: &Buffer) -> impl Iterator<Item = &[Cell]> {
    buffer.content.chunks(usize::from(buffer.area.width))
}

/// Its words, row by row.
pub(super) fn text(buffer: &Buffer) -> String {
    rows(buffer)
        .map(|row| row.iter().map(Cell::symbol).collect::<String>())
        .map(|row| row.trim_end().to_owned() + "\n")
        .collect()
}

/// Each row as runs of equal style: `Red/Bold "BROKEN" | ...`. Plain stretches are left out.
pub(super) fn styles(buffer: &Buffer) -> String {
    let mut out = String::new();
    for (number, row) in rows(buffer).enumerate() {
        let mut runs: Vec<(String, String)> = Vec::new();
        for cell in row {
            let mut name = Vec::new();
            if cell.fg != Color::Reset {
                name.push(format!("{:?}", cell.fg));
            }
            if cell.bg != Color::Reset {
                name.push(format!("on {:?}", cell.bg));
            }
            if !cell.modifier.is_empty() {
                name.push(format!("{:?}", cell.modifier));
            }
            let name = name.join(" ");
            match runs.last_mut() {
                Some((last, text)) if *last == name => text.push_str(cell.symbol()),
                _ => runs.push((name, cell.symbol().to_owned())),
            }
        }
        let told = runs
            .into_iter()
            .filter(|(name, text)| !name.is_empty() && !text.trim().is_empty());
        let told: Vec<String> = told
            .map(|(name, text)| format!("{name} {:?}", text.trim()))
            .collect();
        out.push_str(&format!("{number:>2} {}\n", told.join(" | ")));
    }
    out
}

/// The cell where `word` starts.
pub(super) fn cell_at<'b>(buffer: &'b Buffer, word: &str) -> &'b Cell {
    for row in rows(buffer) {
        let line: Vec<&str> = row.iter().map(Cell::symbol).collect();
        for start in 0..line.len() {
            if line[start..].concat().starts_with(word) {
                return &row[start];
            }
        }
    }
    panic!("no \"{word}\" in\n{}", text(buffer));
}

/// Keys as typed; `⏎` and `⇥` are enter and tab.
pub(super) fn press(app: &mut App, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '⏎' => KeyCode::Enter,
            '⇥' => KeyCode::Tab,
            c => KeyCode::Char(c),
        };
        input::key(app, KeyEvent::new(code, KeyModifiers::NONE));
    }
}
