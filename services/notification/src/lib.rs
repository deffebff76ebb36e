//! Tells people what happened to their booking (R-NOT-01), apart from everything else: a provider
//! that hangs delays a message, never a sale (R-RES-03).
//!
//! An event becomes rows in the transaction that marks it processed; a task delivers the rows
//! through a [`Channel`] and tries again with growing pauses. Shipped is the channel `log`; e-mail, SMS and
//! push are the same trait with somebody's account behind it.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod channel;
mod deliver;
mod http;
mod incoming;
mod template;

pub use channel::{Channel, DeliveryError, LogChannel, Message};

use std::sync::Arc;
use urr_kit::{
    Ctx, Service, StartError, Task,
    events::{ConsumerConfig, PAYMENT_EVENTS, RESERVATION_EVENTS, consume},
};

/// This service's schema.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Settings of the notifications.
#[derive(clap::Args, Clone, Debug)]
// Several services share one command line; groups named after the type would collide.
#[group(skip)]
pub struct Config {
    /// Milliseconds between two looks for messages that are due.
    #[arg(
        long = "notification-interval-ms",
        env = "NOTIFICATION_INTERVAL_MS",
        default_value_t = 1_000
    )]
    pub notification_interval_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            notification_interval_ms: 1_000,
        }
    }
}

/// Starts the service with the channel `log`.
///
/// # Errors
/// When its database or Redis cannot be used.
pub async fn start(ctx: &Ctx, config: Config) -> Result<Service, StartError> {
    start_with(ctx, config, Arc::new(LogChannel)).await
}

/// Starts the service with a channel of the caller's.
///
/// # Errors
/// When its database or Redis cannot be used.
pub async fn start_with(ctx: &Ctx, config: Config, channel: Arc<dyn Channel>) -> Result<Service, StartError> {
    let pool = ctx.postgres("notification", &MIGRATOR).await?;
    let redis = ctx.redis().await?;
    let consumer = consume(
        ConsumerConfig::new("notification", [RESERVATION_EVENTS, PAYMENT_EVENTS]),
        pool.clone(),
        redis,
        Arc::new(incoming::Incoming {
            channel: channel.name(),
            clock: ctx.clock.clone(),
        }),
        ctx.clock.clone(),
        ctx.shutdown.clone(),
    );
    let deliverer = deliver::Deliverer {
        pool: pool.clone(),
        channel,
        clock: ctx.clock.clone(),
        shutdown: ctx.shutdown.clone(),
        every: std::time::Duration::from_millis(config.notification_interval_ms.max(10)),
    };
    Ok(Service {
        name: "notification",
        router: http::router(pool),
        internal: axum::Router::new(),
        tasks: vec![consumer, Task::new("notification-delivery", deliverer.run())],
    })
}
