//! Tier 2, admission: lets in as many as the booking services bear, in tier-1 order.
//!
//! Why it exists: behind it every active user costs database work, so their number is a hard cap
//! and their arrival a rate. Both are kept by one script that is the join, the fast path and the
//! tick (`line/*.lua`); this crate only speaks HTTP and calls it. Laws kept here: `hard-cap`,
//! `fair-order`, `on-time`, and the first half of `no-back-door` (who gets an entry token).
//!
//! What breaks if it changes: the audit reads the log the script writes, and
//! `urr_core::admission` is its model.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

mod admissions;
mod booking;
mod breaker;
mod config;
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

pub use config::Config;

use admissions::{Bus, Destination, Publisher, Sqs};
use booking::Booking;
use durable::Durable;
use std::{sync::Arc, time::Duration};
use store::{Guards, Store};
use ticker::Ticker;
use titles::Titles;
use urr_kit::{
    Ctx, Redis, Service, StartError, Task,
    events::RedisStreams,
    sabotage::{Guard, is_off},
    state::rooms::Rooms,
    store::FifoQueue,
};

/// Starts admission.
///
/// # Errors
/// When Redis cannot be reached, or the SQS queue that is set cannot be one.
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
        let bus = Bus(RedisStreams::new(ctx.redis().await?));
        tasks.push(tell("queue-admissions-bus", ctx, &app.store, bus).await?);
    }
    if let Some(url) = &config.queue_admission_sqs_url {
        let endpoint = config.sqs_endpoint.as_deref();
        let sqs = Sqs {
            queue: FifoQueue::connect("QUEUE_ADMISSION_SQS_URL", url, endpoint).await?,
            store: Arc::clone(&app.store),
            entry_keys: ctx.secrets.entry_keys.clone(),
        };
        tasks.push(tell("queue-admissions-sqs", ctx, &app.store, sqs).await?);
    }
    Ok(Service {
        name: "queue",
        router: http::router(Arc::clone(&app)),
        internal: http::internal(app, &ctx.secrets),
        tasks,
    })
}

/// The task that tells `to` of admissions, on a connection of its own: the log is read in large pieces.
async fn tell(
    name: &'static str,
    ctx: &Ctx,
    store: &Arc<Store>,
    to: impl Destination,
) -> Result<Task, StartError> {
    let publisher = Publisher::new(
        Arc::clone(store),
        ctx.redis().await?,
        ctx.clock.clone(),
        Box::new(to),
    );
    let shutdown = ctx.shutdown.clone();
    Ok(Task::new(name, async move {
        publisher.run(shutdown).await;
        Ok(())
    }))
}

fn assemble(ctx: &Ctx, config: &Config, redis: Redis, durable: Durable, guards: Guards) -> Arc<http::App> {
    let titles = Titles::new(ctx.internal(), &ctx.settings.urls.catalog, ctx.clock.clone());
    let booking = Booking::new(
        ctx.internal(),
        &ctx.settings.urls.booking,
        ctx.clock.clone(),
        Duration::from_millis(config.queue_booking_wait_ms),
    );
    Arc::new(http::App {
        store: Arc::new(Store::new(redis, durable, config.defaults(), guards).telling(config.tells())),
        titles: Arc::new(titles),
        booking: Arc::new(booking),
        clock: ctx.clock.clone(),
        entry_keys: ctx.secrets.entry_keys.clone(),
        vwr_keys: ctx.secrets.vwr_keys.clone(),
        free: metrics::counter!("urr_queue_free_polls_total"),
    })
}
