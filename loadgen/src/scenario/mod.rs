//! Scenarios: openings as data. What is sold, who comes, what breaks, and what must hold.
//!
//! A file is read by [`schema`], judged as a whole by [`check`] and becomes a [`Scenario`], in
//! which every number is possible and every unit known; the engine and the drill need no further
//! checks. What breaks if this changes: every file in `scenarios/` and everybody's own.

mod check;
mod error;
pub mod rules;
mod schema;
pub mod units;

pub use error::{Place, Problem, Problems, ScenarioError};
pub use rules::{Metric, Operator, Rule, Subject};
pub use units::Share;

use crate::arrivals::Curve;
use serde::{Deserialize, Serialize};
use std::path::Path;
use urr_core::audit::AttemptKind;
use urr_core::sale::{AdmissionSettings, CapacitySettings, Sale, SaleId, Schedule};
use urr_core::seating::{Hall, Section};
use urr_core::time::Millis;

/// An opening to rehearse, checked.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Short name, used in file names.
    pub name: String,
    /// What a person calls it.
    pub title: String,
    /// What it is for; may be empty.
    pub about: String,
    /// Where its figures come from.
    pub sources: Vec<String>,
    /// Everything random in a run follows from this.
    pub seed: u64,
    /// What is sold.
    pub sale: SalePlan,
    /// Who comes.
    pub crowd: Crowd,
    /// How many more come as real browsers: own client, own cookies, own connections.
    pub browsers: u32,
    /// How many of the crowd register and log in for real before the opening.
    pub registrations: u32,
    /// How the payment provider behaves.
    pub payment: PaymentProvider,
    /// What must hold for the run to pass.
    pub thresholds: Vec<Rule>,
    /// Services that run as processes of their own.
    pub processes: Vec<Process>,
    /// What is broken on purpose, in time order.
    pub faults: Vec<Fault>,
    /// Limits of the generator itself.
    pub limits: RunLimits,
}

/// What is sold, relative to an opening instant that the run decides.
#[derive(Debug, Clone, PartialEq)]
pub struct SalePlan {
    /// Where the show is.
    pub venue: String,
    /// From the start of the run to the opening, ms.
    pub opens_in_ms: i64,
    /// How long before the opening the waiting room takes people, ms.
    pub pre_queue_ms: i64,
    /// From opening to close, ms.
    pub duration_ms: i64,
    /// The hall.
    pub hall: Hall,
    /// Seats each buyer takes.
    pub seats_per_booking: u8,
    /// How people are let in.
    pub admission: AdmissionSettings,
    /// What the services behind the door bear.
    pub capacity: CapacitySettings,
}

/// Who comes and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Crowd {
    /// How many.
    pub visitors: u32,
    /// Along which curves; shares add up to the whole.
    pub arrivals: Vec<Arrival>,
    /// As whom; shares add up to the whole.
    pub personas: Vec<Persona>,
}

/// A part of the crowd that comes along one curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// Which part.
    pub share: Share,
    /// When.
    pub curve: Curve,
}

/// A part of the crowd that behaves alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persona {
    /// Which part.
    pub share: Share,
    /// How they behave.
    pub behaviour: Behaviour,
}

/// What a visitor does once in line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Waits as long as it takes, picks seats, pays.
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
    /// Tries to get in without waiting.
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
            Self::PaysLate { .. } => "pays-late",
            Self::DoubleClicks { .. } => "double-clicks",
            Self::Intrudes { .. } => "intrudes",
        }
    }
}

/// A way to try the back door. Every one of them must be refused (law `no-back-door`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
}

impl Trick {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::NoToken,
        Self::ForgedToken,
        Self::ForeignUser,
        Self::ForeignSale,
        Self::ExpiredToken,
        Self::Tier1AsEntry,
        Self::RefreshAsAccess,
        Self::IdentityHeader,
        Self::MadeUpPosition,
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
            Self::MadeUpPosition => AttemptKind::MadeUpPosition,
        }
    }
}

/// How the payment provider of the rehearsal behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentProvider {
    /// Time it takes to approve, ms.
    pub latency_ms: u32,
    /// Share of approvals it refuses.
    pub failures: Share,
}

/// Something that can run, and be killed, as a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Process {
    /// The control API; always a process of its own.
    ControlPlane,
    /// The payment provider; always a process of its own.
    Testpay,
    /// The public entry, with every service mounted that has no process of its own.
    Gateway,
    /// Accounts.
    Auth,
    /// Events.
    Catalog,
    /// Tier 1.
    Vwr,
    /// Tier 2.
    Queue,
    /// Seats and reservations.
    Booking,
    /// Payments.
    Payment,
    /// Figures.
    Stats,
    /// Community.
    Community,
    /// Notifications.
    Notification,
}

impl Process {
    /// The word scenario files and the command line use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ControlPlane => "control-plane",
            Self::Testpay => "testpay",
            Self::Gateway => "gateway",
            Self::Auth => "auth",
            Self::Catalog => "catalog",
            Self::Vwr => "vwr",
            Self::Queue => "queue",
            Self::Booking => "booking",
            Self::Payment => "payment",
            Self::Stats => "stats",
            Self::Community => "community",
            Self::Notification => "notification",
        }
    }

    /// Whether it is a process of its own in every drill.
    #[must_use]
    pub const fn always_separate(self) -> bool {
        matches!(self, Self::ControlPlane | Self::Testpay | Self::Gateway)
    }
}

/// A `kill -9` on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// When, in ms from `opensAt`; negative before it.
    pub at_ms: i64,
    /// Whom.
    pub kill: Process,
    /// When it is started again, ms after the kill; `None` leaves it dead.
    pub restart_after_ms: Option<u32>,
}

/// Limits of the generator itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLimits {
    /// The whole run, from its start, ms.
    pub run_at_most_ms: i64,
    /// Connections open at once for the crowd.
    pub connections: u32,
    /// How long a request may wait for a connection before it counts as dropped, ms.
    pub slot_wait_ms: u32,
    /// Share of requests that may start more than 100 ms late before the run is invalid.
    pub late_at_most: Share,
}

impl Scenario {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// [`ScenarioError::Unreadable`] or [`ScenarioError::Invalid`] with every problem found.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path).map_err(|source| ScenarioError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads and checks `text`; `file` names it in messages.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`] with every problem found.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        // Our own excerpts: the reader's stop at the first problem and know no remedies.
        let options = serde_yaml::options! { with_snippet: false };
        let raw: schema::File = serde_yaml::from_str_with_options(text, options)
            .map_err(|error| ScenarioError::Invalid(Problems::of_yaml(file, text, &error)))?;
        check::check(raw).map_err(|problems| ScenarioError::Invalid(Problems::new(file, text, problems)))
    }

    /// The sale this scenario rehearses when its clock starts at `now`.
    #[must_use]
    pub fn sale(&self, id: SaleId, now: Millis) -> Sale {
        let opens_at = now.plus_ms(self.sale.opens_in_ms);
        Sale {
            id,
            name: self.title.clone(),
            schedule: Schedule {
                pre_queue_at: opens_at.plus_ms(-self.sale.pre_queue_ms),
                opens_at,
                closes_at: opens_at.plus_ms(self.sale.duration_ms),
            },
            seats: u32::try_from(self.seats()).unwrap_or(u32::MAX),
            expected_visitors: u64::from(self.crowd.visitors) + u64::from(self.browsers),
            admission: self.sale.admission.clone(),
            capacity: self.sale.capacity,
        }
    }

    /// The hall.
    #[must_use]
    pub fn hall(&self) -> Hall {
        self.sale.hall.clone()
    }

    /// Seats in the hall.
    #[must_use]
    pub fn seats(&self) -> u64 {
        self.sale.hall.sections.iter().map(section_seats).sum()
    }
}

/// Seats of one section.
fn section_seats(section: &Section) -> u64 {
    u64::from(section.rows) * u64::from(section.seats_per_row)
}
