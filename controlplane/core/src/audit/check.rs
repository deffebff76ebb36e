//! The tally that every rule keeps.

use super::report::{EXAMPLES_MAX, Finding, Verdict};
use crate::law::Law;

/// Counts the facts that were compared with one law, and remembers the first that contradict it.
pub(super) struct Check {
    law: Law,
    checked: u64,
    contradictions: u64,
    examples: Vec<String>,
}

impl Check {
    pub(super) const fn of(law: Law) -> Self {
        Self {
            law,
            checked: 0,
            contradictions: 0,
            examples: Vec::new(),
        }
    }

    /// One fact: it agrees with the law, or `example` says how not.
    pub(super) fn that(&mut self, agrees: bool, example: impl FnOnce() -> String) {
        self.checked += 1;
        if agrees {
            return;
        }
        self.contradictions += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example());
        }
    }

    /// Facts compared so far.
    pub(super) const fn checked(&self) -> u64 {
        self.checked
    }

    /// The finding; `detail` says what was looked at.
    pub(super) fn conclude(self, detail: String) -> Finding {
        let verdict = if self.contradictions > 0 {
            Verdict::Broken
        } else {
            Verdict::Held
        };
        let detail = match self.contradictions {
            0 => detail,
            n => format!("{n} contradictions; {detail}"),
        };
        Finding {
            law: self.law,
            verdict,
            checked: self.checked,
            detail,
            examples: self.examples,
            excused: false,
        }
    }

    /// The finding if what should prove the law is missing: contradictions found on the way still
    /// break it, else it is unproven. `excused` if the sale could not have produced the evidence.
    pub(super) fn lacks(self, why: &str, excused: bool) -> Finding {
        if self.contradictions > 0 {
            return self.conclude(why.to_owned());
        }
        Finding {
            law: self.law,
            verdict: Verdict::Unproven,
            checked: self.checked,
            detail: why.to_owned(),
            examples: Vec::new(),
            excused,
        }
    }
}
