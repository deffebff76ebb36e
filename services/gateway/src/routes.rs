//! Which path belongs to which service (api-contract.md section 2), and where that service is.
//!
//! `/internal/**` appears nowhere here on purpose: what has no row cannot be reached (R-GW-01).

use axum::Router;
use std::collections::BTreeMap;

/// A service that takes public calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Room {
    /// Accounts and sessions.
    Auth,
    /// Events, artists, admin.
    Catalog,
    /// Tier 1.
    Vwr,
    /// Tier 2.
    Queue,
    /// Seats, reservations, memberships, transfers.
    Booking,
    /// Payments.
    Payment,
    /// Statistics.
    Stats,
    /// Posts and news.
    Community,
    /// A user's own notifications.
    Notification,
    /// The waiting room's page.
    Page,
}

impl Room {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Auth,
        Self::Catalog,
        Self::Vwr,
        Self::Queue,
        Self::Booking,
        Self::Payment,
        Self::Stats,
        Self::Community,
        Self::Notification,
        Self::Page,
    ];

    /// The service's name on the command line and in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Catalog => "catalog",
            Self::Vwr => "vwr",
            Self::Queue => "queue",
            Self::Booking => "booking",
            Self::Payment => "payment",
            Self::Stats => "stats",
            Self::Community => "community",
            Self::Notification => "notification",
            Self::Page => "page",
        }
    }
}

/// Prefixes in order; the first that fits a whole path segment wins.
const TABLE: [(&str, Room); 20] = [
    ("/vwr-api/vwr", Room::Vwr),
    ("/vwr", Room::Page),
    ("/api/queue", Room::Queue),
    ("/api/seats", Room::Booking),
    ("/api/reservations", Room::Booking),
    ("/api/payments", Room::Payment),
    ("/api/events", Room::Catalog),
    ("/api/auth", Room::Auth),
    ("/api/tickets", Room::Booking),
    ("/api/memberships", Room::Booking),
    ("/api/transfers", Room::Booking),
    ("/api/time", Room::Booking),
    ("/api/artists", Room::Catalog),
    ("/api/image", Room::Catalog),
    // Upstream sent this to catalog and made it unreachable (quirk 29).
    ("/api/admin/vwr", Room::Vwr),
    ("/api/admin", Room::Catalog),
    ("/api/stats", Room::Stats),
    ("/api/community", Room::Community),
    ("/api/news", Room::Community),
    ("/api/notifications", Room::Notification),
];

/// The service a path (after the version rewrite) belongs to.
#[must_use]
pub(crate) fn room_of(path: &str) -> Option<Room> {
    TABLE
        .iter()
        .find(|(prefix, _)| under(path, prefix))
        .map(|(_, room)| *room)
}

/// Whether `path` is `prefix` or lies below it, by whole segments.
pub(crate) fn under(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where a service is.
#[derive(Clone, Debug)]
pub enum Backend {
    /// A router in this process.
    Mounted(Router),
    /// Another process, by base URL such as `http://127.0.0.1:3002`.
    Remote(String),
}

/// Where every service is. A service that is missing answers 404, as an unknown path does.
pub type Backends = BTreeMap<Room, Backend>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_public_path_of_the_contract_has_its_service() {
        for (path, room) in [
            ("/api/auth/login", Room::Auth),
            ("/api/payments/prepare", Room::Payment),
            ("/api/stats/overview", Room::Stats),
            ("/api/queue/check/x", Room::Queue),
            ("/api/events", Room::Catalog),
            ("/api/admin/events/x/cancel", Room::Catalog),
            ("/api/admin/vwr/activate/x", Room::Vwr),
            ("/api/image/upload", Room::Catalog),
            ("/api/seats/reserve", Room::Booking),
            ("/api/reservations", Room::Booking),
            ("/api/memberships/my", Room::Booking),
            ("/api/transfers", Room::Booking),
            ("/api/transfers/x/cancel", Room::Booking),
            ("/api/seats/reservation/x", Room::Booking),
            ("/api/admin/reservations/x/status", Room::Catalog),
            ("/api/time", Room::Booking),
            ("/api/community/posts", Room::Community),
            ("/api/news/x", Room::Community),
            ("/vwr-api/vwr/assign/x", Room::Vwr),
            ("/vwr/x", Room::Page),
            ("/vwr/assets/page-0.js", Room::Page),
        ] {
            assert_eq!(room_of(path), Some(room), "{path}");
        }
    }

    #[test]
    fn internal_and_unknown_paths_have_none() {
        for path in [
            "/internal/reservations/x/confirm",
            "/api/internal/users",
            "/api/seatsx/reserve",
            "/api",
            "/",
            "/vwr-api",
        ] {
            assert_eq!(room_of(path), None, "{path}");
        }
    }
}
