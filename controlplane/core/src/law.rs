//! The laws of the house (design.md section 3) by name.
//!
//! Audit findings, metrics, alerts and tests all use these names; renaming one breaks dashboards.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A law that holds in every sale, whatever fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    /// A seat has at most one confirmed owner; sold + held + free = capacity.
    NoOversell,
    /// Active users of a sale never exceed its cap.
    HardCap,
    /// Positions are unique and people are admitted in position order.
    FairOrder,
    /// Joining twice gives the same place.
    OnePlace,
    /// Waiting costs no storage I/O.
    FreePoll,
    /// The serving counter never goes back and never passes the last issued position.
    MonotoneServing,
    /// The admitted rate never exceeds ready capacity.
    CapacityFirst,
    /// The opening happens within 250 ms of `opensAt`.
    OnTime,
    /// No reservation without a valid entry token, bound to that user and that sale.
    NoBackDoor,
    /// Every charge ends as a ticket or a refund.
    PaidMeansTicket,
    /// A writer that lost its lease, lock or hold cannot write.
    Fenced,
}

impl Law {
    /// All laws, in the order reports print them.
    pub const ALL: [Self; 11] = [
        Self::NoOversell,
        Self::HardCap,
        Self::FairOrder,
        Self::OnePlace,
        Self::FreePoll,
        Self::MonotoneServing,
        Self::CapacityFirst,
        Self::OnTime,
        Self::NoBackDoor,
        Self::PaidMeansTicket,
        Self::Fenced,
    ];

    /// The law's name as the house writes it, e.g. `no-oversell`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoOversell => "no-oversell",
            Self::HardCap => "hard-cap",
            Self::FairOrder => "fair-order",
            Self::OnePlace => "one-place",
            Self::FreePoll => "free-poll",
            Self::MonotoneServing => "monotone-serving",
            Self::CapacityFirst => "capacity-first",
            Self::OnTime => "on-time",
            Self::NoBackDoor => "no-back-door",
            Self::PaidMeansTicket => "paid-means-ticket",
            Self::Fenced => "fenced",
        }
    }

    /// What the law says, in one sentence for a report.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::NoOversell => "A seat has at most one confirmed owner; sold + held + free = capacity.",
            Self::HardCap => "Active users never exceed the cap, at any instant, on any path.",
            Self::FairOrder => "Positions are unique and people are admitted in position order.",
            Self::OnePlace => "Joining twice gives the same place; a place is never lost.",
            Self::FreePoll => "Waiting costs no storage I/O.",
            Self::MonotoneServing => {
                "The serving counter never goes back and never passes the last position."
            }
            Self::CapacityFirst => "The admitted rate never exceeds ready capacity.",
            Self::OnTime => "The opening happens within 250 ms of the announced instant.",
            Self::NoBackDoor => "No reservation without a valid entry token for that user and sale.",
            Self::PaidMeansTicket => "Every charge ends as a ticket or a refund.",
            Self::Fenced => "A writer that lost its hold cannot write.",
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
