//! Which key does what. Bindings come from [`ENTRIES`] and may be replaced, action by action, in a
//! configuration; a key that would do two things is refused with both names.

mod action;
mod chord;

pub(crate) use action::{Action, ENTRIES};
pub(crate) use chord::Chord;

use std::{collections::BTreeMap, fmt};

/// Bindings without conflicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keymap(Vec<(Chord, Action)>);

/// What is wrong with a configuration, by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// e.g. `keys.freeze`.
    pub(crate) field: String,
    /// What is wrong.
    pub(crate) problem: String,
    /// What to do.
    pub(crate) remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.field, self.problem, self.remedy)
    }
}

impl Default for Keymap {
    fn default() -> Self {
        // The defaults are checked by a test: nothing in them is refused.
        Self(ENTRIES.iter().flat_map(|entry| usual(entry.name)).collect())
    }
}

/// The usual keys of the action called `name`.
fn usual(name: &str) -> Vec<(Chord, Action)> {
    let entries = ENTRIES.iter().filter(|entry| entry.name == name);
    entries
        .flat_map(|entry| entry.keys.iter().map(|key| (Chord::parse(key), entry.action)))
        .filter_map(|(chord, action)| Some((chord?, action)))
        .collect()
}

impl Keymap {
    /// The usual keys with those of `changed` (action's name to keys) in their place.
    ///
    /// # Errors
    /// Every problem at once.
    pub(crate) fn with(changed: &BTreeMap<String, Vec<String>>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut bindings: Vec<(Chord, Action, &str)> = Vec::new();
        for name in changed.keys() {
            if !ENTRIES.iter().any(|entry| entry.name == name) {
                problems.push(unknown(name));
            }
        }
        for entry in &ENTRIES {
            let field = || format!("keys.{}", entry.name);
            let chords = match changed.get(entry.name) {
                None => usual(entry.name).into_iter().map(|(chord, _)| chord).collect(),
                Some(keys) => read(keys, &field(), &mut problems),
            };
            if chords.is_empty() && matches!(entry.action, Action::Quit | Action::Help | Action::Back) {
                problems.push(Problem {
                    field: field(),
                    problem: "has no key".to_owned(),
                    remedy: "somebody has to find the way out: give it one".to_owned(),
                });
            }
            for chord in chords {
                match bindings.iter().find(|(bound, ..)| *bound == chord) {
                    Some((.., other)) if changed.contains_key(entry.name) || changed.contains_key(*other) => {
                        problems.push(conflict(chord, entry.name, other, changed));
                    }
                    _ => bindings.push((chord, entry.action, entry.name)),
                }
            }
        }
        if problems.is_empty() {
            Ok(Self(
                bindings
                    .into_iter()
                    .map(|(chord, action, _)| (chord, action))
                    .collect(),
            ))
        } else {
            Err(problems)
        }
    }

    /// What `chord` does.
    pub(crate) fn action(&self, chord: Chord) -> Option<Action> {
        self.0
            .iter()
            .find(|(bound, _)| *bound == chord)
            .map(|(_, action)| *action)
    }

    /// The keys of `action`, joined: `space f`.
    pub(crate) fn keys_of(&self, action: Action) -> String {
        let keys = self.0.iter().filter(|(_, bound)| *bound == action);
        keys.map(|(chord, _)| chord.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The first key of `action`, for the key line.
    pub(crate) fn key_of(&self, action: Action) -> Option<String> {
        let mut keys = self.0.iter().filter(|(_, bound)| *bound == action);
        keys.next().map(|(chord, _)| chord.to_string())
    }
}

fn read(keys: &[String], field: &str, problems: &mut Vec<Problem>) -> Vec<Chord> {
    let mut chords = Vec::new();
    for key in keys {
        match Chord::parse(key) {
            Some(chord) if chord.is_reserved() => problems.push(Problem {
                field: field.to_owned(),
                problem: "ctrl-c cannot be bound".to_owned(),
                remedy: "it always interrupts; choose another key".to_owned(),
            }),
            Some(chord) => chords.push(chord),
            None => problems.push(Problem {
                field: field.to_owned(),
                problem: format!("\"{key}\" is no key"),
                remedy: "write a character, or space, enter, tab, up, f5, ctrl-d, ...".to_owned(),
            }),
        }
    }
    chords
}

fn unknown(name: &str) -> Problem {
    let near = ENTRIES
        .iter()
        .map(|entry| (strsim::damerau_levenshtein(entry.name, name), entry.name))
        .min_by_key(|(distance, _)| *distance);
    Problem {
        field: format!("keys.{name}"),
        problem: "there is no such action".to_owned(),
        remedy: match near {
            Some((distance, near)) if distance <= 3 => format!("did you mean {near}?"),
            _ => "`ticketctl watch --print-keys` lists them".to_owned(),
        },
    }
}

fn conflict(chord: Chord, one: &str, other: &str, changed: &BTreeMap<String, Vec<String>>) -> Problem {
    // The field to look at is the one that was written by hand.
    let (mine, theirs) = if changed.contains_key(one) {
        (one, other)
    } else {
        (other, one)
    };
    Problem {
        field: format!("keys.{mine}"),
        problem: format!("\"{chord}\" also does {theirs}"),
        remedy: format!("choose another key, or give keys.{theirs} another one too"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(pairs: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        pairs
            .iter()
            .map(|(name, keys)| ((*name).to_owned(), owned(keys)))
            .collect()
    }

    fn problems(pairs: &[(&str, &[&str])]) -> Vec<String> {
        let problems = Keymap::with(&changed(pairs)).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_usual_keys_are_keys_without_conflict() {
        let usual: usize = ENTRIES.iter().map(|entry| entry.keys.len()).sum();
        assert_eq!(Keymap::default().0.len(), usual);
        assert_eq!(Keymap::with(&BTreeMap::new()), Ok(Keymap::default()));
        for (i, (chord, _)) in Keymap::default().0.iter().enumerate() {
            assert!(
                !Keymap::default().0[..i].iter().any(|(other, _)| other == chord),
                "{chord}"
            );
        }
    }

    #[test]
    fn keys_can_be_moved_and_exchanged() {
        let keymap = Keymap::with(&changed(&[("quit", &["x"]), ("freeze", &["q"])])).unwrap();
        assert_eq!(keymap.action(Chord::parse("x").unwrap()), Some(Action::Quit));
        assert_eq!(keymap.action(Chord::parse("q").unwrap()), Some(Action::Freeze));
        assert_eq!(keymap.action(Chord::parse("f").unwrap()), None);
        assert_eq!(keymap.keys_of(Action::Freeze), "q");
    }

    #[test]
    fn a_key_that_would_do_two_things_is_refused_with_both_names() {
        assert_eq!(
            problems(&[("freeze", &["q"])]),
            ["keys.freeze: \"q\" also does quit (choose another key, or give keys.quit another one too)"]
        );
        assert_eq!(problems(&[("freeze", &["z"]), ("rate", &["z"])]).len(), 1);
    }

    #[test]
    fn nonsense_is_named_with_its_field_and_all_at_once() {
        assert_eq!(
            problems(&[("frezee", &["z"]), ("help", &["spce"]), ("cap", &["ctrl-c"])]),
            [
                "keys.frezee: there is no such action (did you mean freeze?)",
                "keys.help: \"spce\" is no key (write a character, or space, enter, tab, up, f5, ctrl-d, ...)",
                "keys.help: has no key (somebody has to find the way out: give it one)",
                "keys.cap: ctrl-c cannot be bound (it always interrupts; choose another key)",
            ]
        );
    }
}
