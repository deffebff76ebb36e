//! When the tasks that sweep and compare have their turn: one mechanism for all of them, so that each
//! ends with the process and none makes up for turns it missed.

use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// The turns of one task, the first of them at once.
pub(crate) struct Turns {
    tick: Interval,
    shutdown: CancellationToken,
}

impl Turns {
    /// One every `interval`, until `shutdown`.
    pub(crate) fn every(interval: Duration, shutdown: CancellationToken) -> Self {
        let mut tick = tokio::time::interval(interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { tick, shutdown }
    }

    /// Waits for the next turn; false once the process is to end.
    pub(crate) async fn next(&mut self) -> bool {
        self.next_or(std::future::pending()).await
    }

    /// The same, or sooner if `woken` comes first.
    pub(crate) async fn next_or(&mut self, woken: impl Future<Output = ()>) -> bool {
        tokio::select! {
            () = self.shutdown.cancelled() => false,
            _ = self.tick.tick() => true,
            () = woken => true,
        }
    }

    /// What `round` comes to; dropped where it stands once the process is to end.
    pub(crate) async fn unless_over<T>(&self, round: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            () = self.shutdown.cancelled() => None,
            done = round => Some(done),
        }
    }
}
