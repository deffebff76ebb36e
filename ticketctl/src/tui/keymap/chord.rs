//! A key as people write it: `q`, `space`, `ctrl-d`, `shift-right`, `f5`.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt;

/// A key with its modifiers. Shift counts only where it does not change the character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

const NAMED: [(&str, KeyCode); 15] = [
    ("space", KeyCode::Char(' ')),
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
];

impl Chord {
    /// The key that was pressed.
    pub(crate) fn of(event: KeyEvent) -> Self {
        Self::new(event.code, event.modifiers)
    }

    fn new(code: KeyCode, modifiers: KeyModifiers) -> Self {
        let mut modifiers = modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        // `G` is `G` whether the terminal tells of the shift or not, and so is backtab.
        if matches!(code, KeyCode::Char(_) | KeyCode::BackTab) {
            modifiers.remove(KeyModifiers::SHIFT);
        }
        Self { code, modifiers }
    }

    /// What `text` means; `None` when it is no key.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        // A lone `-` is a key, not a separator.
        while let Some((word, key)) = rest.split_once('-').filter(|(_, key)| !key.is_empty()) {
            modifiers |= match word {
                "ctrl" => KeyModifiers::CONTROL,
                "alt" => KeyModifiers::ALT,
                "shift" => KeyModifiers::SHIFT,
                _ => return None,
            };
            rest = key;
        }
        let mut chars = rest.chars();
        let code = match (chars.next()?, chars.next()) {
            (c, None) if !c.is_control() && c != ' ' => KeyCode::Char(c),
            _ => match NAMED.iter().find(|(name, _)| *name == rest) {
                Some((_, code)) => *code,
                None => KeyCode::F(
                    rest.strip_prefix('f')?
                        .parse()
                        .ok()
                        .filter(|n| (1..=12).contains(n))?,
                ),
            },
        };
        Some(Self::new(code, modifiers))
    }

    /// Ctrl-C always interrupts.
    pub(crate) fn is_reserved(self) -> bool {
        self == Self::new(KeyCode::Char('c'), KeyModifiers::CONTROL)
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (modifier, word) in [
            (KeyModifiers::CONTROL, "ctrl-"),
            (KeyModifiers::ALT, "alt-"),
            (KeyModifiers::SHIFT, "shift-"),
        ] {
            if self.modifiers.contains(modifier) {
                f.write_str(word)?;
            }
        }
        match (NAMED.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((name, _)), _) => f.write_str(name),
            (None, KeyCode::Char(c)) => write!(f, "{c}"),
            (None, KeyCode::F(n)) => write!(f, "f{n}"),
            (None, _) => f.write_str("?"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_as_they_are_written() {
        for text in [
            "q",
            "G",
            "?",
            "-",
            "+",
            ":",
            "space",
            "ctrl-d",
            "alt-x",
            "shift-right",
            "f5",
            "ctrl--",
        ] {
            assert_eq!(Chord::parse(text).map(|c| c.to_string()).as_deref(), Some(text));
        }
        for text in ["", "spce", "hyper-x", "f13", "f0", " ", "qq", "ctrl-"] {
            assert_eq!(Chord::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_capital_is_the_same_key_with_and_without_shift() {
        let pressed = |modifiers| Chord::of(KeyEvent::new(KeyCode::Char('G'), modifiers));
        assert_eq!(pressed(KeyModifiers::SHIFT), pressed(KeyModifiers::NONE));
        assert_ne!(pressed(KeyModifiers::CONTROL), pressed(KeyModifiers::NONE));
    }
}
