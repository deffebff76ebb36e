//! What every journey of a run shares.

use super::request::Backoff;
use crate::goose_shell::Tap;
use crate::measure::{Live, Outcome, Sample};
use crate::observe::Observer;
use crate::scenario::{Crowd, Scenario};
use crate::tally::Tally;
use crate::target::Target;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use urr_core::sale::{Ordering, SaleId, Schedule};
use urr_core::seating::Hall;
use urr_core::time::Millis;
use urr_kit::Secrets;
use urr_kit::identity::AccessTokens;

/// See the module.
pub struct World {
    /// Paths of the sale.
    pub paths: Paths,
    /// The sale.
    pub sale: SaleId,
    /// The hall, to choose sections from.
    pub hall: Hall,
    /// Whether places of those who come before the opening are drawn.
    pub drawn: bool,
    /// Lifetime of entry tokens, seconds.
    pub token_ttl_s: u32,
    /// An active visitor silent for this long is out.
    pub silence: Duration,
    /// Most seats a buyer may take.
    pub seats_per_booking: u8,
    /// Who comes: personas and parties.
    pub crowd: Crowd,
    /// The scenario's seed.
    pub seed: u64,
    /// Wall clock against the run's own.
    pub clock: RunClock,
    /// Figures.
    pub live: Arc<Live>,
    /// Counts by persona.
    pub tally: Tally,
    /// Notes for the auditor.
    pub observer: Observer,
    /// Goose's ear.
    pub tap: Tap,
    /// Mints access tokens.
    pub tokens: AccessTokens,
    /// For the back door.
    pub secrets: Arc<Secrets>,
    /// How errors are retried.
    pub backoff: Backoff,
    /// Nobody in line waits any longer.
    pub line_over: CancellationToken,
    /// Everybody stops.
    pub over: CancellationToken,
    /// The line is over because every seat is sold.
    pub sold_out: AtomicBool,
}

/// Wall clock and monotonic clock, read together once.
#[derive(Debug, Clone, Copy)]
pub struct RunClock {
    instant: Instant,
    millis: Millis,
    opens_at: Millis,
    closes_at: Millis,
}

impl RunClock {
    /// A clock that read `now` this instant.
    #[must_use]
    pub fn new(now: Millis, schedule: &Schedule) -> Self {
        Self {
            instant: Instant::now(),
            millis: now,
            opens_at: schedule.opens_at,
            closes_at: schedule.closes_at,
        }
    }

    /// Wall-clock time of `instant`.
    #[must_use]
    pub fn millis(&self, instant: Instant) -> Millis {
        let ms = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        match instant.checked_duration_since(self.instant) {
            Some(after) => self.millis.plus_ms(ms(after)),
            None => self.millis.plus_ms(-ms(self.instant - instant)),
        }
    }

    /// Wall-clock time now.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.millis(Instant::now())
    }

    /// The instant `us` µs from the opening; the start of the run if that is past.
    #[must_use]
    pub fn from_opening(&self, us: i64) -> Instant {
        let us_from_start = self
            .opens_at
            .since(self.millis)
            .saturating_mul(1000)
            .saturating_add(us);
        self.instant + Duration::from_micros(u64::try_from(us_from_start).unwrap_or(0))
    }

    /// µs from the opening to `instant`.
    #[must_use]
    pub fn us_from_opening(&self, instant: Instant) -> i64 {
        let us = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
        let from_start = match instant.checked_duration_since(self.instant) {
            Some(after) => us(after),
            None => -us(self.instant - instant),
        };
        from_start - self.opens_at.since(self.millis).saturating_mul(1000)
    }

    /// Whether the sale has opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.now() >= self.opens_at
    }

    /// Whether the sale has closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.now() >= self.closes_at
    }

    /// The close of the sale.
    #[must_use]
    pub fn closes(&self) -> Instant {
        self.from_opening(self.closes_at.since(self.opens_at).saturating_mul(1000))
    }

    /// The instant `us` µs after the start of the run.
    #[must_use]
    pub fn from_start(&self, us: u64) -> Instant {
        self.instant + Duration::from_micros(us)
    }

    /// µs from the start of the run to `instant`; 0 before it.
    #[must_use]
    pub fn us_from_start(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.instant);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    /// The start of the run.
    #[must_use]
    pub const fn start(&self) -> Instant {
        self.instant
    }
}

/// Paths of one sale, written once.
#[derive(Debug, Clone)]
pub struct Paths {
    pub(crate) assign: String,
    pub(crate) check: String,
    pub(crate) draw: String,
    pub(crate) queue_check: String,
    pub(crate) queue_status: String,
    pub(crate) queue_heartbeat: String,
    pub(crate) queue_leave: String,
    pub(crate) seats: String,
    pub(crate) reserve: String,
    pub(crate) prepare: String,
    pub(crate) confirm: String,
    pub(crate) register: String,
    pub(crate) login: String,
}

impl Paths {
    /// Paths of `sale` (api-contract.md sections 5 to 10).
    #[must_use]
    pub fn new(sale: SaleId) -> Self {
        let api = |path: &str| format!("/api/v1/{path}");
        Self {
            assign: format!("/vwr-api/vwr/assign/{sale}"),
            check: format!("/vwr-api/vwr/check/{sale}"),
            draw: format!("/vwr-api/vwr/draw/{sale}"),
            queue_check: api(&format!("queue/check/{sale}")),
            queue_status: api(&format!("queue/status/{sale}")),
            queue_heartbeat: api(&format!("queue/heartbeat/{sale}")),
            queue_leave: api(&format!("queue/leave/{sale}")),
            seats: api(&format!("seats/events/{sale}")),
            reserve: api("seats/reserve"),
            prepare: api("payments/prepare"),
            confirm: api("payments/confirm"),
            register: api("auth/register"),
            login: api("auth/login"),
        }
    }
}

impl World {
    /// The world of one run.
    #[must_use]
    pub fn new(
        scenario: &Scenario,
        target: &Target,
        live: Arc<Live>,
        tap: Tap,
        now: Millis,
        over: CancellationToken,
    ) -> Self {
        Self {
            paths: Paths::new(target.sale.id),
            sale: target.sale.id,
            hall: target.hall.clone(),
            drawn: target.sale.ordering == Ordering::Shuffle,
            token_ttl_s: target.sale.admission.token_ttl_s,
            silence: Duration::from_secs(u64::from(target.sale.admission.silence_s)),
            seats_per_booking: scenario.sale.seats_per_booking,
            crowd: scenario.crowd.clone(),
            seed: scenario.seed,
            clock: RunClock::new(now, &target.sale.schedule),
            live,
            tally: Tally::new(scenario.crowd.personas.len()),
            observer: Observer::default(),
            tap,
            tokens: AccessTokens::new(&target.secrets),
            secrets: Arc::clone(&target.secrets),
            backoff: Backoff::default(),
            line_over: over.child_token(),
            over,
            sold_out: AtomicBool::new(false),
        }
    }

    /// Takes one measurement, for us and for goose.
    pub fn record(&self, sample: &Sample) {
        self.live.record(sample);
        self.tap.offer(sample, &self.live);
    }

    /// Whether visitors have paid for every seat.
    #[must_use]
    pub fn is_sold_out(&self) -> bool {
        self.sold_out.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// How a journey ends that the end of the line ends.
    #[must_use]
    pub fn line_outcome(&self) -> Outcome {
        if self.is_sold_out() {
            Outcome::SoldOut
        } else {
            Outcome::StillWaiting
        }
    }
}
