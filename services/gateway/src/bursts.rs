//! Buckets of one second (R-GW-06): a caller who bursts is stopped before he costs anybody anything.
//!
//! They live in this process: the shared minute of `limiter.rs` bounds what all replicas let pass
//! together, and this bounds what one of them takes at once, for the price of a map look-up. Each is
//! a token bucket of one second's worth, kept as the instant at which it will be full again.

use crate::{Config, caller::Caller, routes::under};
use axum::http::Method;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};
use urr_core::time::Millis;

/// Buckets kept. One is forgotten as soon as it is full again, so this many callers would have to
/// come within a second; beyond it some are let off rather than letting memory grow with a crowd.
const BUCKETS_MAX: usize = 200_000;

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Join,
    Login,
    Reads,
    QueueLook,
    QueueMove,
    Booking,
    Profile,
    Other,
}

impl Kind {
    fn of(method: &Method, path: &str) -> Self {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if is_join(method, path) {
            Self::Join
        } else if matches!(path, "/api/auth/login" | "/api/auth/register") {
            Self::Login
        } else if under(path, "/api/queue") {
            if reads { Self::QueueLook } else { Self::QueueMove }
        } else if reads {
            let public = ["/api/events", "/api/artists", "/api/venues", "/api/time"];
            if public.into_iter().any(|prefix| under(path, prefix)) {
                Self::Reads
            } else {
                Self::Other
            }
        } else if ["/api/seats", "/api/reservations", "/api/payments"]
            .into_iter()
            .any(|prefix| under(path, prefix))
        {
            Self::Booking
        } else if ["/api/auth", "/api/memberships", "/api/transfers"]
            .into_iter()
            .any(|prefix| under(path, prefix))
        {
            Self::Profile
        } else {
            Self::Other
        }
    }

    /// Calls a second for one user.
    const fn per_user(self) -> u32 {
        match self {
            Self::QueueLook => 60,
            Self::QueueMove | Self::Profile => 100,
            Self::Booking => 20,
            // Places are by visitor, not by account.
            Self::Join => 0,
            Self::Login | Self::Reads | Self::Other => 200,
        }
    }

    /// Calls a second from one address; 0 means no limit.
    const fn per_address(self, config: &Config) -> u32 {
        match self {
            Self::Join => config.burst_joins_per_s,
            Self::Login => config.burst_login_per_s,
            Self::Reads => config.burst_reads_per_s,
            Self::Booking => config.burst_booking_per_s,
            Self::QueueLook | Self::QueueMove | Self::Profile | Self::Other => config.burst_other_per_s,
        }
    }
}

/// Whether the call can take a place in a line. Of the waiting room's calls it alone is counted: polls
/// are paced by a budget.
pub(crate) fn is_join(method: &Method, path: &str) -> bool {
    *method == Method::POST && under(path, "/vwr-api/vwr/assign")
}

pub(crate) struct Bursts {
    config: Config,
    /// When the bucket will be full again, in 1/1000 ms: one call at 300 a second is 3.333 ms.
    full_at: Mutex<HashMap<(Kind, Caller), i64>>,
}

impl Bursts {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            full_at: Mutex::default(),
        }
    }

    /// Whether a call of this caller from this address is within its second.
    pub(crate) fn allows(
        &self,
        method: &Method,
        path: &str,
        caller: Caller,
        address: IpAddr,
        now: Millis,
    ) -> bool {
        let kind = Kind::of(method, path);
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX {
            let micros = now.0.saturating_mul(1000);
            buckets.retain(|_, full_at| *full_at > micros);
        }
        let user = match caller {
            Caller::User(_) => kind.per_user(),
            Caller::Address(_) => 0,
        };
        // Who is logged in is counted by name; carriers put thousands behind one address. But one
        // address with many accounts is what seats are grabbed with.
        let by_address =
            matches!(caller, Caller::Address(_)) || matches!(kind, Kind::Join | Kind::Login | Kind::Booking);
        let per_address = if by_address && !is_ours(address) {
            kind.per_address(&self.config)
        } else {
            0
        };
        take(&mut buckets, (kind, caller), user, now)
            && take(&mut buckets, (kind, Caller::Address(address)), per_address, now)
    }
}

fn take(buckets: &mut HashMap<(Kind, Caller), i64>, key: (Kind, Caller), per_s: u32, now: Millis) -> bool {
    if per_s == 0 || (buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&key)) {
        return true;
    }
    let now = now.0.saturating_mul(1000);
    let one = 1_000_000 / i64::from(per_s);
    let full_at = buckets.entry(key).or_insert(now);
    // A clock that was set back must not lock anybody out for longer than a second.
    *full_at = (*full_at).clamp(now, now + 1_000_000);
    let allowed = *full_at + one <= now + 1_000_000;
    if allowed {
        *full_at += one;
    }
    allowed
}

/// An address of our own network is a proxy that nobody declared (`URR_TRUSTED_PROXIES`): limiting it
/// would limit everybody behind it.
const fn is_ours(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use uuid::Uuid;

    const NOW: Millis = Millis(1_800_000_000_000);
    const STREET: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));

    fn login(bursts: &Bursts, from: IpAddr, now: Millis) -> bool {
        bursts.allows(&Method::POST, "/api/auth/login", Caller::Address(from), from, now)
    }

    #[test]
    fn an_address_logs_in_ten_times_a_second_and_again_a_tenth_later() {
        let bursts = Bursts::new(Config::default());
        for _ in 0..10 {
            assert!(login(&bursts, STREET, NOW));
        }
        assert!(!login(&bursts, STREET, NOW));
        assert!(!login(&bursts, STREET, NOW.plus_ms(99)));
        assert!(login(&bursts, STREET, NOW.plus_ms(100)));
        assert!(!login(&bursts, STREET, NOW.plus_ms(100)));
        // Somebody else's is full.
        assert!(login(&bursts, IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)), NOW));
    }

    #[test]
    fn a_user_books_twenty_times_a_second_wherever_he_is() {
        let bursts = Bursts::new(Config::default());
        let user = Caller::User(Uuid::new_v4());
        let book = |last: u8| {
            let from = IpAddr::V4(Ipv4Addr::new(198, 51, 100, last));
            bursts.allows(&Method::POST, "/api/seats/reserve", user, from, NOW)
        };
        assert!((0..20).all(&book));
        assert!(!book(99));
    }

    #[test]
    fn an_undeclared_proxy_of_our_own_does_not_limit_everybody() {
        let bursts = Bursts::new(Config::default());
        for address in ["127.0.0.1", "10.0.0.7", "192.168.1.1", "::1", "fd00::7"] {
            let address = address.parse().unwrap();
            assert!((0..1000).all(|_| login(&bursts, address, NOW)), "{address}");
        }
    }

    /// A join without a name takes a new place each time.
    #[test]
    fn a_line_is_stuffed_from_one_address_at_a_hundred_a_second_and_no_faster() {
        let bursts = Bursts::new(Config::default());
        let path = "/vwr-api/vwr/assign/0190a0c4-0000-7000-8000-000000000000";
        let join = |caller, now| bursts.allows(&Method::POST, path, caller, STREET, now);
        let taken = (0..5000)
            .filter(|i| join(Caller::Address(STREET), NOW.plus_ms(*i)))
            .count();
        assert!((500..=600).contains(&taken), "{taken} in five seconds");
        // Logging in is no way around it.
        let later = NOW.plus_s(60);
        let taken = (0..500)
            .filter(|_| join(Caller::User(Uuid::new_v4()), later))
            .count();
        assert_eq!(taken, 100);
        let free = Bursts::new(Config {
            burst_joins_per_s: 0,
            ..Config::default()
        });
        assert!((0..5000).all(|_| free.allows(&Method::POST, path, Caller::Address(STREET), STREET, NOW)));
    }

    #[test]
    fn kinds_are_those_of_the_requirements() {
        for (method, path, kind) in [
            (Method::POST, "/vwr-api/vwr/assign/x", Kind::Join),
            (Method::GET, "/vwr-api/vwr/check/x/y", Kind::Other),
            (Method::POST, "/api/auth/login", Kind::Login),
            (Method::GET, "/api/events/x", Kind::Reads),
            (Method::GET, "/api/queue/status/x", Kind::QueueLook),
            (Method::POST, "/api/queue/leave/x", Kind::QueueMove),
            (Method::POST, "/api/payments/confirm", Kind::Booking),
            (Method::POST, "/api/reservations/x/cancel", Kind::Booking),
            (Method::POST, "/api/auth/refresh", Kind::Profile),
            (Method::GET, "/api/reservations/my", Kind::Other),
            (Method::GET, "/api/eventsx", Kind::Other),
        ] {
            assert_eq!(Kind::of(&method, path), kind, "{method} {path}");
        }
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let bursts = Bursts::new(Config::default());
        assert!((0..10).all(|_| login(&bursts, STREET, NOW)));
        let then = NOW.plus_s(-3600);
        assert!(!login(&bursts, STREET, then));
        // As if the second had just begun.
        assert!(login(&bursts, STREET, then.plus_ms(100)));
    }
}
