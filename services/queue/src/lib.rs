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

mod admissions;
mod durable;
mod http;
mod ladder;
mod lines;
mod place;
mod release;
mod store;
mod ticker;
mod titles;

#[cfg(test)]
mod tests;

use admissions::Admissions;
use durable::Durable;
use std::sync::Arc;
use store::{Defaults, Guards, MOVES_MAX, Store};
use ticker::Ticker;
use titles::Titles;
use urr_kit::{
    Ctx, Redis, Service, StartError, Task,
    events::RedisStreams,
    sabotage::{Guard, is_off},
    state::rooms::Rooms,
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

    /// As above for visitors whose client says it is a phone (`Sec-CH-UA-Mobile: ?1`, or
    /// `x-urr-device: phone`), which sleeps when it is put away, seconds.
    #[arg(long, env = "QUEUE_PHONE_SILENCE_SECONDS", default_value_t = 90)]
    pub queue_phone_silence_seconds: u32,

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

    /// Whether a payment frees its visitor's slot at once.
    #[arg(long, env = "QUEUE_RELEASE_ON_PAYMENT", default_value_t = true, action = clap::ArgAction::Set)]
    pub queue_release_on_payment: bool,

    /// Whether admissions are published as events (topic `admissions`, R-QUE-16).
    #[arg(long, env = "QUEUE_ADMISSION_EVENTS", default_value_t = false, action = clap::ArgAction::Set)]
    pub queue_admission_events: bool,

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
            queue_phone_silence_seconds: 90,
            queue_entry_token_ttl_seconds: 600,
            queue_seen_ttl_seconds: 600,
            queue_line_max: 50_000,
            queue_release_on_payment: true,
            queue_admission_events: false,
            queue_admission_interval_ms: 1000,
        }
    }
}

impl Config {
    pub(crate) const fn defaults(&self) -> Defaults {
        Defaults {
            rate_per_s: self.queue_rate_per_s,
            burst: self.queue_admission_batch_size,
            cap: self.queue_threshold,
            silence_s: self.queue_silence_seconds,
            phone_silence_s: self.queue_phone_silence_seconds,
            active_ttl_s: self.queue_active_ttl_seconds,
            token_ttl_s: self.queue_entry_token_ttl_seconds,
            seen_ttl_s: self.queue_seen_ttl_seconds,
            line_max: self.queue_line_max,
            moves_max: MOVES_MAX,
        }
    }
}

/// Starts admission.
///
/// # Errors
/// When Redis cannot be reached.
pub async fn start(ctx: &Ctx, config: Config) -> Result<Service, StartError> {
    let guards = Guards {
        cap_off: is_off(Guard::HardCap),
        clock_off: false,
        recovery_off: is_off(Guard::Recovery),
    };
    let durable = Durable::new(Some(Rooms::new(&ctx.dynamo().await)));
    let app = assemble(ctx, &config, ctx.redis().await?, durable, guards);
    let ticker = Ticker::new(
        Arc::clone(&app.store),
        ctx.clock.clone(),
        config.queue_admission_interval_ms,
    );
    let shutdown = ctx.shutdown.clone();
    let mut tasks = vec![Task::new("queue-ticker", async move {
        ticker.run(shutdown).await;
        Ok(())
    })];
    // Without a database there is nothing to remember processed events in.
    if config.queue_release_on_payment && ctx.settings.database_url.is_some() {
        tasks.push(release::task(ctx, Arc::clone(&app.store)));
    }
    if config.queue_admission_events {
        let redis = ctx.redis().await?;
        let bus = Arc::new(RedisStreams::new(redis.clone()));
        let admissions = Admissions::new(Arc::clone(&app.store), redis, bus);
        let shutdown = ctx.shutdown.clone();
        tasks.push(Task::new("queue-admissions", async move {
            admissions.run(shutdown).await;
            Ok(())
        }));
    }
    Ok(Service {
        name: "queue",
        router: http::router(Arc::clone(&app)),
        internal: http::internal(app, &ctx.secrets),
        tasks,
    })
}

fn assemble(ctx: &Ctx, config: &Config, redis: Redis, durable: Durable, guards: Guards) -> Arc<http::App> {
    let titles = Titles::new(ctx.internal(), &ctx.settings.urls.catalog, ctx.clock.clone());
    Arc::new(http::App {
        store: Arc::new(Store::new(redis, durable, config.defaults(), guards)),
        titles: Arc::new(titles),
        clock: ctx.clock.clone(),
        entry_keys: ctx.secrets.entry_keys.clone(),
        vwr_keys: ctx.secrets.vwr_keys.clone(),
        free: metrics::counter!("urr_queue_free_polls_total"),
    })
}
