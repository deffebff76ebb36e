//! Why a service could not start: each variant names the setting or engine and the remedy.

use crate::engines::EngineError;
use crate::error::BoxError;
use std::net::SocketAddr;

/// A service could not start. Display says what; the chain says why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting without which this service cannot run.
    #[error("{variable} is not set: {purpose}")]
    MissingSetting {
        /// The environment variable.
        variable: &'static str,
        /// What it is for.
        purpose: &'static str,
    },
    /// A setting that cannot be used.
    #[error("{variable} cannot be used: {problem}")]
    BadSetting {
        /// The environment variable.
        variable: &'static str,
        /// What is wrong with it, without its value.
        problem: String,
    },
    /// A secret that is too weak to start with.
    #[error("{variable} is too weak: {problem} (make one with `openssl rand -base64 48`)")]
    WeakSecret {
        /// The environment variable.
        variable: &'static str,
        /// What is wrong with it, without its value.
        problem: String,
    },
    /// PostgreSQL could not be reached or refused us.
    #[error("the database of `{service}` cannot be used")]
    Postgres {
        /// Which service's database.
        service: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A migration failed.
    #[error("the schema of `{service}` could not be migrated")]
    Migration {
        /// Which service's schema.
        service: &'static str,
        /// Why.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// A migration that was applied before has been edited since.
    #[error(
        "migration {version} of `{service}` differs from the one that was applied: \
         never edit an applied migration, add a new one"
    )]
    SchemaEdited {
        /// Which service's schema.
        service: &'static str,
        /// The migration.
        version: i64,
    },
    /// Redis could not be reached.
    #[error("Redis cannot be used (REDIS_URL)")]
    Redis(#[source] redis::RedisError),
    /// The HTTP client could not be built.
    #[error("the HTTP client could not be built")]
    Http(#[source] reqwest::Error),
    /// An address could not be listened on.
    #[error("cannot listen on {address}: choose another port or stop what uses it")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An engine of ours could not be started or provisioned.
    #[error("an engine could not be prepared")]
    Engine(#[from] EngineError),
    /// Something else, named by the service.
    #[error("{what}")]
    Other {
        /// What could not be done.
        what: String,
        /// Why.
        #[source]
        source: BoxError,
    },
}

impl StartError {
    /// `what` could not be done because of `source`.
    pub fn other(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Other {
            what: what.into(),
            source: source.into(),
        }
    }
}
