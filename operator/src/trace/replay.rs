//! `operator replay TRACE`: what this version decides where a recorded one decided, and where the two
//! differ.

use super::Look;
use super::again;
use super::recorder::aside;
use crate::reconcile::chain;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// Differences told one by one; the rest is counted.
const SHOWN_MAX: usize = 100;

/// What to replay.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What `operator run --trace` wrote; FILE.1 beside it is read first.
    pub trace: PathBuf,
}

/// A field that is decided in another way now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Namespace and name of the sale.
    pub sale: String,
    /// Which look, and when.
    pub look: u64,
    /// When it was.
    pub at: String,
    /// The version that had decided.
    pub version: String,
    /// The field.
    pub field: String,
    /// What it had been.
    pub was: Value,
    /// What it is now.
    pub is: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sale,
            look,
            at,
            version,
            field,
            was,
            is,
        } = self;
        write!(
            f,
            "{sale}, look {look} at {at}: {field}: {version} decided {was}, this one {is}"
        )
    }
}

/// What a replay came to.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Looks that were decided again.
    pub looks: u64,
    /// Where this version decides otherwise: the first ones.
    pub differences: Vec<Difference>,
    /// How many there are in all.
    pub difference_count: u64,
    /// Lines that cannot be read, with the reason.
    pub unreadable: Vec<String>,
    /// The last line was cut off, as by a kill.
    pub is_cut: bool,
}

impl Replayed {
    /// Whether this version decides as the recorded one did, as far as can be told.
    #[must_use]
    pub const fn is_same(&self) -> bool {
        self.difference_count == 0 && self.unreadable.is_empty()
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        for line in &self.unreadable {
            writeln!(f, "{line}")?;
        }
        if self.is_cut {
            writeln!(f, "the last line is cut off and was left out")?;
        }
        write!(
            f,
            "{} looks, {} differences, {} lines that cannot be read",
            self.looks,
            self.difference_count,
            self.unreadable.len()
        )
    }
}

/// Replays the trace in `file`, and what was put aside before it.
///
/// # Errors
/// When there is no such file, or it cannot be read.
pub fn replay(file: &Path) -> anyhow::Result<Replayed> {
    let mut replayed = Replayed::default();
    let before = aside(file);
    if before.is_file() {
        read(&before, &mut replayed)?;
    }
    read(file, &mut replayed)?;
    Ok(replayed)
}

fn read(file: &Path, replayed: &mut Replayed) -> anyhow::Result<()> {
    let named = || format!("cannot read {}", file.display());
    let mut lines = BufReader::new(File::open(file).with_context(named)?);
    let mut text = Vec::new();
    for number in 1_u64.. {
        text.clear();
        if lines.read_until(b'\n', &mut text).with_context(named)? == 0 {
            break;
        }
        match Look::read(&text) {
            Ok(look) => again_and_compare(&look, replayed),
            Err(_) if text.last() != Some(&b'\n') => replayed.is_cut = true,
            Err(error) => {
                let line = format!("{}, line {number}: {}", file.display(), chain(&error));
                replayed.unreadable.push(line);
            }
        }
    }
    Ok(())
}

fn again_and_compare(look: &Look, replayed: &mut Replayed) {
    replayed.looks += 1;
    let is = match again::decide(&look.saw) {
        Some(decided) => serde_json::to_value(decided).unwrap_or_default(),
        None => json!("to keep the sale"),
    };
    let mut found = Vec::new();
    compare("", &look.decided, &is, &mut found);
    replayed.difference_count += found.len() as u64;
    for (field, was, is) in found {
        if replayed.differences.len() < SHOWN_MAX {
            replayed.differences.push(Difference {
                sale: look.sale.clone(),
                look: look.look,
                at: crate::mapping::time(look.saw.at).0.to_string(),
                version: look.version.clone(),
                field,
                was,
                is,
            });
        }
    }
}

/// The innermost fields in which `was` and `is` differ. What is absent counts as null: a field that a
/// newer version adds is a difference when it says something.
fn compare(path: &str, was: &Value, is: &Value, found: &mut Vec<(String, Value, Value)>) {
    if was == is {
        return;
    }
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            let mut names: Vec<&String> = was.keys().chain(is.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                let of = |side: &serde_json::Map<String, Value>| side.get(name).cloned().unwrap_or_default();
                compare(&path, &of(was), &of(is), found);
            }
        }
        (Value::Array(was), Value::Array(is)) if was.len() == is.len() => {
            for (index, (was, is)) in was.iter().zip(is).enumerate() {
                compare(&format!("{path}[{index}]"), was, is, found);
            }
        }
        _ => found.push((path.to_owned(), was.clone(), is.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_by_its_innermost_field() {
        let mut found = Vec::new();
        let was = json!({"status": {"phase": "Open", "targets": [{"ready": 3}]}, "wakeMs": 5});
        let is = json!({"status": {"phase": "Open", "targets": [{"ready": 4}], "line": null}, "wakeMs": 5});
        compare("", &was, &is, &mut found);
        assert_eq!(
            found,
            [("status.targets[0].ready".to_owned(), json!(3), json!(4))]
        );
        found.clear();
        compare("", &json!({"a": [1]}), &json!({"a": [1, 2]}), &mut found);
        assert_eq!(found, [("a".to_owned(), json!([1]), json!([1, 2]))]);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_no_agreement_but_a_cut_one_is_only_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("trace");
        std::fs::write(&file, "{}\n{\"sale\": \"x").unwrap();
        let replayed = replay(&file).unwrap();
        assert!(!replayed.is_same() && replayed.is_cut);
        assert!(
            replayed
                .to_string()
                .contains("line 1: written by version unknown: missing field"),
            "{replayed}"
        );
        std::fs::write(&file, "{\"sale\": \"x").unwrap();
        assert!(replay(&file).unwrap().is_same());
        assert!(replay(&dir.path().join("none")).is_err());
    }
}
