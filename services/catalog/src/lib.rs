//! What can be seen: events, artists, and their administration (R-CAT, R-ADM-01; api-contract.md
//! section 8).
//!
//! Catalog is read by everybody and written by a few. Reads answer from a short-lived cache and
//! never wait for another service longer than they must (R-RES-03); writes tell the others through
//! the outbox. Seats and ticket types belong to booking: what is shown of them here is a copy.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod admin;
mod artist;
mod booking;
mod cache;
mod enrich;
mod event;
mod image;
mod members;
mod music;
mod outgoing;
mod public;
mod status;
mod store;

pub use image::ImageConfig;
pub use music::MusicConfig;

use std::{sync::Arc, time::Duration};
use urr_kit::{
    Ctx, Redis, Service, StartError, Task,
    clock::SharedClock,
    events::{RedisStreams, outbox},
};

/// This service's schema.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Settings of the catalog.
#[derive(clap::Args, Clone, Debug)]
// Several services share one command line; groups named after the type would collide.
#[group(skip)]
pub struct Config {
    /// Milliseconds between two looks at which events' sale windows opened or closed. Readers see
    /// the right status at once; this only keeps the stored one in step.
    #[arg(
        long = "event-status-interval-ms",
        env = "EVENT_STATUS_INTERVAL_MS",
        default_value_t = 60_000
    )]
    pub event_status_interval_ms: u64,

    /// Where images are kept.
    #[command(flatten)]
    pub image: ImageConfig,

    /// The music service artists are looked up at.
    #[command(flatten)]
    pub music: MusicConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            event_status_interval_ms: 60_000,
            image: ImageConfig::default(),
            music: MusicConfig::default(),
        }
    }
}

struct Inner {
    store: store::Store,
    /// The event bus, for its dead letters.
    redis: Redis,
    booking: booking::Booking,
    clock: SharedClock,
    lists: cache::Cache<public::ListKey, serde_json::Value>,
    details: cache::Cache<uuid::Uuid, serde_json::Value>,
    artist_lists: cache::Cache<public::ListKey, serde_json::Value>,
    artists: cache::Cache<uuid::Uuid, serde_json::Value>,
    images: Option<Arc<dyn image::ImageStore>>,
    music: Option<music::Music>,
}

type App = Arc<Inner>;

impl Inner {
    /// Nothing of what was answered before holds any more: somebody changed something here.
    fn forget(&self) {
        self.lists.clear();
        self.details.clear();
        self.artist_lists.clear();
        self.artists.clear();
    }
}

/// Starts the service.
///
/// # Errors
/// When its database or Redis cannot be used.
pub async fn start(ctx: &Ctx, config: Config) -> Result<Service, StartError> {
    let pool = ctx.postgres("catalog", &MIGRATOR).await?;
    let redis = ctx.redis().await?;
    let app: App = Arc::new(Inner {
        store: store::Store::new(pool.clone()),
        redis: redis.clone(),
        booking: booking::Booking::new(ctx.internal(), &ctx.settings.urls.booking),
        clock: ctx.clock.clone(),
        lists: cache::Cache::new(),
        details: cache::Cache::new(),
        artist_lists: cache::Cache::new(),
        artists: cache::Cache::new(),
        images: image::open(ctx, &config.image).await?,
        music: music::Music::new(ctx.http(), &config.music),
    });
    let members = members::listen(ctx, pool.clone(), redis.clone());
    let relay = outbox::relay(
        pool,
        Arc::new(RedisStreams::new(redis)),
        ctx.clock.clone(),
        ctx.shutdown.clone(),
    );
    let every = Duration::from_millis(config.event_status_interval_ms.max(100));
    let status = status::keep_in_step(app.clone(), every, ctx.shutdown.clone());
    Ok(Service {
        name: "catalog",
        router: public::router()
            .merge(admin::router())
            .merge(enrich::router())
            .merge(image::router())
            .with_state(app.clone()),
        internal: public::internal(&ctx.secrets).with_state(app),
        tasks: vec![relay, members, Task::new("event-status", status)],
    })
}
