//! How often a caller may call (R-GW-05): a sliding minute per category, counted in Redis.
//!
//! The waiting room is exempt: its polls are paced by a budget, and a store call per poll would
//! break the law `free-poll`. Without Redis a window of this process decides, at twice the limit
//! and per category (R-GW-07; upstream shared one counter over all categories, quirk 21).

use crate::{Config, caller::Caller, routes::under};
use axum::http::Method;
use redis::Script;
use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use urr_core::time::Millis;
use urr_kit::store::Redis;
use uuid::Uuid;

const WINDOW_MS: i64 = 60_000;

/// A Redis that does not answer within this is treated as down: the caller is waiting.
const REDIS_PATIENCE: Duration = Duration::from_millis(250);

/// Callers remembered while Redis is down. Beyond it the oldest windows are forgotten, which lets
/// a few callers off rather than letting memory grow with the crowd.
const LOCAL_CALLERS_MAX: usize = 100_000;

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Category {
    Auth,
    Queue,
    Booking,
    General,
}

impl Category {
    /// The category of a call; `None` if it is not limited.
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        if *method == Method::OPTIONS || path == "/api/auth/me" || under(path, "/vwr-api") {
            return None;
        }
        if under(path, "/api/auth") {
            return Some(Self::Auth);
        }
        if under(path, "/api/queue") {
            return Some(Self::Queue);
        }
        let cancels = path
            .strip_prefix("/api/reservations/")
            .is_some_and(|rest| rest.ends_with("/cancel"));
        // Other seats (R-BOOK-09) cost what a hold costs.
        let changes = *method == Method::PUT && under(path, "/api/seats/reservation");
        if cancels || changes || matches!(path, "/api/seats/reserve" | "/api/reservations") {
            return Some(Self::Booking);
        }
        Some(Self::General)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Queue => "queue",
            Self::Booking => "booking",
            Self::General => "general",
        }
    }

    const fn limit_per_min(self, config: &Config) -> u32 {
        match self {
            Self::Auth => config.auth_rpm,
            Self::Queue => config.queue_rpm,
            Self::Booking => config.booking_rpm,
            Self::General => config.general_rpm,
        }
    }
}

pub(crate) struct Limiter {
    redis: Redis,
    script: Script,
    config: Config,
    /// Makes the members of one millisecond differ; the process's own share of a random prefix.
    sequence: AtomicU64,
    process: Uuid,
    local: Mutex<HashMap<(Category, Caller), (Millis, u32)>>,
}

impl Limiter {
    pub(crate) fn new(redis: Redis, config: Config) -> Self {
        Self {
            redis,
            script: Script::new(include_str!("window.lua")),
            config,
            sequence: AtomicU64::new(0),
            process: Uuid::new_v4(),
            local: Mutex::new(HashMap::new()),
        }
    }

    /// Whether this call is within the caller's limit; counts it if so.
    pub(crate) async fn allows(&self, category: Category, caller: Caller, now: Millis) -> bool {
        let limit = category.limit_per_min(&self.config);
        let key = self
            .redis
            .key(&format!("rate:{}:{}", category.name(), caller.key()));
        let member = format!(
            "{}:{}",
            self.process,
            self.sequence.fetch_add(1, Ordering::Relaxed)
        );
        let mut invocation = self.script.key(key);
        invocation.arg(now.0).arg(WINDOW_MS).arg(limit).arg(member);
        let mut connection = self.redis.conn();
        match tokio::time::timeout(REDIS_PATIENCE, invocation.invoke_async::<u8>(&mut connection)).await {
            Ok(Ok(allowed)) => allowed == 1,
            Ok(Err(error)) => {
                tracing::debug!(%error, "rate limiter without Redis");
                self.allows_locally(category, caller, limit, now)
            }
            Err(_elapsed) => self.allows_locally(category, caller, limit, now),
        }
    }

    /// A fixed window of this process: coarser, but it needs nobody.
    fn allows_locally(&self, category: Category, caller: Caller, limit: u32, now: Millis) -> bool {
        let mut windows = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= LOCAL_CALLERS_MAX {
            windows.retain(|_, (since, _)| now.since(*since) < WINDOW_MS);
            if windows.len() >= LOCAL_CALLERS_MAX {
                windows.clear();
            }
        }
        let (since, count) = windows.entry((category, caller)).or_insert((now, 0));
        if now.since(*since) >= WINDOW_MS {
            (*since, *count) = (now, 0);
        }
        if *count >= limit.saturating_mul(2) {
            return false;
        }
        *count += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_are_those_of_the_contract() {
        for (method, path, category) in [
            (Method::POST, "/api/auth/login", Some(Category::Auth)),
            (Method::GET, "/api/auth/me", None),
            (Method::GET, "/api/queue/status/x", Some(Category::Queue)),
            (Method::POST, "/api/seats/reserve", Some(Category::Booking)),
            (Method::POST, "/api/reservations", Some(Category::Booking)),
            (
                Method::POST,
                "/api/reservations/x/cancel",
                Some(Category::Booking),
            ),
            (Method::PUT, "/api/seats/reservation/x", Some(Category::Booking)),
            (Method::GET, "/api/seats/reservation/x", Some(Category::General)),
            (Method::GET, "/api/reservations/my", Some(Category::General)),
            (Method::GET, "/api/events", Some(Category::General)),
            (Method::GET, "/vwr-api/vwr/check/a/b", None),
            (Method::OPTIONS, "/api/seats/reserve", None),
        ] {
            assert_eq!(Category::of(&method, path), category, "{method} {path}");
        }
    }
}
