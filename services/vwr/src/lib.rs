//! Tier 1, the waiting room at the door: it numbers a crowd of any size and lets it on in order.
//!
//! Why it exists: nobody behind the door can bear a million people at once, but numbering them
//! and telling them when to come is cheap if it is done right. Joining is a group commit
//! (`line.rs`), waiting costs two comparisons (`http.rs`, `cache.rs`), and the line moves by a clock
//! that nobody has to tick (`urr_core::room`). Laws kept here: `one-place`, `free-poll`,
//! `monotone-serving`, `fair-order`, `on-time`.
//!
//! What it is not: it knows no users and no seats, and its token opens no door but tier 2's.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

mod admin;
mod cache;
mod http;
mod keeper;
mod line;
mod store;
mod visitor;
mod watched;

#[cfg(test)]
mod tests;

use cache::RoomCache;
use line::{Guards, Meters, Shared};
use metrics::counter;
use std::{sync::Arc, time::Duration};
use store::Store;
use urr_kit::{
    Ctx, Service, StartError, Task,
    sabotage::{Guard, is_off},
    state::rooms::ledger::Conditions,
};
use uuid::Uuid;

/// Joins are answered with an error after this long; below the 15 s after which clients give up, so
/// that it is they who hear it.
const PATIENCE: Duration = Duration::from_secs(8);

/// Settings of the waiting room.
#[derive(clap::Args, Clone, Debug)]
// Several services share one command line; groups named after the type would collide.
#[group(skip)]
pub struct Config {
    /// How often each watched sale's room is read, ms (50 to 900: copies must be younger than the
    /// second that rate changes wait for).
    #[arg(long, env = "VWR_REFRESH_MS", default_value_t = 750,
          value_parser = clap::value_parser!(u64).range(50..=900))]
    pub vwr_refresh_ms: u64,

    /// Joins one sale may have waiting in one process; more are told to retry. The default is
    /// about what the store numbers in half a second.
    #[arg(long, env = "VWR_JOINS_MAX", default_value_t = 200_000)]
    pub vwr_joins_max: usize,

    /// People per second let on by a room that an admin activates for an event without a sale.
    #[arg(long, env = "VWR_DEFAULT_RATE_PER_S", default_value_t = 50)]
    pub vwr_default_rate_per_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            vwr_refresh_ms: 750,
            vwr_joins_max: 200_000,
            vwr_default_rate_per_s: 50,
        }
    }
}

/// Starts the waiting room: its tables exist afterwards.
///
/// # Errors
/// When DynamoDB cannot be reached or a table not created.
pub async fn start(ctx: &Ctx, config: Config) -> Result<Service, StartError> {
    let (conditions, guards) = if is_off(Guard::GroupCommit) {
        (Conditions::Dropped, Guards::NO_LEDGER)
    } else {
        (Conditions::Kept, Guards::ON)
    };
    let room = assemble(ctx, &config, conditions, guards, PATIENCE).await?;
    let cache = Arc::clone(&room.cache);
    let (every, shutdown) = (Duration::from_millis(config.vwr_refresh_ms), ctx.shutdown.clone());
    Ok(Service {
        name: "vwr",
        router: http::router(room),
        internal: axum::Router::new(),
        tasks: vec![Task::new("vwr-refresh", async move {
            cache.keep_fresh(every, shutdown).await;
            Ok(())
        })],
    })
}

async fn assemble(
    ctx: &Ctx,
    config: &Config,
    conditions: Conditions,
    guards: Guards,
    patience: Duration,
) -> Result<Arc<http::App>, StartError> {
    let store = Arc::new(Store::new(&ctx.dynamo().await, conditions));
    store
        .ensure_tables()
        .await
        .map_err(|e| StartError::other("the waiting room's tables cannot be used", e))?;
    let shared = Arc::new(Shared {
        store,
        clock: ctx.clock.clone(),
        keys: ctx.secrets.vwr_keys.clone(),
        writer: Uuid::new_v4().as_u64_pair().0,
        joins_max: config.vwr_joins_max,
        patience,
        guards,
        meters: Meters::new(),
    });
    Ok(Arc::new(http::App {
        cache: Arc::new(RoomCache::new(Arc::clone(&shared))),
        shared,
        polls: counter!("urr_vwr_polls_total"),
        admitted: counter!("urr_vwr_admitted_polls_total"),
        default_rate_per_s: config.vwr_default_rate_per_s,
    }))
}
