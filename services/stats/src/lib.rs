//! Figures for the house, from what the other services tell (R-STAT-01, -02).
//!
//! It never asks another service or its store: everything here is a projection of events into own
//! tables (`incoming`), read by the admin API (`http`) through `figures`. It is behind by as much as
//! the bus is, normally under a second.
//!
//! What no event tells is not made up: `total_seats`, `available_seats` and `occupancy_rate` are null for events
//! that have no seats (nobody tells how many standing tickets there are), `recentActivity` is empty as upstream's is,
//! and seats that were sold before events told which ones they were are in no seat preference.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

mod figures;
mod http;
mod incoming;
mod projection;

use urr_kit::{Ctx, Service, StartError};

/// The schema of this service.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Settings of the stats service: none of its own.
#[derive(clap::Args, Clone, Debug, Default)]
#[group(skip)]
pub struct Config {}

/// Starts the service.
///
/// # Errors
/// When Postgres or Redis cannot be used.
pub async fn start(ctx: &Ctx, _config: Config) -> Result<Service, StartError> {
    let pool = ctx.postgres("stats", &MIGRATOR).await?;
    let redis = ctx.redis().await?;
    Ok(Service {
        name: "stats",
        router: http::router(figures::Figures::new(pool.clone()), ctx.clock.clone()),
        internal: axum::Router::new(),
        tasks: vec![incoming::consume(ctx, pool, redis)],
    })
}
