//! The way of a measurement to goose: gathered, handed over by the hundred, never waited for.

use crate::measure::{Live, Sample};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Batches waiting for goose: two seconds of the fastest run measured (50,000 requests/s), so only a
/// goose that stands still loses any, and losing is counted.
const CHANNEL: usize = 512;
/// Measurements handed over at once. Each hand-over wakes a thread, which costs as much as a
/// request; most must not pay it.
const BATCH: usize = 256;
/// Who measures little hands over at least this often.
pub(crate) const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// Where measurements go into goose.
#[derive(Debug)]
pub struct Tap {
    sender: Option<mpsc::Sender<Vec<Sample>>>,
    batch: Mutex<Vec<Sample>>,
}

/// Where they come out.
pub(crate) type Drain = mpsc::Receiver<Vec<Sample>>;

impl Tap {
    /// A tap and its drain.
    pub(crate) fn new() -> (Self, Drain) {
        let (sender, drain) = mpsc::channel(CHANNEL);
        let tap = Self {
            sender: Some(sender),
            batch: Mutex::new(Vec::with_capacity(BATCH)),
        };
        (tap, drain)
    }

    /// Another tap into the same channel: goose hears of several sales and does not tell them apart.
    pub(crate) fn beside(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            batch: Mutex::new(Vec::with_capacity(BATCH)),
        }
    }

    /// A tap that leads nowhere, for tests of journeys alone.
    #[cfg(test)]
    pub(crate) const fn closed() -> Self {
        Self {
            sender: None,
            batch: Mutex::new(Vec::new()),
        }
    }

    /// Offers one measurement; never waits.
    pub(crate) fn offer(&self, sample: &Sample, live: &Live) {
        if self.sender.is_none() {
            return;
        }
        let mut batch = self.batch();
        batch.push(*sample);
        if batch.len() >= BATCH {
            self.hand_over(&mut batch, live);
        }
    }

    /// Hands over what has gathered.
    pub(crate) fn flush(&self, live: &Live) {
        let mut batch = self.batch();
        if !batch.is_empty() {
            self.hand_over(&mut batch, live);
        }
    }

    fn hand_over(&self, batch: &mut Vec<Sample>, live: &Live) {
        let full = std::mem::replace(batch, Vec::with_capacity(BATCH));
        let lost = full.len() as u64;
        if let Some(sender) = &self.sender
            && sender.try_send(full).is_err()
        {
            live.counters.goose_missed.fetch_add(lost, Ordering::Relaxed);
        }
    }

    fn batch(&self) -> MutexGuard<'_, Vec<Sample>> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Lane, Step, Verdict};

    #[test]
    fn what_goose_does_not_take_is_counted_and_nobody_waits_for_it() {
        let (tap, mut drain) = Tap::new();
        let live = Live::new();
        let sample = Sample {
            step: Step::Poll,
            lane: Lane::Crowd,
            response: Duration::ZERO,
            service: Duration::ZERO,
            status: 200,
            verdict: Verdict::Fine,
        };
        let offer = |n: usize| (0..n).for_each(|_| tap.offer(&sample, &live));
        offer(BATCH - 1);
        assert!(drain.try_recv().is_err(), "gathered first");
        tap.flush(&live);
        assert_eq!(drain.try_recv().unwrap().len(), BATCH - 1);
        offer(BATCH * (CHANNEL + 3));
        assert_eq!(live.counters.funnel().goose_missed, 3 * BATCH as u64);
        drain.close();
        let kept: usize = std::iter::from_fn(|| drain.try_recv().ok())
            .map(|batch| batch.len())
            .sum();
        assert_eq!(kept, BATCH * CHANNEL);
    }
}
