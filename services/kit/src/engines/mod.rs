//! Private engines for a drill or a test run: PostgreSQL and Redis as child processes, DynamoDB
//! as the in-process emulator. Real engines, own data, nothing left behind.
//!
//! Promises: the engines listen on unix sockets in a directory only we can list (the emulator on
//! a free loopback port); they end with [`Engines::stop`], with `Drop`, and with the death of this
//! process, however violent (`setpriv --pdeathsig`); what a killed run leaves on disk the next run
//! sweeps away. Failing to start leaves nothing running and says what to do.
//!
//! [`child`] and [`lair`] are public for the operator's testkit, which starts a Kubernetes control
//! plane under the same promises.

pub mod child;
mod dynamo;
mod error;
mod find;
pub mod lair;
mod postgres;
pub mod provision;
mod redis;
mod redis_cluster;

pub use dynamo::DynamoEngine;
pub use error::EngineError;
pub use lair::sweep;
pub use postgres::PostgresEngine;
pub use provision::provision;
pub use redis::RedisEngine;
pub use redis_cluster::RedisCluster;

use crate::settings::{ServiceUrls, Settings};
use lair::Lair;
use std::path::PathBuf;

/// What to start and how.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Whether PostgreSQL flushes to disk at commit. Off for drills and tests: they do not
    /// outlive a power cut anyway.
    pub durable: bool,
    /// Where the directory of this run is made; the system's temporary directory by default.
    pub base_dir: Option<PathBuf>,
    /// Free space to insist on, in MB: an empty PostgreSQL takes 40, its write-ahead log grows to
    /// hundreds under load.
    pub free_mb_min: u64,
    /// Most connections PostgreSQL takes. Each costs it a few MB once used.
    pub max_connections: u32,
    /// PostgreSQL also listens on this loopback port, for tools that want TCP.
    pub postgres_port: Option<u16>,
    /// Redis also listens on this loopback port.
    pub redis_port: Option<u16>,
    /// The loopback port of the DynamoDB emulator; any free one by default.
    pub dynamo_port: Option<u16>,
    /// Directories searched for the engines' programs before all others.
    pub program_dirs: Vec<PathBuf>,
    /// Whether `PATH` and the distribution's usual places are searched too.
    pub search_system: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            durable: false,
            base_dir: None,
            free_mb_min: 512,
            max_connections: 400,
            postgres_port: None,
            redis_port: None,
            dynamo_port: None,
            program_dirs: Vec::new(),
            search_system: true,
        }
    }
}

/// Running engines. Dropping them ends them.
// Fields drop in this order: the engines end before their directory is removed.
pub struct Engines {
    /// PostgreSQL.
    pub postgres: PostgresEngine,
    /// Redis.
    pub redis: RedisEngine,
    /// The DynamoDB emulator.
    pub dynamo: DynamoEngine,
    lair: Lair,
}

impl Engines {
    /// Sweeps what crashed runs left, then starts all engines and waits until they answer.
    ///
    /// # Errors
    /// A missing program, a port in use, a full disk, or an engine that does not come up; nothing
    /// is left running.
    pub async fn start(options: EngineOptions) -> Result<Self, EngineError> {
        let options = std::sync::Arc::new(options);
        let preparing = std::sync::Arc::clone(&options);
        // Files, processes and waiting for them: not for an async thread.
        let prepared = tokio::task::spawn_blocking(move || prepare(&preparing)).await;
        let (lair, postgres, redis) =
            prepared.map_err(|error| EngineError::io("run the engines' starter", error.into()))??;
        postgres.ready().await?;
        redis.ready().await?;
        let dynamo = DynamoEngine::start(options.dynamo_port)?;
        Ok(Self {
            postgres,
            redis,
            dynamo,
            lair,
        })
    }

    /// Settings that point at these engines. The URLs of services are the defaults; the caller
    /// knows where they listen.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            database_url: Some(self.postgres.service_url_template()),
            database_admin_url: Some(self.postgres.admin_url().to_owned()),
            database_pool_max: 20,
            redis_url: self.redis.url().to_owned(),
            dynamodb_endpoint: Some(self.dynamo.endpoint().to_owned()),
            table_prefix: "urr-".to_owned(),
            key_prefix: String::new(),
            urls: ServiceUrls::all_at("http://127.0.0.1:3001"),
            payment_provider_url: "http://127.0.0.1:3099".to_owned(),
        }
    }

    /// The directory of this run: data, sockets and logs of the engines.
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        self.lair.path()
    }

    /// The process ids of the engines, PostgreSQL's postmaster first.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        [self.postgres.pid(), self.redis.pid()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Ends the engines and removes their directory.
    ///
    /// # Errors
    /// When the directory cannot be removed; the engines have ended then all the same.
    pub async fn stop(self) -> Result<(), EngineError> {
        let Self {
            postgres,
            redis,
            dynamo,
            lair,
        } = self;
        let stopping = tokio::task::spawn_blocking(move || {
            drop((postgres, redis, dynamo));
            lair.remove()
        });
        stopping
            .await
            .map_err(|error| EngineError::io("stop the engines", error.into()))?
    }
}

fn prepare(options: &EngineOptions) -> Result<(Lair, PostgresEngine, RedisEngine), EngineError> {
    let programs = find::Programs::find(options)?;
    let lair = Lair::make(options)?;
    // Both start at once; if one fails, dropping the other ends it.
    let redis = RedisEngine::start(&programs, &lair, options)?;
    let postgres = PostgresEngine::start(&programs, &lair, options)?;
    Ok((lair, postgres, redis))
}

/// Whether `port` on 127.0.0.1 is free for `engine`; a child that found out itself would only
/// leave a line in its log.
fn check_port(engine: &'static str, port: u16) -> Result<(), EngineError> {
    match std::net::TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Err(EngineError::PortInUse { engine, port })
        }
        Err(error) => Err(EngineError::io(format!("listen on 127.0.0.1:{port}"), error)),
    }
}
