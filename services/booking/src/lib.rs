//! Booking: seats, holds, reservations, tickets; memberships, and tickets that change hands.
//!
//! Owns the truth about seats. Redis turns losers of a race away ([`filter`]), Postgres decides
//! ([`store::hold`]), every later write compares fencing tokens ([`store::settle`]), and what nobody
//! paid for goes back ([`expiry`]). The laws it keeps: `no-oversell`, `fenced`, `no-back-door`, its
//! half of `paid-means-ticket`.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

mod artists;
pub mod by_house;
pub mod called_off;
pub mod consumer;
mod events;
pub mod expiry;
pub mod filter;
pub mod holds;
mod http;
pub mod map;
pub mod membership;
pub mod reconciliation;
pub mod reservation;
pub mod store;
#[cfg(test)]
mod tests;
pub mod transfer;
mod turns;

use artists::Artists;
use consumer::Listener;
use filter::Filter;
use holds::{Defaults, Holds};
use map::SeatMaps;
use reconciliation::Reconciliation;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use urr_kit::events::{
    CATALOG_EVENTS, COMMUNITY_EVENTS, ConsumerConfig, PAYMENT_EVENTS, RedisStreams, consume, outbox,
};
use urr_kit::{Ctx, Secrets, Service, SharedClock, StartError, Task};

/// Booking's settings.
#[derive(clap::Args, Clone, Debug)]
// Several services share one command line; groups named after the type would collide.
#[group(skip)]
pub struct Config {
    /// How often unpaid reservations are swept, milliseconds.
    #[arg(
        long = "reservation-cleanup-interval-ms",
        env = "RESERVATION_CLEANUP_INTERVAL_MS",
        default_value_t = 30_000
    )]
    pub cleanup_interval_ms: u64,

    /// How often payments are compared and refunds not heard of asked for again, milliseconds (R-JOB-02).
    #[arg(
        long = "reservation-reconciliation-interval-ms",
        env = "RESERVATION_RECONCILIATION_INTERVAL_MS",
        default_value_t = 300_000
    )]
    pub reconciliation_interval_ms: u64,

    /// Length of a hold for events whose sale does not say, seconds.
    #[arg(long = "booking-hold-ttl-s", env = "BOOKING_HOLD_TTL_SECONDS", default_value_t = 300,
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub hold_ttl_s: u32,

    /// Seats in one booking for sales that do not say.
    #[arg(long = "booking-seats-per-booking", env = "BOOKING_SEATS_PER_BOOKING", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=4))]
    pub seats_per_booking: u8,

    /// Leave Redis out of holds: Postgres alone decides, for operation without Redis and for tests.
    #[arg(long = "booking-without-filter", env = "BOOKING_WITHOUT_FILTER")]
    pub without_filter: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cleanup_interval_ms: 30_000,
            reconciliation_interval_ms: 300_000,
            hold_ttl_s: 300,
            seats_per_booking: 1,
            without_filter: false,
        }
    }
}

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Booking {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) holds: Holds,
    pub(crate) maps: SeatMaps,
    pub(crate) artists: Artists,
    pub(crate) defaults: Defaults,
    /// Wakes the sweep of shows called off.
    pub(crate) called_off: Arc<Notify>,
}

/// Starts booking: schema, filter, routes, sweep, relay, consumer.
///
/// # Errors
/// When Postgres or Redis cannot be used.
pub async fn start(ctx: &Ctx, config: Config) -> Result<Service, StartError> {
    let pool = ctx.postgres("booking", &store::MIGRATOR).await?;
    let redis = ctx.redis().await?;
    let clock = Arc::clone(&ctx.clock);
    let filter = Filter::new(
        (!config.without_filter).then(|| redis.clone()),
        Arc::clone(&clock),
    );
    let defaults = Defaults {
        hold_ttl_s: i64::from(config.hold_ttl_s),
        seats_per_booking: i32::from(config.seats_per_booking),
    };
    let booking = Booking {
        pool: pool.clone(),
        clock: Arc::clone(&clock),
        secrets: Arc::clone(&ctx.secrets),
        holds: Holds::new(pool.clone(), filter.clone(), Arc::clone(&clock), defaults),
        maps: SeatMaps::new(pool.clone(), Arc::clone(&clock)),
        artists: Artists::new(
            pool.clone(),
            ctx.internal(),
            &ctx.settings.urls.catalog,
            Arc::clone(&clock),
        ),
        defaults,
        called_off: Arc::default(),
    };
    let sweep = expiry::run(
        pool.clone(),
        filter.clone(),
        Arc::clone(&clock),
        Duration::from_millis(config.cleanup_interval_ms.max(10)),
        ctx.shutdown.clone(),
    );
    let called_off = called_off::run(
        pool.clone(),
        filter.clone(),
        Arc::clone(&clock),
        Arc::clone(&booking.called_off),
        Duration::from_millis(config.cleanup_interval_ms.max(10)),
        ctx.shutdown.clone(),
    );
    let reconciliation = Reconciliation::new(
        pool.clone(),
        ctx.internal(),
        &ctx.settings.urls.payment,
        Arc::clone(&clock),
    )
    .run(
        Duration::from_millis(config.reconciliation_interval_ms.max(10)),
        ctx.shutdown.clone(),
    );
    let listener = Arc::new(Listener::new(filter, Arc::clone(&clock)));
    let bus = Arc::new(RedisStreams::new(redis.clone()));
    let heard = ConsumerConfig::new("booking", [PAYMENT_EVENTS, CATALOG_EVENTS, COMMUNITY_EVENTS]);
    let tasks = vec![
        Task::new("booking-sweep", sweep),
        Task::new("booking-called-off", called_off),
        Task::new("booking-reconciliation", reconciliation),
        outbox::relay(pool.clone(), bus, Arc::clone(&clock), ctx.shutdown.clone()),
        consume(heard, pool, redis, listener, clock, ctx.shutdown.clone()),
    ];
    Ok(Service {
        name: "booking",
        router: http::public(booking.clone()),
        internal: http::internal(booking),
        tasks,
    })
}
