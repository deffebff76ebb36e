//! Cutting a run among workers and putting the results together again: one crowd, one verdict.
//!
//! A worker brings the visitors of its [`Segment`]. Everybody is drawn from the scenario's seed and
//! arrives relative to `opensAt`, so workers need agree on nothing but the sale itself. Latencies
//! travel as the filled slots of their histograms, which add up exactly; thresholds are judged once,
//! by whoever merges, over everybody.

pub mod handover;
mod result;

pub use result::{MergeError, SegmentResult, merge, merge_what_is_there, visitors_of};
pub(crate) use result::{add_seconds, add_up};

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A deterministic part of a crowd, written `3/8`: of eight workers the third, who brings every
/// visitor whose index leaves 2 when divided by 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Segment {
    /// From 1.
    nth: u32,
    of: u32,
}

/// Not a segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a segment such as `3/8`: the third of eight")]
pub struct NotASegment(String);

impl Segment {
    /// Everybody.
    pub const WHOLE: Self = Self { nth: 1, of: 1 };
    /// Most workers.
    const MOST: u32 = 10_000;

    /// The `nth` (from 1) of `of`.
    #[must_use]
    pub const fn new(nth: u32, of: u32) -> Option<Self> {
        if nth >= 1 && nth <= of && of <= Self::MOST {
            Some(Self { nth, of })
        } else {
            None
        }
    }

    /// Whether visitor `index` belongs to it.
    #[must_use]
    pub const fn has(self, index: u64) -> bool {
        index % self.of as u64 == (self.nth - 1) as u64
    }

    /// Which, from 1.
    #[must_use]
    pub const fn nth(self) -> u32 {
        self.nth
    }

    /// Of how many.
    #[must_use]
    pub const fn of(self) -> u32 {
        self.of
    }

    /// This segment's part of `n` connections or the like, at least 1.
    #[must_use]
    pub fn part_of(self, n: u32) -> u32 {
        (n / self.of + u32::from(n % self.of >= self.nth)).max(1)
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.nth, self.of)
    }
}

impl FromStr for Segment {
    type Err = NotASegment;

    fn from_str(text: &str) -> Result<Self, NotASegment> {
        let parse = || {
            let (nth, of) = text.trim().split_once('/')?;
            Self::new(nth.parse().ok()?, of.parse().ok()?)
        };
        parse().ok_or_else(|| NotASegment(text.to_owned()))
    }
}

impl From<Segment> for String {
    fn from(segment: Segment) -> Self {
        segment.to_string()
    }
}

impl TryFrom<String> for Segment {
    type Error = NotASegment;

    fn try_from(text: String) -> Result<Self, NotASegment> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn segments_are_read_as_they_are_written_and_nonsense_is_refused() {
        let third: Segment = "3/8".parse().unwrap();
        assert_eq!(
            (third.to_string().as_str(), third.has(2), third.has(3)),
            ("3/8", true, false)
        );
        for nonsense in ["", "3", "0/8", "9/8", "3/0", "-1/8", "a/b", "1/20000"] {
            let error = nonsense.parse::<Segment>().unwrap_err();
            assert!(error.to_string().contains("3/8"), "{error}");
        }
        let json = serde_json::to_string(&third).unwrap();
        assert_eq!(serde_json::from_str::<Segment>(&json).unwrap(), third);
    }

    proptest! {
        #[test]
        fn everybody_belongs_to_exactly_one_segment_and_parts_add_up(of in 1u32..200, index: u64, n in 0u32..100_000) {
            let segments: Vec<_> = (1..=of).filter_map(|nth| Segment::new(nth, of)).collect();
            prop_assert_eq!(segments.len(), of as usize);
            prop_assert_eq!(segments.iter().filter(|segment| segment.has(index)).count(), 1);
            let parts: u32 = segments.iter().map(|segment| segment.part_of(n)).sum();
            prop_assert_eq!(parts, n.max(of), "each has one at least");
        }
    }
}
