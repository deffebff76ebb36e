//! Payments: from "what do I owe?" to a ticket or a refund.
//!
//! - [`Payments`] is the saga (`saga/`): prepare, confirm, refund, recover.
//! - `provider` speaks the Toss wire, `booking` the internal API of the other party of the saga,
//!   `store` Postgres; each is the only place that does.
//! - `incoming` listens to what booking decides without us, `outgoing` says what we decided.
//!
//! The law kept here is `paid-means-ticket`: every charge ends as a ticket or a refund, whatever
//! crashes between.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

pub mod booking;
mod breaker;
mod http;
mod incoming;
mod outgoing;
pub mod payment;
pub mod provider;
pub mod saga;
mod store;

use std::time::Duration;

use urr_kit::{Ctx, Service, StartError, Task};

pub use http::{Offer, internal_router, router};
pub use payment::PaymentType;
pub use saga::{FailPoints, Payments};
pub use store::Store;

/// The schema of this service.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Settings of the payment service.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)]
pub struct Config {
    /// The provider's public key, handed to the browser's widget.
    #[arg(long, env = "TOSS_CLIENT_KEY", default_value = "test_ck_dummy")]
    pub toss_client_key: String,
    /// How long the provider may take to charge or refund, in milliseconds (R-PAY-08).
    #[arg(long, env = "PAYMENT_PROVIDER_TIMEOUT_MS", default_value_t = 10_000)]
    pub payment_provider_timeout_ms: u64,
    /// Offer the instant methods (naver_pay, kakao_pay, bank_transfer). They charge the provider
    /// without its widget, which only the test provider allows: never in production (R-PAY-11).
    #[arg(long, env = "PAYMENT_INSTANT_METHODS", default_value_t = false)]
    pub payment_instant_methods: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            toss_client_key: "test_ck_dummy".to_owned(),
            payment_provider_timeout_ms: 10_000,
            payment_instant_methods: false,
        }
    }
}

/// Starts the service: its routes, the outbox relay, the listener to booking and the recovery.
///
/// # Errors
/// When Postgres or Redis cannot be used.
pub async fn start(ctx: &Ctx, config: Config) -> Result<Service, StartError> {
    let pool = ctx.postgres("payment", &MIGRATOR).await?;
    let redis = ctx.redis().await?;
    let payments = saga(ctx, Store::new(pool.clone()), &config, FailPoints::none());
    let offer = Offer {
        client_key: config.toss_client_key,
        instant_methods: config.payment_instant_methods,
    };
    Ok(Service {
        name: "payment",
        router: router(payments.clone(), offer),
        internal: internal_router(payments.clone(), &ctx.secrets),
        tasks: vec![
            outgoing::relay(ctx, pool.clone(), redis.clone()),
            incoming::consume(ctx, pool, redis),
            Task::new("payment-recovery", saga::recovery(payments, ctx.shutdown.clone())),
        ],
    })
}

/// The saga as [`start`] wires it; tests pass fail points.
#[must_use]
pub fn saga(ctx: &Ctx, store: Store, config: &Config, fail_points: FailPoints) -> Payments {
    let provider = provider::Provider::new(
        ctx.http(),
        &ctx.settings.payment_provider_url,
        &ctx.secrets.toss_secret_key,
        Duration::from_millis(config.payment_provider_timeout_ms),
    );
    let booking = booking::Booking::new(ctx.internal(), &ctx.settings.urls.booking);
    Payments::new(store, provider, booking, ctx.clock.clone(), fail_points)
}
