//! What is wrong with a scenario file: where, what, and what to write instead.
//!
//! Rendered like a compiler's message, because a scenario is read and mended by people under time
//! pressure. The layout is snapshot-tested.

use serde_yaml::{Error as YamlError, Location};
use std::fmt;
use std::path::PathBuf;

/// Why a scenario could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("cannot read scenario {}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file was read and refused. Prints every problem with its place.
    #[error("{0}")]
    Invalid(Problems),
}

/// All problems of one file, at least one.
#[derive(Debug)]
pub struct Problems {
    /// The file's name, as given.
    pub file: String,
    /// The problems, in the order of the file.
    pub problems: Vec<Problem>,
    /// The file's lines, for the excerpts.
    lines: Vec<String>,
}

/// One mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// 1-based line and column, where known.
    pub at: Option<Place>,
    /// The field or key, dotted from the top: `sale.admission.cap`.
    pub field: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

/// A place in the file, 1-based, with the length of what is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
    /// Characters to underline.
    pub len: usize,
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        let fit = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Self {
            line: fit(location.line()),
            column: fit(location.column()),
            len: fit(location.span().len()),
        }
    }
}

impl Problems {
    /// `problems` of the file `file` with the text `text`, sorted by place.
    #[must_use]
    pub fn new(file: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.at);
        Self {
            file: file.to_owned(),
            problems,
            lines: text.lines().map(str::to_owned).collect(),
        }
    }

    /// A file that is not YAML of the right shape.
    #[must_use]
    pub fn of_yaml(file: &str, text: &str, error: &YamlError) -> Self {
        let at = error
            .location()
            .filter(|location| location.line() > 0)
            .map(Place::from);
        let (mut field, problem, remedy) = explain(error.without_snippet());
        if field.is_empty() {
            field = at.and_then(|at| key_before(text, at)).unwrap_or_default();
        }
        Self::new(
            file,
            text,
            vec![Problem {
                at,
                field,
                problem,
                remedy,
            }],
        )
    }
}

/// The key whose value is at `at`: the last `key:` before it on its line.
fn key_before(text: &str, at: Place) -> Option<String> {
    let line = text.lines().nth(at.line.checked_sub(1)?)?;
    let before: String = line.chars().take(at.column.saturating_sub(1)).collect();
    let (head, _) = before.rsplit_once(':')?;
    let key = head.rsplit(['{', ',', ' ', '[']).next()?;
    (!key.is_empty()).then(|| key.to_owned())
}

/// The field, the problem and the remedy of what the YAML reader refused.
fn explain(error: &YamlError) -> (String, String, String) {
    match error {
        YamlError::SerdeUnknownField { field, expected, .. } => (
            field.clone(),
            format!("unknown key `{field}`"),
            suggest(field, expected, "keys here"),
        ),
        YamlError::SerdeUnknownVariant {
            variant, expected, ..
        } => (
            variant.clone(),
            format!("unknown word `{variant}`"),
            suggest(variant, expected, "known here"),
        ),
        YamlError::SerdeMissingField { field, .. } => (
            (*field).to_owned(),
            format!("`{field}` is missing"),
            format!("add `{field}: ...` to this block"),
        ),
        YamlError::DuplicateMappingKey { key, .. } => {
            let key = key.clone().unwrap_or_default();
            (
                key.clone(),
                format!("`{key}` is given twice"),
                "keep one of the two".to_owned(),
            )
        }
        YamlError::Message { msg, .. } => (
            String::new(),
            msg.clone(),
            "every quantity carries its unit; see scenarios/club-night.yaml".to_owned(),
        ),
        other => (
            String::new(),
            plain_message(other),
            "see scenarios/club-night.yaml for the shape of a scenario".to_owned(),
        ),
    }
}

/// The reader's own words, on one line and without its excerpt.
fn plain_message(error: &YamlError) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or("not valid YAML");
    first.trim_start_matches("error: ").to_owned()
}

/// "did you mean `x`?" where something is close, and all that is known.
pub(super) fn suggest(word: &str, known: &[&str], known_as: &str) -> String {
    const CLOSE: f64 = 0.75;
    let best = known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), *candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let all = known.join(", ");
    match best {
        Some((score, candidate)) if score >= CLOSE => {
            format!("did you mean `{candidate}`? {known_as}: {all}")
        }
        _ => format!("{known_as}: {all}"),
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            self.write_one(f, problem)?;
        }
        Ok(())
    }
}

impl Problems {
    fn write_one(&self, f: &mut fmt::Formatter<'_>, problem: &Problem) -> fmt::Result {
        let name = if problem.field.is_empty() || problem.problem.contains(&format!("`{}`", problem.field)) {
            String::new()
        } else {
            format!("{}: ", problem.field)
        };
        let Some(at) = problem.at else {
            writeln!(f, "{}: {name}{}", self.file, problem.problem)?;
            return write!(f, "  = help: {}", problem.remedy);
        };
        writeln!(
            f,
            "{}:{}:{}: {name}{}",
            self.file, at.line, at.column, problem.problem
        )?;
        let gutter = at.line.to_string().len();
        if let Some(line) = self.lines.get(at.line.saturating_sub(1)) {
            let room = line.chars().count().saturating_sub(at.column - 1).max(1);
            let carets = "^".repeat(at.len.clamp(1, room));
            writeln!(f, "{:gutter$} |", "")?;
            writeln!(f, "{} | {line}", at.line)?;
            writeln!(f, "{:gutter$} | {}{carets}", "", " ".repeat(at.column - 1))?;
        }
        write!(f, "{:gutter$} = help: {}", "", problem.remedy)
    }
}
