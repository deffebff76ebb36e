//! What the waiting room asks of its store, second by second while a run lasts.
//!
//! The audit judges totals; the vendor's limit is per second, so somebody has to look every second.
//! A replica that does not answer (a scenario may have killed it) is passed over, and one that
//! started again counts from zero: less than there was, never more.

use super::polls::PollCounters;
use crate::report::StorageUse;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};
use urr_kit::clock::SharedClock;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks until it is dropped.
#[derive(Debug)]
pub struct StorageWatch {
    seen: Arc<Mutex<StorageUse>>,
    _stop: DropGuard,
}

impl StorageWatch {
    /// Starts from `before`, on the current runtime.
    #[must_use]
    pub fn start(metrics_urls: Vec<String>, before: PollCounters, clock: SharedClock) -> Self {
        let seen = Arc::new(Mutex::new(StorageUse::default()));
        let stop = CancellationToken::new();
        tokio::spawn(look(metrics_urls, before, clock, Arc::clone(&seen), stop.clone()));
        Self {
            seen,
            _stop: stop.drop_guard(),
        }
    }

    /// What was asked so far.
    #[must_use]
    pub fn so_far(&self) -> StorageUse {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn look(
    urls: Vec<String>,
    before: PollCounters,
    clock: SharedClock,
    seen: Arc<Mutex<StorageUse>>,
    stop: CancellationToken,
) {
    let mut last = before;
    let mut reads = PollReads {
        before: before.poll_reads(),
        ..PollReads::default()
    };
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        if let Ok(now) = PollCounters::read(&urls, clock.now()).await {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            add(&mut seen, &last, &now);
            seen.poll_reads = reads.so_far(&last, &now);
            last = now;
        }
    }
}

/// Reads that waiting cost. What joins will explain is not known at once, so differences between two looks
/// would count it; this is the difference to the beginning, anew after a restart.
#[derive(Debug, Default)]
struct PollReads {
    before: u64,
    earlier_lives: u64,
}

impl PollReads {
    fn so_far(&mut self, last: &PollCounters, now: &PollCounters) -> u64 {
        let restarted = now.store_reads < last.store_reads && now.polls < last.polls;
        if restarted {
            self.earlier_lives += last.poll_reads().saturating_sub(self.before);
            self.before = 0;
        }
        self.earlier_lives + now.poll_reads().saturating_sub(self.before)
    }
}

/// Adds what happened between two looks.
fn add(seen: &mut StorageUse, last: &PollCounters, now: &PollCounters) {
    let since = |now: u64, last: u64| if now >= last { now - last } else { now };
    let writes = since(now.item_writes, last.item_writes);
    let elapsed_ms = u64::try_from(now.at.since(last.at)).unwrap_or(0).max(1);
    seen.item_writes += writes;
    seen.polls += since(now.polls, last.polls);
    seen.store_reads += since(now.store_reads, last.store_reads);
    seen.clock_reads += since(now.clock_reads, last.clock_reads);
    // A look after less than half a second says little about a second.
    if elapsed_ms >= 500 {
        let per_s = writes.saturating_mul(1000).div_ceil(elapsed_ms);
        seen.item_writes_most_per_s = seen.item_writes_most_per_s.max(per_s);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use urr_core::time::Millis;

    fn counters(at_ms: i64, item_writes: u64, polls: u64) -> PollCounters {
        PollCounters {
            item_writes,
            polls,
            ..PollCounters::zero(Millis(at_ms))
        }
    }

    #[test]
    fn the_most_in_a_second_is_kept_and_a_restart_counts_from_zero() {
        let mut seen = StorageUse::default();
        let looks = [
            counters(0, 100, 0),
            counters(1000, 700, 50),
            counters(3000, 1500, 90),
            counters(4000, 40, 10),
        ];
        for pair in looks.windows(2) {
            add(&mut seen, &pair[0], &pair[1]);
        }
        let with = |polls, clock_reads, store_reads| PollCounters {
            store_reads,
            clock_reads,
            ..counters(0, 0, polls)
        };
        let mut reads = PollReads::default();
        let mut last = PollCounters::zero(Millis(0));
        let looks = [
            (with(5, 3, 5), 2),
            (with(9, 6, 6), 0),
            (with(20, 9, 12), 3),
            (with(2, 1, 2), 4),
        ];
        for (now, cost) in looks {
            assert_eq!(reads.so_far(&last, &now), cost, "{now:?}");
            last = now;
        }
        assert_eq!(seen.item_writes_most_per_s, 600);
        assert_eq!((seen.item_writes, seen.polls), (600 + 800 + 40, 100));
    }
}
