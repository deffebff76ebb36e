//! What a service is started with: where things are, who it is, what time it is, and when to stop.

use crate::clock::SharedClock;
use crate::internal::{Breakers, InternalClient, http_builder};
use crate::secrets::Secrets;
use crate::service::health::{Health, Probe};
use crate::settings::Settings;
use crate::start::StartError;
use crate::store::{Dynamo, Redis, postgres, redis};
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The context of a process. Cheap to clone.
#[derive(Clone)]
pub struct Ctx {
    /// Addresses and limits.
    pub settings: Arc<Settings>,
    /// Keys and tokens.
    pub secrets: Arc<Secrets>,
    /// The only clock.
    pub clock: SharedClock,
    /// Cancelled when the process is to end.
    pub shutdown: CancellationToken,
    http: reqwest::Client,
    internal: reqwest::Client,
    breakers: Breakers,
    health: Health,
    redis_patience: Duration,
}

impl Ctx {
    /// A context of its own, with its own shutdown token.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(settings: Settings, secrets: Secrets, clock: SharedClock) -> Result<Self, StartError> {
        Ok(Self {
            settings: Arc::new(settings),
            secrets: Arc::new(secrets),
            clock,
            shutdown: CancellationToken::new(),
            http: http_builder().build().map_err(StartError::Http)?,
            // Our own services are never behind somebody's proxy.
            internal: http_builder().no_proxy().build().map_err(StartError::Http)?,
            breakers: Breakers::default(),
            health: Health::default(),
            redis_patience: redis::RESPONSE_TIMEOUT,
        })
    }

    /// The same context with other settings, for example addresses that are known only now.
    #[must_use]
    pub fn with_settings(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::clone(&self.settings);
        change(&mut settings);
        Self {
            settings: Arc::new(settings),
            ..self.clone()
        }
    }

    /// The same context with another time that an answer of Redis may take.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn with_redis_patience(self, redis_patience: Duration) -> Self {
        Self {
            redis_patience,
            ..self
        }
    }

    /// A pool on the schema of `service`: role and schema made if an admin URL is set, the kit's
    /// tables and the service's migrations applied. `/health` watches it from now on.
    ///
    /// # Errors
    /// When the database cannot be used, or a migration failed or was edited.
    pub async fn postgres(&self, service: &'static str, migrator: &Migrator) -> Result<PgPool, StartError> {
        let pool = postgres::connect(&self.settings, service, migrator).await?;
        self.health.watch(Probe::Postgres(pool.clone()));
        Ok(pool)
    }

    /// A connection to Redis. `/health` watches it from now on.
    ///
    /// # Errors
    /// When Redis cannot be reached.
    pub async fn redis(&self) -> Result<Redis, StartError> {
        let (url, prefix) = (&self.settings.redis_url, &self.settings.key_prefix);
        let redis = Redis::connect_with(url, prefix, self.redis_patience).await?;
        self.health.watch(Probe::Redis(redis.clone()));
        Ok(redis)
    }

    /// A client for DynamoDB. Nothing is called yet.
    pub async fn dynamo(&self) -> Dynamo {
        Dynamo::connect(&self.settings).await
    }

    /// The process's HTTP client, for calls to the outside. Set a timeout on each request.
    #[must_use]
    pub fn http(&self) -> reqwest::Client {
        self.http.clone()
    }

    /// A client for the internal routes of other services.
    #[must_use]
    pub fn internal(&self) -> InternalClient {
        let token = self.secrets.internal_api_token.clone();
        InternalClient::new(self.internal.clone(), token, self.breakers.clone())
    }

    /// What `/health` reports on.
    #[must_use]
    pub const fn health(&self) -> &Health {
        &self.health
    }
}
