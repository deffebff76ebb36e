//! What can run, and be killed, as a process of its own.

use serde::{Deserialize, Serialize};

/// Something that can run, and be killed, as a process of its own.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
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

    /// Whether it keeps what it knows in a database of its own.
    #[must_use]
    pub const fn has_database(self) -> bool {
        matches!(
            self,
            Self::Auth
                | Self::Catalog
                | Self::Booking
                | Self::Payment
                | Self::Stats
                | Self::Community
                | Self::Notification
        )
    }

    /// Whether it is a process of its own in every drill.
    #[must_use]
    pub const fn always_separate(self) -> bool {
        matches!(self, Self::ControlPlane | Self::Testpay | Self::Gateway)
    }
}

/// Something that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// When, in ms from `opensAt`; negative before it.
    pub at_ms: i64,
    /// To whom.
    pub process: Process,
    /// What.
    pub harm: Harm,
}

/// What is done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// `kill -9`.
    Kill {
        /// When it is started again, ms after the kill; `None` leaves it dead.
        restart_after_ms: Option<u32>,
    },
    /// It hears later from its database.
    Slow {
        /// How much later each statement is answered, ms.
        by_ms: u32,
        /// For how long, ms.
        for_ms: u32,
    },
}
