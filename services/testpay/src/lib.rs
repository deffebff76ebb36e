//! A stand-in for the card provider, speaking the Toss wire.
//!
//! The provider is an outside party, so a double is allowed where every engine of our own must be
//! real. It is a separate HTTP server on purpose: a drill then crosses a real socket, meets real
//! timeouts, and the auditor reads the provider's ledger from a witness that does not share the
//! payment service's memory. The ledger is that witness: it is never trimmed, it refuses instead.
//!
//! - [`ledger`]: what was charged and given back; pure, no I/O.
//! - [`behaviour`]: latency, failures and the faults a scenario can ask for.
//! - [`http`]: the Toss routes, `GET /ledger` and `/admin/behaviour`.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

pub mod behaviour;
mod http;
pub mod ledger;

use axum::Router;
use urr_kit::clock::SharedClock;
use urr_kit::{Ctx, Service, StartError};

pub use behaviour::Behaviour;

/// Settings of the test provider.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)]
pub struct Config {
    /// Shortest time one answer takes, in milliseconds.
    #[arg(
        long = "testpay-latency-ms-min",
        env = "TESTPAY_LATENCY_MS_MIN",
        default_value_t = 20
    )]
    pub latency_ms_min: u64,
    /// Longest time one answer takes, in milliseconds; between the two every delay is equally likely.
    #[arg(
        long = "testpay-latency-ms-max",
        env = "TESTPAY_LATENCY_MS_MAX",
        default_value_t = 80
    )]
    pub latency_ms_max: u64,
    /// Share of charges the "card company" declines, 0 to 1.
    #[arg(
        long = "testpay-failure-share",
        env = "TESTPAY_FAILURE_SHARE",
        default_value_t = 0.0
    )]
    pub failure_share: f64,
    /// Seed of the delays and declines, so that a run can be repeated.
    #[arg(long = "testpay-seed", env = "TESTPAY_SEED", default_value_t = 1)]
    pub seed: u64,
    /// Most payments kept. The ledger is evidence, so a full one refuses new charges. 500,000 is
    /// eight times the largest hall of the plan and takes about 200 MB.
    #[arg(
        long = "testpay-ledger-max",
        env = "TESTPAY_LEDGER_MAX",
        default_value_t = 500_000
    )]
    pub ledger_max: usize,
}

impl Default for Config {
    /// No delay and no declines: what tests start from.
    fn default() -> Self {
        Self {
            latency_ms_min: 0,
            latency_ms_max: 0,
            failure_share: 0.0,
            seed: 1,
            ledger_max: 500_000,
        }
    }
}

/// The provider's routes, for a server of its own. `secret_key` is what merchants authenticate
/// with (HTTP Basic, the key as user name).
pub fn router(secret_key: &str, clock: SharedClock, config: &Config) -> Router {
    http::router(http::Provider::new(secret_key, clock, config))
}

/// Starts the provider as a service, like the others, for `urr testpay`.
///
/// # Errors
/// None today; the shape is that of every service.
pub async fn start(ctx: &Ctx, config: Config) -> Result<Service, StartError> {
    Ok(Service {
        name: "testpay",
        router: router(&ctx.secrets.toss_secret_key, ctx.clock.clone(), &config),
        internal: Router::new(),
        tasks: Vec::new(),
    })
}
