//! Why a command could not do what it was asked: what failed, why, and what to do about it.

use crate::exit::Exit;
use std::{error::Error, fmt};

/// A command's error, as the person is told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    what: String,
    why: Option<String>,
    remedy: Option<String>,
    /// What the process exits with.
    pub(crate) exit: Exit,
}

impl Failure {
    /// Bad input: exit 2.
    pub(crate) fn bad_input(what: impl Into<String>) -> Self {
        Self::new(Exit::BadInput, what)
    }

    /// Anything else: `exit`.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: None,
            remedy: None,
            exit,
        }
    }

    /// The same, because of `cause` and what caused that.
    #[must_use]
    pub(crate) fn because(mut self, cause: &dyn Error) -> Self {
        self.why = Some(with_causes(cause));
        self
    }

    /// The same, with another exit code.
    #[cfg(feature = "cluster")]
    #[must_use]
    pub(crate) const fn exiting(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The same, with a sentence on what to do.
    #[must_use]
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(why) = &self.why {
            write!(f, ": {why}")?;
        }
        if let Some(remedy) = &self.remedy {
            write!(f, "\n  = help: {remedy}")?;
        }
        Ok(())
    }
}

/// An error and what caused it, on one line each way the error itself wants it.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some crates repeat their cause in their own sentence.
        if !text.contains(&more) {
            text.push_str(&format!(": {more}"));
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        let io = std::io::Error::other("disk on fire");
        let failure = Failure::bad_input("cannot read x")
            .because(&io)
            .remedy("put it out");
        assert_eq!(
            failure.to_string(),
            "cannot read x: disk on fire\n  = help: put it out"
        );
        assert_eq!(failure.exit, Exit::BadInput);
    }
}
