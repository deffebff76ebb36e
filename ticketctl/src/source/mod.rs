//! Files people write: scenarios and TicketSales, told apart by what is in them.

#[cfg(feature = "cluster")]
mod lines;
#[cfg(feature = "cluster")]
mod ticket_sale;

use crate::failure::Failure;
use std::{fmt, path::Path};
use urr_core::sale::Sale;
use urr_loadgen::{
    Scenario,
    scenario::{Problems, ScenarioError},
};

/// What was in a file.
pub(crate) enum Source {
    /// An opening to rehearse.
    Scenario(Box<Scenario>),
    /// A sale to hold, as core knows it, and how many are expected in its worst second.
    #[cfg_attr(
        not(feature = "cluster"),
        expect(dead_code, reason = "a TicketSale is a cluster's kind")
    )]
    Sale(Box<Sale>, Option<u32>),
}

/// Why a file cannot be used.
#[derive(Debug)]
pub(crate) enum SourceError {
    /// It could not be read.
    Unreadable(Failure),
    /// It could be read, and is wrong: every problem with its place.
    Invalid(Problems),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(failure) => failure.fmt(f),
            Self::Invalid(problems) => problems.fmt(f),
        }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Unreadable(failure) => failure,
            SourceError::Invalid(problems) => Self::bad_input(problems.to_string()),
        }
    }
}

/// Reads the scenario or the one sale in `file`.
pub(crate) fn read(file: &Path) -> Result<Source, Failure> {
    let mut sources = read_all(file)?;
    match (sources.pop(), sources.len()) {
        (Some(source), 0) => Ok(source),
        (Some(_), more) => Err(
            Failure::bad_input(format!("{} holds {} sales", file.display(), more + 1))
                .remedy("give a file with one"),
        ),
        (None, _) => Err(Failure::bad_input(format!("{} holds no sale", file.display()))),
    }
}

/// Reads everything in `file`; `-` is stdin.
pub(crate) fn read_all(file: &Path) -> Result<Vec<Source>, SourceError> {
    let text = text_of(file).map_err(SourceError::Unreadable)?;
    parse(&file.display().to_string(), &text)
}

/// Reads everything in `text`; `file` names it in messages.
pub(crate) fn parse(file: &str, text: &str) -> Result<Vec<Source>, SourceError> {
    if !has_top_key(text, "apiVersion") && !has_top_key(text, "kind") {
        return match Scenario::parse(file, text) {
            Ok(scenario) => Ok(vec![Source::Scenario(Box::new(scenario))]),
            Err(ScenarioError::Invalid(problems)) => Err(SourceError::Invalid(problems)),
            Err(error @ ScenarioError::Unreadable { .. }) => {
                Err(SourceError::Unreadable(Failure::bad_input(error.to_string())))
            }
        };
    }
    #[cfg(feature = "cluster")]
    {
        let sales = ticket_sale::parse(file, text)?;
        Ok(sales
            .into_iter()
            .map(|(sale, peak_per_s)| Source::Sale(Box::new(sale), peak_per_s))
            .collect())
    }
    #[cfg(not(feature = "cluster"))]
    Err(SourceError::Unreadable(Failure::bad_input(format!(
        "{file} is a Kubernetes object, and this build knows none"
    ))))
}

/// Whether `text` has `key` at the top level of its first document.
pub(crate) fn has_top_key(text: &str, key: &str) -> bool {
    let yaml = |line: &str| {
        let rest = line.strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    // JSON is YAML too, and people pipe it.
    let json = || {
        text.trim_start().starts_with('{')
            && serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.get(key).is_some())
    };
    text.lines().any(yaml) || json()
}

/// The objects in `text`, as they are written.
#[cfg(feature = "cluster")]
pub(crate) fn documents(text: &str) -> Result<Vec<serde_json::Value>, Failure> {
    let parts = ticket_sale::documents(text);
    let trees = parts.into_iter().map(|(_, part)| lines::Node::of(&part));
    trees
        .map(|tree| {
            tree.map(|held| held.node.value())
                .map_err(|error| Failure::bad_input(error.to_string()))
        })
        .collect()
}

/// The text of `file`; `-` is stdin.
pub(crate) fn text_of(file: &Path) -> Result<String, Failure> {
    if file == Path::new("-") {
        let mut text = String::new();
        return std::io::Read::read_to_string(&mut std::io::stdin(), &mut text)
            .map(|_| text)
            .map_err(|error| Failure::bad_input("cannot read stdin").because(&error));
    }
    std::fs::read_to_string(file)
        .map_err(|error| Failure::bad_input(format!("cannot read {}", file.display())).because(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is_shows_at_its_top() {
        assert!(has_top_key("a: 1\napiVersion: x\n", "apiVersion"));
        assert!(!has_top_key("spec:\n  apiVersion: x\n", "apiVersion"));
        assert!(has_top_key("{\"kind\": \"TicketSale\"}", "kind"));
    }
}
