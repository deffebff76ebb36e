//! Reading the time, as something that can be handed in.
//!
//! A service never calls `SystemTime::now()`: it asks its [`SharedClock`], so a test can put an
//! opening, an expiry or a retry exactly where it wants it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use urr_core::time::Millis;

/// Something that knows what time it is.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Millis;
}

/// The clock every service holds.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        // Before 1970 or after the year 292 million the machine's clock is broken; saturate.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

impl SystemClock {
    /// The machine's clock as services take it.
    #[must_use]
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

/// A clock that stands until it is told to move.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Millis) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Puts the clock to `now`, forward or back.
    pub fn set(&self, now: Millis) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves the clock by `ms` milliseconds (negative: back) and returns the new instant.
    pub fn advance_ms(&self, ms: i64) -> Millis {
        Millis(self.0.fetch_add(ms, Ordering::SeqCst).saturating_add(ms))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::at(Millis(1000));
        assert_eq!(clock.now(), Millis(1000));
        assert_eq!(clock.advance_ms(250), Millis(1250));
        clock.set(Millis(7));
        assert_eq!(clock.now(), Millis(7));
    }
}
