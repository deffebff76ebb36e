//! The steps of a journey and their latency histograms.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Something a visitor does or waits for, measured under one name everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Step {
    /// Joining the waiting room.
    Join,
    /// Asking the waiting room.
    Poll,
    /// Entering tier 2.
    Queue,
    /// Asking tier 2.
    QueuePoll,
    /// Looking at a section's seats.
    SeatMap,
    /// Holding seats.
    Hold,
    /// Preparing the payment.
    Prepare,
    /// Confirming the payment.
    Confirm,
    /// Leaving tier 2.
    Leave,
    /// Staying active while thinking.
    Heartbeat,
    /// Registering an account.
    Register,
    /// Logging in.
    Login,
    /// Trying the back door.
    Intrude,
    /// From arrival to being let in.
    Wait,
    /// From arrival to a ticket.
    Journey,
}

impl Step {
    /// All, in the order of a journey.
    pub const ALL: [Self; 15] = [
        Self::Join,
        Self::Poll,
        Self::Queue,
        Self::QueuePoll,
        Self::SeatMap,
        Self::Hold,
        Self::Prepare,
        Self::Confirm,
        Self::Leave,
        Self::Heartbeat,
        Self::Register,
        Self::Login,
        Self::Intrude,
        Self::Wait,
        Self::Journey,
    ];

    /// The word thresholds and reports use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Poll => "poll",
            Self::Queue => "queue",
            Self::QueuePoll => "queue-poll",
            Self::SeatMap => "seat-map",
            Self::Hold => "hold",
            Self::Prepare => "prepare",
            Self::Confirm => "confirm",
            Self::Leave => "leave",
            Self::Heartbeat => "heartbeat",
            Self::Register => "register",
            Self::Login => "login",
            Self::Intrude => "intrude",
            Self::Wait => "wait",
            Self::Journey => "journey",
        }
    }

    /// What a person calls it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Join => "Join the waiting room",
            Self::Poll => "Ask how far the line is",
            Self::Queue => "Step up to the door",
            Self::QueuePoll => "Ask at the door",
            Self::SeatMap => "Look at a section",
            Self::Hold => "Hold seats",
            Self::Prepare => "Prepare payment",
            Self::Confirm => "Pay",
            Self::Leave => "Leave",
            Self::Heartbeat => "Stay active",
            Self::Register => "Register",
            Self::Login => "Log in",
            Self::Intrude => "Try the back door",
            Self::Wait => "Arrival to being let in",
            Self::Journey => "Arrival to ticket",
        }
    }

    /// Method label and name under which goose keeps it.
    #[must_use]
    pub const fn label(self) -> (&'static str, &'static str) {
        match self {
            Self::Join => ("POST", "join"),
            Self::Poll => ("GET", "poll"),
            Self::Queue => ("POST", "queue"),
            Self::QueuePoll => ("GET", "queue-poll"),
            Self::SeatMap => ("GET", "seat-map"),
            Self::Hold => ("POST", "hold"),
            Self::Prepare => ("POST", "prepare"),
            Self::Confirm => ("POST", "confirm"),
            Self::Leave => ("POST", "leave"),
            Self::Heartbeat => ("POST", "heartbeat"),
            Self::Register => ("POST", "register"),
            Self::Login => ("POST", "login"),
            Self::Intrude => ("BOT", "intrude"),
            Self::Wait => ("WAIT", "wait"),
            Self::Journey => ("JOURNEY", "journey"),
        }
    }

    /// Whether it is one request, rather than a stretch of the journey.
    #[must_use]
    pub const fn is_request(self) -> bool {
        !matches!(self, Self::Wait | Self::Journey)
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// Which client made a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// The open-loop crowd over pooled connections.
    Crowd,
    /// Real goose users: own client, own cookies, own connections.
    Browser,
}

/// How a measured step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As hoped.
    Fine,
    /// An answer that is part of the game: seat taken, not this time, back door shut.
    Declined,
    /// An error or no answer.
    Failed,
}

/// One measured step.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// What.
    pub step: Step,
    /// By whom.
    pub lane: Lane,
    /// From the intended moment.
    pub response: Duration,
    /// From sending.
    pub service: Duration,
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// How it ended.
    pub verdict: Verdict,
}

/// Longest latency kept apart; slower ones count as this.
const LONGEST_US: u64 = 600_000_000;

/// A latency distribution in microseconds.
#[derive(Debug, Clone)]
pub struct Latency {
    histogram: Histogram<u64>,
}

impl Latency {
    /// Empty, exact to `digits` significant decimal digits (1 to 5).
    #[must_use]
    pub fn new(digits: u8) -> Self {
        let histogram = Histogram::new_with_max(LONGEST_US, digits.clamp(1, 5))
            .or_else(|_| Histogram::new(2))
            .unwrap_or_else(|_| unreachable_histogram());
        Self { histogram }
    }

    /// Adds one.
    pub fn record(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.histogram.saturating_record(us.clamp(1, LONGEST_US));
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        // Same bounds by construction, so adding cannot fail.
        let _ = self.histogram.add(&other.histogram);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.histogram.reset();
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The percentile `percent` (0..100) in µs; 0 when empty.
    #[must_use]
    pub fn percentile_us(&self, percent: f64) -> u64 {
        if self.histogram.is_empty() {
            return 0;
        }
        self.histogram.value_at_quantile(percent / 100.0)
    }

    /// The quickest in µs; 0 when empty.
    #[must_use]
    pub fn min_us(&self) -> u64 {
        if self.histogram.is_empty() {
            return 0;
        }
        self.histogram.min()
    }

    /// The slowest in µs.
    #[must_use]
    pub fn max_us(&self) -> u64 {
        self.histogram.max()
    }

    /// The mean in µs.
    #[must_use]
    pub fn mean_us(&self) -> f64 {
        self.histogram.mean()
    }

    /// Significant decimal digits.
    pub(super) fn digits(&self) -> u8 {
        self.histogram.sigfig()
    }

    /// Filled slots: a value of the slot in µs and how many it holds, in ascending order.
    pub(super) fn slots(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.histogram
            .iter_recorded()
            .map(|slot| (slot.value_iterated_to(), slot.count_at_value()))
    }

    /// Adds `count` in the slot that holds `us`.
    pub(super) fn add_slot(&mut self, us: u64, count: u64) {
        self.histogram.saturating_record_n(us, count);
    }
}

/// Bounds and digits above are constants hdrhistogram accepts; an automatic histogram with one
/// digit is accepted for any value.
fn unreachable_histogram() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "one significant digit is always valid")]
    Histogram::new(1).expect("one significant digit is valid")
}

/// A step over a whole run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepSummary {
    /// Which.
    pub step: Step,
    /// By whom.
    pub lane: Lane,
    /// Ended as hoped.
    pub fine: u64,
    /// Ended as part of the game.
    pub declined: u64,
    /// Ended with an error.
    pub failed: u64,
    /// Started more than 100 ms after it was due.
    pub late: u64,
    /// Response times (from the intended moment) in µs: p50, p95, p99, the slowest, the mean.
    pub p50_us: u64,
    /// See `p50_us`.
    pub p95_us: u64,
    /// See `p50_us`.
    pub p99_us: u64,
    /// See `p50_us`.
    pub max_us: u64,
    /// See `p50_us`.
    pub mean_us: f64,
    /// Service times (from sending) in µs: p50 and p95.
    pub service_p50_us: u64,
    /// See `service_p50_us`.
    pub service_p95_us: u64,
}

impl StepSummary {
    /// All that were answered or failed.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.fine + self.declined + self.failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_hundredth() {
        let mut latency = Latency::new(3);
        for ms in 1..=1000 {
            latency.record(Duration::from_millis(ms));
        }
        let p95 = latency.percentile_us(95.0);
        assert!((949_000..=951_500).contains(&p95), "{p95}");
        assert_eq!(latency.count(), 1000);
        latency.clear();
        assert_eq!((latency.percentile_us(95.0), latency.max_us()), (0, 0));
    }

    #[test]
    fn a_latency_beyond_the_scale_is_kept_at_its_end_and_not_lost() {
        let mut latency = Latency::new(2);
        latency.record(Duration::from_secs(7200));
        assert_eq!(latency.count(), 1);
        assert!(latency.max_us() >= LONGEST_US / 100 * 99);
    }

    #[test]
    fn every_step_has_its_own_index_and_name() {
        for (index, step) in Step::ALL.into_iter().enumerate() {
            assert_eq!(step.index(), index);
        }
        let names: std::collections::HashSet<_> = Step::ALL.iter().map(|s| s.name()).collect();
        assert_eq!(names.len(), Step::ALL.len());
    }
}
