//! Who comes: kinds of people, and of scripts, by what they do once in line.
//!
//! A persona is data; `crate::journey` acts on it. A kind is added here, in `schema` and in
//! `check::personas`, and every `match` on [`Behaviour`] then asks what it does there.

use super::units::Share;
use super::{Arrival, hazard::Hazard};
use serde::{Deserialize, Serialize};
use urr_core::audit::AttemptKind;

/// A part of the crowd that behaves alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persona {
    /// Which part.
    pub share: Share,
    /// How they behave.
    pub behaviour: Behaviour,
    /// When they come, if not with the rest of the crowd; shares add up to the whole.
    pub arrivals: Vec<Arrival>,
}

/// What a visitor does once in line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Waits as long as it takes, asks when told to, picks seats, pays.
    Buys {
        /// Mean time between steps, ms; each is drawn between half and one and a half of it.
        think_ms: u32,
    },
    /// Gets in, looks around, leaves.
    Browses {
        /// Mean time between looks, ms.
        think_ms: u32,
        /// How many seat maps are looked at.
        looks: u8,
    },
    /// Leaves the line when patience is over; buys if let in sooner.
    GivesUp {
        /// Mean patience, ms.
        patience_ms: u32,
    },
    /// Leaves the line when the wait it is shown is longer than it can bear.
    LosesHeart {
        /// Mean time between steps, ms.
        think_ms: u32,
        /// Which part of these people leaves at which shown wait.
        hazard: Hazard,
    },
    /// Presses refresh instead of waiting as told.
    Mashes {
        /// Mean time between steps, ms.
        think_ms: u32,
        /// Between two presses, ms.
        every_ms: u32,
    },
    /// Waits in several tabs under one visitor key, which must show one place.
    OpensTabs {
        /// Mean time between steps, ms.
        think_ms: u32,
        /// How many in all.
        tabs: u8,
        /// From one tab to the next, ms.
        apart_ms: u32,
    },
    /// Waits on a phone that sleeps and comes back; the page is loaded anew each time.
    Sleeps {
        /// Mean time between steps, ms.
        think_ms: u32,
        /// How long the phone stays on, ms.
        awake_ms: u32,
        /// How long it is off, ms.
        asleep_ms: u32,
    },
    /// Is let in and walks away without a word: the slot, and what it holds, must come back.
    Abandons {
        /// Mean time between steps, ms.
        think_ms: u32,
        /// How far it goes before.
        at: AbandonsAt,
    },
    /// Holds seats and comes back to pay only after this long.
    PaysLate {
        /// From hold to payment, ms.
        after_ms: u32,
    },
    /// Buys, but presses every button more than once.
    DoubleClicks {
        /// Mean time between steps, ms.
        think_ms: u32,
        /// Simultaneous joins.
        joins: u8,
        /// Simultaneous payment confirmations.
        confirms: u8,
    },
    /// A script that waits in line as it must, and inside reaches for several seats at once
    /// without looking twice.
    Grabs {
        /// Between two polls, ms, whatever it is told.
        every_ms: u32,
        /// Holds tried at once.
        reaches: u8,
    },
    /// A script that tries to get in without waiting.
    Intrudes {
        /// How.
        tricks: Vec<Trick>,
    },
}

impl Behaviour {
    /// The word scenario files use, e.g. `pays-late`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Buys { .. } => "buys",
            Self::Browses { .. } => "browses",
            Self::GivesUp { .. } => "gives-up",
            Self::LosesHeart { .. } => "loses-heart",
            Self::Mashes { .. } => "mashes",
            Self::OpensTabs { .. } => "opens-tabs",
            Self::Sleeps { .. } => "sleeps",
            Self::Abandons { .. } => "abandons",
            Self::PaysLate { .. } => "pays-late",
            Self::DoubleClicks { .. } => "double-clicks",
            Self::Grabs { .. } => "grabs",
            Self::Intrudes { .. } => "intrudes",
        }
    }

    /// Whether a script does this, not a person. What scripts win is counted apart.
    #[must_use]
    pub const fn is_bot(&self) -> bool {
        matches!(self, Self::Grabs { .. } | Self::Intrudes { .. })
    }
}

/// How far somebody goes who then walks away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AbandonsAt {
    /// Is let in and never looks.
    Door,
    /// Looks at seats.
    Seats,
    /// Holds seats and never pays.
    Hold,
}

/// A way to try the back door. Every one of them must be refused (law `no-back-door`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Trick {
    /// No entry token at all.
    NoToken,
    /// An entry token signed with a key of the intruder's own.
    ForgedToken,
    /// A genuine entry token of another user.
    ForeignUser,
    /// A genuine entry token of another sale.
    ForeignSale,
    /// A genuine entry token past its time.
    ExpiredToken,
    /// The waiting room's token where an entry token belongs.
    Tier1AsEntry,
    /// A refresh token where an access token belongs.
    RefreshAsAccess,
    /// `X-User-Id` instead of a login.
    IdentityHeader,
    /// A made-up position in tier 2, without the waiting room's token.
    MadeUpPosition,
    /// A place of one's own, altered to stand further ahead.
    TamperedPlace,
    /// The waiting room's token of one's own, altered to stand further ahead.
    TamperedToken,
}

impl Trick {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::NoToken,
        Self::ForgedToken,
        Self::ForeignUser,
        Self::ForeignSale,
        Self::ExpiredToken,
        Self::Tier1AsEntry,
        Self::RefreshAsAccess,
        Self::IdentityHeader,
        Self::MadeUpPosition,
        Self::TamperedPlace,
        Self::TamperedToken,
    ];

    /// The word scenario files use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoToken => "no-token",
            Self::ForgedToken => "forged-token",
            Self::ForeignUser => "foreign-user",
            Self::ForeignSale => "foreign-sale",
            Self::ExpiredToken => "expired-token",
            Self::Tier1AsEntry => "tier1-as-entry",
            Self::RefreshAsAccess => "refresh-as-access",
            Self::IdentityHeader => "identity-header",
            Self::MadeUpPosition => "made-up-position",
            Self::TamperedPlace => "tampered-place",
            Self::TamperedToken => "tampered-token",
        }
    }

    /// As the auditor calls it.
    #[must_use]
    pub const fn attempt(self) -> AttemptKind {
        match self {
            Self::NoToken => AttemptKind::NoEntryToken,
            Self::ForgedToken => AttemptKind::ForgedEntryToken,
            Self::ForeignUser => AttemptKind::OtherUsersToken,
            Self::ForeignSale => AttemptKind::OtherSalesToken,
            Self::ExpiredToken => AttemptKind::ExpiredToken,
            Self::Tier1AsEntry => AttemptKind::Tier1AsEntry,
            Self::RefreshAsAccess => AttemptKind::RefreshAsAccess,
            Self::IdentityHeader => AttemptKind::IdentityHeader,
            // All three claim a position that was never given.
            Self::MadeUpPosition | Self::TamperedPlace | Self::TamperedToken => AttemptKind::MadeUpPosition,
        }
    }
}
