//! What an audit says. Wire format of the drill's JSON report: add fields, never change a meaning.

use crate::{law::Law, sale::SaleId, time::Millis};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Examples a finding carries at most: enough to start looking, few enough to print.
pub const EXAMPLES_MAX: usize = 10;

/// Findings on every law.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditReport {
    /// Which sale was audited.
    pub sale: SaleId,
    /// When the stores were read.
    pub taken_at: Millis,
    /// One per law, in the order of [`Law::ALL`].
    pub findings: Vec<Finding>,
}

/// What is known about one law.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The law.
    pub law: Law,
    /// Whether it held.
    pub verdict: Verdict,
    /// How many single facts were compared with it.
    pub checked: u64,
    /// One sentence: what was looked at, or why nothing could be.
    pub detail: String,
    /// What broke it, at most [`EXAMPLES_MAX`].
    pub examples: Vec<String>,
    /// For `Unproven`: the sale could not have produced evidence, so its absence is no failure.
    pub excused: bool,
}

/// Whether a law held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Everything checked agrees with it.
    Held,
    /// Something contradicts it.
    Broken,
    /// There was nothing to check.
    Unproven,
}

impl Finding {
    /// Whether a drill may end well with this: it held, or nothing could have been proven.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self.verdict {
            Verdict::Held => true,
            Verdict::Broken => false,
            Verdict::Unproven => self.excused,
        }
    }
}

impl AuditReport {
    /// Whether every finding passes.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.findings.iter().all(Finding::passes)
    }

    /// The finding on one law.
    #[must_use]
    pub fn finding(&self, law: Law) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.law == law)
    }

    /// The laws that something contradicts.
    pub fn broken(&self) -> impl Iterator<Item = Law> + '_ {
        self.findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Broken)
            .map(|finding| finding.law)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Held => "held",
            Self::Broken => "BROKEN",
            Self::Unproven => "unproven",
        })
    }
}
