//! News, posts and comments (R-COM-01; api-contract.md section 12).
//!
//! The quiet room of the house: nothing here is on the way of an opening, and nothing an opening
//! does may wait for it (R-RES-03).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod authors;
mod news;
mod outgoing;
mod page;
mod posts;
mod text;

use axum::Router;
use sqlx::PgPool;
use std::sync::Arc;
use urr_kit::{
    Ctx, Service, StartError,
    clock::SharedClock,
    events::{RedisStreams, outbox},
};

/// This service's schema.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Settings; there are none of its own yet.
#[derive(clap::Args, Clone, Debug, Default)]
// Several services share one command line; groups named after the type would collide.
#[group(skip)]
pub struct Config {}

#[derive(Clone)]
struct App {
    pool: PgPool,
    clock: SharedClock,
    authors: authors::Authors,
}

/// Starts the service.
///
/// # Errors
/// When its database or Redis cannot be used.
pub async fn start(ctx: &Ctx, _config: Config) -> Result<Service, StartError> {
    let pool = ctx.postgres("community", &MIGRATOR).await?;
    let relay = outbox::relay(
        pool.clone(),
        Arc::new(RedisStreams::new(ctx.redis().await?)),
        ctx.clock.clone(),
        ctx.shutdown.clone(),
    );
    let app = App {
        pool,
        clock: ctx.clock.clone(),
        authors: authors::Authors::new(ctx.internal(), &ctx.settings.urls.auth),
    };
    Ok(Service {
        name: "community",
        router: posts::router().merge(news::router()).with_state(app),
        internal: Router::new(),
        tasks: vec![relay],
    })
}
