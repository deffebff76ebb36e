//! Lists of checks with remedies, as `doctor` and `preflight` print them.

use crate::output::{Cell, Table};
use serde::Serialize;
use std::fmt::Write as _;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    /// As it must be.
    Pass,
    /// It will do, but.
    Warn,
    /// Not so.
    Fail,
    /// Could not be looked at from here.
    Skip,
}

/// One thing that must be true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Check {
    name: String,
    outcome: Outcome,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Check {
    pub(crate) fn pass(name: &str, detail: impl Into<String>) -> Self {
        Self::new(name, Outcome::Pass, detail, None)
    }

    pub(crate) fn warn(name: &str, detail: impl Into<String>, remedy: &str) -> Self {
        Self::new(name, Outcome::Warn, detail, Some(remedy))
    }

    pub(crate) fn fail(name: &str, detail: impl Into<String>, remedy: &str) -> Self {
        Self::new(name, Outcome::Fail, detail, Some(remedy))
    }

    pub(crate) fn skip(name: &str, remedy: &str) -> Self {
        Self::new(name, Outcome::Skip, "not looked at", Some(remedy))
    }

    /// Passed when `holds`.
    pub(crate) fn that(holds: bool, name: &str, detail: impl Into<String>, remedy: &str) -> Self {
        if holds {
            Self::pass(name, detail)
        } else {
            Self::fail(name, detail, remedy)
        }
    }

    fn new(name: &str, outcome: Outcome, detail: impl Into<String>, remedy: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            outcome,
            detail: detail.into(),
            remedy: remedy.map(str::to_owned),
        }
    }

    pub(crate) fn failed(&self) -> bool {
        self.outcome == Outcome::Fail
    }
}

/// All checks, then what to do about those that are not well; words in colour where asked for.
pub(crate) fn table(checks: &[Check], colour: bool) -> String {
    let mut table = Table::new(&["", "CHECK", "FOUND"], &[]);
    for check in checks {
        // Never by colour alone, and no glyph a plain terminal lacks.
        let word = match check.outcome {
            Outcome::Pass => "ok",
            Outcome::Warn => "warn",
            Outcome::Fail => "FAIL",
            Outcome::Skip => "-",
        };
        table.row(vec![
            Cell::from(word),
            check.name.clone().into(),
            check.detail.clone().into(),
        ]);
    }
    let mut out = table.render(false, true);
    if colour {
        out = painted(&out);
    }
    for check in checks {
        if let Some(remedy) = &check.remedy {
            // Writing to a String cannot fail.
            let _ = write!(out, "\n{}: {remedy}", check.name);
        }
    }
    if checks.iter().any(|check| check.remedy.is_some()) {
        out.push('\n');
    }
    out
}

/// The first word of each line in its colour. After the columns were measured, so that escapes do
/// not count as width.
fn painted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let colour = match line.split_whitespace().next() {
            Some("ok") => Some("32"),
            Some("warn") => Some("33"),
            Some("FAIL") => Some("1;31"),
            _ => None,
        };
        match (colour, line.split_once(' ')) {
            (Some(colour), Some((word, rest))) => {
                // Writing to a String cannot fail.
                let _ = writeln!(out, "\x1b[{colour}m{word}\x1b[0m {rest}");
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_well_comes_with_its_remedy() {
        let checks = [
            Check::pass("Redis", "0.3 ms"),
            Check::fail("clock", "is 3 s behind", "let NTP keep it"),
            Check::skip("tokens", "give --public URL"),
        ];
        insta::assert_snapshot!(table(&checks, false));
        assert!(table(&checks, true).contains("\x1b[1;31mFAIL\x1b[0m"));
        assert!(checks[1].failed() && !checks[2].failed());
    }
}
