//! How somebody likes the screen: colours and keys, from a file. Every mistake is named with its
//! field before the terminal is touched.

use super::{
    keymap::{ENTRIES, Keymap, Problem},
    theme::{Palette, Theme},
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The version of the format.
const VERSION: u32 = 1;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Field, problem and remedy, one per line.
        message: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    version: u32,
    #[serde(default)]
    theme: Option<String>,
    #[serde(default)]
    ascii: bool,
    #[serde(default)]
    keys: BTreeMap<String, OneOrMany>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// How the screen looks and listens.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Colours and glyphs.
    pub(crate) theme: Theme,
    /// Keys.
    pub(crate) keymap: Keymap,
    /// Whether steering is on from the start.
    pub(crate) armed: bool,
}

impl Options {
    /// From the environment and `file`; without a file from the usual place, if there is one.
    ///
    /// # Errors
    /// [`ConfigError`] with every mistake.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let usual = usual_place().filter(|path| path.exists());
        let mut options = Self::default();
        if let Some(path) = file.map(Path::to_owned).or(usual) {
            let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable {
                path: path.clone(),
                source,
            })?;
            options
                .read(&text)
                .map_err(|message| ConfigError::Malformed { path, message })?;
        }
        Ok(options)
    }

    /// `theme` instead of the configured one, if it is given. NO_COLOR wins over both.
    pub(crate) fn themed(mut self, palette: Option<Palette>) -> Self {
        if let Some(palette) = palette.filter(|_| self.theme.palette != Palette::Mono) {
            self.theme.palette = palette;
        }
        self
    }

    fn read(&mut self, text: &str) -> Result<(), String> {
        let file: File = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        let mut problems = Vec::new();
        let mut problem = |field: &str, problem: String, remedy: String| {
            problems.push(Problem {
                field: field.to_owned(),
                problem,
                remedy,
            });
        };
        if file.version != VERSION {
            let remedy = format!("this ticketctl reads version {VERSION}");
            problem("version", format!("is {}", file.version), remedy);
        }
        match file.theme.as_deref().map(|name| (name, Palette::named(name))) {
            Some((name, None)) => {
                let known = Palette::ALL.map(Palette::name).join(", ");
                problem(
                    "theme",
                    format!("there is no \"{name}\""),
                    format!("one of {known}"),
                );
            }
            // NO_COLOR (already applied) wins.
            Some((_, Some(palette))) if self.theme.palette != Palette::Mono => self.theme.palette = palette,
            _ => {}
        }
        self.theme.unicode &= !file.ascii;
        let keys = file.keys.into_iter().map(|(name, keys)| match keys {
            OneOrMany::One(key) => (name, vec![key]),
            OneOrMany::Many(keys) => (name, keys),
        });
        match Keymap::with(&keys.collect()) {
            Ok(keymap) => self.keymap = keymap,
            Err(wrong) => problems.extend(wrong),
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            theme: Theme::from_env(),
            keymap: Keymap::default(),
            armed: false,
        }
    }
}

/// `$XDG_CONFIG_HOME/ticketctl/tui.yaml`, by default under `~/.config`.
pub(crate) fn usual_place() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let config = set("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| set("HOME").map(|home| Path::new(&home).join(".config")))?;
    Some(config.join("ticketctl/tui.yaml"))
}

/// A configuration that says what is usual, to begin with.
pub(crate) fn template() -> String {
    let mut text = format!(
        "# Keys and colours of `ticketctl watch` and `ticketctl drill`: put this into\n\
         # ~/.config/ticketctl/tui.yaml and change what you like; what is left out stays as it is here.\n\
         version: {VERSION}\n\
         theme: dark # dark, light, high-contrast, mono; NO_COLOR wins\n\
         ascii: false\n\
         keys:\n"
    );
    for entry in &ENTRIES {
        let keys: Vec<String> = entry.keys.iter().map(|key| format!("\"{key}\"")).collect();
        text.push_str(&format!(
            "  {}: [{}] # {}\n",
            entry.name,
            keys.join(", "),
            entry.says
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Options, String> {
        let mut options = Options {
            theme: Theme {
                palette: Palette::Dark,
                unicode: true,
            },
            ..Options::default()
        };
        options.read(text).map(|()| options)
    }

    #[test]
    fn the_template_says_what_is_usual() {
        let options = read(&template()).unwrap();
        assert_eq!(options.keymap, Keymap::default());
        assert_eq!(options.theme.palette, Palette::Dark);
    }

    #[test]
    fn colours_and_keys_are_read() {
        let options =
            read("version: 1\ntheme: light\nascii: true\nkeys: { quit: x, freeze: [q, z] }\n").unwrap();
        assert_eq!(
            options.theme,
            Theme {
                palette: Palette::Light,
                unicode: false
            }
        );
        assert_eq!(
            options.keymap.keys_of(super::super::keymap::Action::Freeze),
            "q z"
        );
    }

    #[test]
    fn mistakes_are_named_with_their_field_all_at_once() {
        let wrong = read("version: 2\ntheme: purple\nkeys: { freeze: q }\n").unwrap_err();
        assert_eq!(
            wrong.lines().collect::<Vec<_>>(),
            [
                "version: is 2 (this ticketctl reads version 1)",
                "theme: there is no \"purple\" (one of dark, light, high-contrast, mono)",
                "keys.freeze: \"q\" also does quit (choose another key, or give keys.quit another one too)",
            ]
        );
        let typo = read("version: 1\ncolours: dark\n").unwrap_err();
        assert!(typo.contains("colours"), "{typo}");
    }

    #[test]
    fn no_color_wins_over_the_file_and_the_flag() {
        let mut options = Options {
            theme: Theme {
                palette: Palette::Mono,
                unicode: true,
            },
            ..Options::default()
        };
        options.read("version: 1\ntheme: light\n").unwrap();
        assert_eq!(options.themed(Some(Palette::Dark)).theme.palette, Palette::Mono);
    }
}
