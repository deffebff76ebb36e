//! Tier 2, admission: lets in as many as the booking services bear, in tier-1 order.
//!
//! Why it exists: behind it every active user costs database work, so their number is a hard cap
//! and their arrival a rate. Both are kept by one script that is the join, the fast path and the
//! tick (`line.lua`); this crate only speaks HTTP and calls it. Laws kept here: `hard-cap`,
//! `fair-order`, `on-time`, and the first half of `no-back-door` (who gets an entry token).
//!
//! What breaks if it changes: the audit reads the log the script writes, and
//! `urr_core::admission` is its model.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

mod http;
mod memory;
mod place;
mod store;
mod ticker;
mod titles;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use store::{Defaults, Store};
use ticker::Ticker;
use titles::Titles;
use urr_kit::{
    Ctx, Redis, Service, StartError, Task,
    sabotage::{Guard, is_off},
};

/// Settings of admission. Those marked * hold for events without a sale; a sale brings its own.
#[derive(clap::Args, Clone, Debug)]
// Several services share one command line; groups named after the type would collide.
#[group(skip)]
pub struct Config {
    /// Most people inside at once *.
    #[arg(long, env = "QUEUE_THRESHOLD", default_value_t = 1000)]
    pub queue_threshold: u32,

    /// People let in per second *.
    #[arg(long, env = "QUEUE_RATE_PER_S", default_value_t = 10)]
    pub queue_rate_per_s: u32,

    /// Most people let in at one go after a quiet time *.
    #[arg(long, env = "QUEUE_ADMISSION_BATCH_SIZE", default_value_t = 100)]
    pub queue_admission_batch_size: u32,

    /// A slot ends after this long, seconds *.
    #[arg(long, env = "QUEUE_ACTIVE_TTL_SECONDS", default_value_t = 600)]
    pub queue_active_ttl_seconds: u32,

    /// An active visitor silent for this long loses the slot, seconds *.
    #[arg(long, env = "QUEUE_SILENCE_SECONDS", default_value_t = 30)]
    pub queue_silence_seconds: u32,

    /// Lifetime of the entry token, seconds *.
    #[arg(long, env = "QUEUE_ENTRY_TOKEN_TTL_SECONDS", default_value_t = 600)]
    pub queue_entry_token_ttl_seconds: u32,

    /// A waiting visitor silent for this long leaves the line, seconds. Polls may be a minute
    /// apart.
    #[arg(long, env = "QUEUE_SEEN_TTL_SECONDS", default_value_t = 600)]
    pub queue_seen_ttl_seconds: u32,

    /// Most people waiting in one line; who comes later stays in tier 1.
    #[arg(long, env = "QUEUE_LINE_MAX", default_value_t = 50_000)]
    pub queue_line_max: u32,

    /// Longest time between two ticks of a line, ms.
    #[arg(long, env = "QUEUE_ADMISSION_INTERVAL_MS", default_value_t = 1000,
          value_parser = clap::value_parser!(u64).range(10..=10_000))]
    pub queue_admission_interval_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            queue_threshold: 1000,
            queue_rate_per_s: 10,
            queue_admission_batch_size: 100,
            queue_active_ttl_seconds: 600,
            queue_silence_seconds: 30,
            queue_entry_token_ttl_seconds: 600,
            queue_seen_ttl_seconds: 600,
            queue_line_max: 50_000,
            queue_admission_interval_ms: 1000,
        }
    }
}

impl Config {
    const fn defaults(&self) -> Defaults {
        Defaults {
            rate_per_s: self.queue_rate_per_s,
            burst: self.queue_admission_batch_size,
            cap: self.queue_threshold,
            silence_s: self.queue_silence_seconds,
            active_ttl_s: self.queue_active_ttl_seconds,
            token_ttl_s: self.queue_entry_token_ttl_seconds,
            seen_ttl_s: self.queue_seen_ttl_seconds,
            line_max: self.queue_line_max,
        }
    }
}

/// Starts admission.
///
/// # Errors
/// When Redis cannot be reached.
pub async fn start(ctx: &Ctx, config: Config) -> Result<Service, StartError> {
    let app = assemble(ctx, &config, ctx.redis().await?, !is_off(Guard::HardCap));
    let ticker = Ticker::new(
        Arc::clone(&app.store),
        ctx.clock.clone(),
        config.queue_admission_interval_ms,
    );
    let shutdown = ctx.shutdown.clone();
    Ok(Service {
        name: "queue",
        router: http::router(Arc::clone(&app)),
        internal: http::internal(app, &ctx.secrets),
        tasks: vec![Task::new("queue-ticker", async move {
            ticker.run(shutdown).await;
            Ok(())
        })],
    })
}

fn assemble(ctx: &Ctx, config: &Config, redis: Redis, hard_cap: bool) -> Arc<http::App> {
    let titles = Titles::new(ctx.internal(), &ctx.settings.urls.catalog, ctx.clock.clone());
    Arc::new(http::App {
        store: Arc::new(Store::new(redis, config.defaults(), hard_cap)),
        titles: Arc::new(titles),
        clock: ctx.clock.clone(),
        entry_keys: ctx.secrets.entry_keys.clone(),
        vwr_keys: ctx.secrets.vwr_keys.clone(),
    })
}
