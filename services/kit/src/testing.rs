//! Contexts for tests: own schemas, keys and tables on real engines.
//!
//! The engines are started once per test process and end with it; PostgreSQL and Redis may instead
//! be those that `URR_TEST_DATABASE_URL` (an admin role) and `URR_TEST_REDIS_URL` name. Each [`TestBed`]
//! has its own roles, schemas, key and table prefixes, so tests run side by side.
#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a test that cannot be set up must fail"
)]

use crate::clock::{Clock as _, ManualClock, SharedClock, SystemClock};
use crate::ctx::Ctx;
use crate::engines::{DynamoEngine, EngineOptions, Engines, RedisCluster};
use crate::secrets::Secrets;
use crate::service::Task;
use crate::settings::{ServiceUrls, Settings};
use crate::store::redis::RESPONSE_TIMEOUT;
use axum::Router;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use urr_core::time::Millis;

/// Connections per pool: a test needs a few, and hundreds of tests share the server's 400.
const POOL_MAX: u32 = 4;

/// What an answer of the shared Redis may take: nobody kills it, but the whole machine may stand still.
const REDIS_PATIENCE: Duration = Duration::from_secs(20);

/// What all tests of this process share.
struct Shared {
    settings: Settings,
    engines: TestEngines,
    janitor: mpsc::Sender<String>,
}

/// A static is never dropped: what is in here ends with the process.
enum TestEngines {
    Own(Box<Engines>),
    Named { _dynamo: DynamoEngine },
}

static SHARED: OnceCell<Shared> = OnceCell::const_new();

async fn shared() -> &'static Shared {
    SHARED
        .get_or_init(|| async {
            let (settings, engines) = engines_for_tests().await;
            let admin_url = settings
                .database_admin_url
                .clone()
                .expect("engines have an admin URL");
            Shared {
                settings,
                engines,
                janitor: janitor(admin_url),
            }
        })
        .await
}

async fn engines_for_tests() -> (Settings, TestEngines) {
    let database = std::env::var("URR_TEST_DATABASE_URL").ok();
    let redis = std::env::var("URR_TEST_REDIS_URL").ok();
    if let (Some(database), Some(redis)) = (database, redis) {
        let dynamo = DynamoEngine::start(None).expect("the DynamoDB emulator starts");
        let (_, rest) = database
            .split_once('@')
            .expect("URR_TEST_DATABASE_URL names a role");
        let settings = Settings {
            database_url: Some(format!("postgres://urr_{{service}}:urrtest@{rest}")),
            database_admin_url: Some(database.clone()),
            database_pool_max: POOL_MAX,
            redis_url: redis,
            dynamodb_endpoint: Some(dynamo.endpoint().to_owned()),
            table_prefix: String::new(),
            key_prefix: String::new(),
            urls: ServiceUrls::all_at("http://127.0.0.1:9"),
            payment_provider_url: "http://127.0.0.1:9".to_owned(),
        };
        return (settings, TestEngines::Named { _dynamo: dynamo });
    }
    let engines = Engines::start(EngineOptions::default())
        .await
        .unwrap_or_else(|error| panic!("no engines for tests: {}", crate::error::chain(&error)));
    let mut settings = engines.settings();
    settings.database_pool_max = POOL_MAX;
    (settings, TestEngines::Own(Box::new(engines)))
}

/// Drops the roles and schemas of finished tests, on a thread of its own: a test's runtime is
/// about to end when its bed is dropped.
fn janitor(admin_url: String) -> mpsc::Sender<String> {
    let (sender, receiver) = mpsc::channel::<String>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime for the janitor");
        for prefix in receiver {
            // Best effort: names are never used again, and private engines go away altogether.
            let _ = runtime.block_on(drop_roles(&admin_url, &prefix));
        }
    });
    sender
}

async fn drop_roles(admin_url: &str, prefix: &str) -> Result<(), sqlx::Error> {
    let mut conn = PgConnection::connect(admin_url).await?;
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE $1 || '%'")
        .bind(prefix)
        .execute(&mut conn)
        .await?;
    let roles: Vec<String> =
        sqlx::query_scalar("SELECT rolname::text FROM pg_roles WHERE rolname LIKE $1 || '%'")
            .bind(prefix)
            .fetch_all(&mut conn)
            .await?;
    for role in roles {
        let script = format!(
            "SET lock_timeout = '2s'; DROP SCHEMA IF EXISTS \"{role}\" CASCADE; DROP ROLE \"{role}\""
        );
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut conn).await?;
    }
    conn.close().await
}

/// One test's world.
pub struct TestBed {
    ctx: Ctx,
    clock: Arc<ManualClock>,
    role_prefix: String,
    running: Mutex<Vec<JoinHandle<()>>>,
}

impl TestBed {
    /// A world of its own. Its clock stands at the present instant.
    ///
    /// # Panics
    /// When the engines cannot be started; the message says what to install.
    pub async fn new() -> Self {
        Self::at(SystemClock.now()).await
    }

    /// As [`TestBed::new`], with the clock at `now`.
    ///
    /// # Panics
    /// When the engines cannot be started.
    pub async fn at(now: Millis) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let shared = shared().await;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Other test processes may use the same engines.
        let name = format!("t{:08x}{number}", rand::random::<u32>());
        let role_prefix = format!("{name}_");
        let mut settings = shared.settings.clone();
        settings.database_url = settings
            .database_url
            .map(|url| url.replace("//urr_{service}", &format!("//{name}_{{service}}")));
        settings.key_prefix = format!("{name}:");
        settings.table_prefix = format!("{name}-");
        let clock = Arc::new(ManualClock::at(now));
        let secrets = Secrets::generate().expect("random secrets pass the checks");
        let ctx = Ctx::new(settings, secrets, Arc::clone(&clock) as SharedClock)
            .unwrap_or_else(|error| panic!("no context: {}", crate::error::chain(&error)))
            .with_redis_patience(REDIS_PATIENCE);
        Self {
            ctx,
            clock,
            role_prefix,
            running: Mutex::default(),
        }
    }

    /// As [`TestBed::at`], with a Redis Cluster of three nodes in the place of the single Redis.
    /// One cluster serves all tests of the process.
    ///
    /// # Panics
    /// When the engines cannot be started.
    pub async fn clustered(now: Millis) -> Self {
        static CLUSTER: OnceCell<RedisCluster> = OnceCell::const_new();
        let cluster = CLUSTER
            .get_or_init(|| async {
                RedisCluster::start()
                    .await
                    .unwrap_or_else(|error| panic!("no cluster for tests: {}", crate::error::chain(&error)))
            })
            .await;
        let mut bed = Self::at(now).await.with_redis(&cluster.url());
        bed.ctx = bed.ctx.clone().with_redis_patience(REDIS_PATIENCE);
        bed
    }

    /// The same world with another Redis, for example one that the test is going to kill: its
    /// answers are waited for no longer than in earnest.
    #[must_use]
    pub fn with_redis(mut self, url: &str) -> Self {
        self.ctx = self
            .ctx
            .with_settings(|settings| url.clone_into(&mut settings.redis_url))
            .with_redis_patience(RESPONSE_TIMEOUT);
        self
    }

    /// The context to start services with.
    #[must_use]
    pub fn ctx(&self) -> Ctx {
        self.ctx.clone()
    }

    /// The clock of that context.
    #[must_use]
    pub fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }

    /// The engines of this process, unless they were named by environment variables. Other tests
    /// use them at the same time: a test that kills one starts its own [`Engines`].
    pub async fn engines() -> Option<&'static Engines> {
        match &shared().await.engines {
            TestEngines::Own(engines) => Some(engines),
            TestEngines::Named { .. } => None,
        }
    }

    /// Serves `router` on a free loopback port until the bed is dropped; returns its base URL.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn serve(&self, router: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free loopback port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let serving = crate::service::serve(listener, router, self.ctx.shutdown.clone());
        self.keep(tokio::spawn(async move {
            serving.await.expect("the listener lives as long as the test");
        }));
        format!("http://{address}")
    }

    /// Runs `tasks` until the bed is dropped. One that fails says so on stderr.
    pub fn run(&self, tasks: impl IntoIterator<Item = Task>) {
        for Task { name, future } in tasks {
            self.keep(tokio::spawn(async move {
                if let Err(error) = future.await {
                    tracing::error!(name, error = crate::error::chain(error.as_ref()), "task failed");
                }
            }));
        }
    }

    fn keep(&self, handle: JoinHandle<()>) {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(handle);
    }
}

impl Drop for TestBed {
    fn drop(&mut self) {
        self.ctx.shutdown.cancel();
        for handle in self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            handle.abort();
        }
        if let Some(shared) = SHARED.get() {
            // The janitor ends with the process.
            let _ = shared.janitor.send(std::mem::take(&mut self.role_prefix));
        }
    }
}

/// What a probe of [`eventually`] may answer: `bool`, or an `Option` of what was waited for.
pub trait Probed {
    /// What is handed on once it is there.
    type Found;
    /// `Some` once it is there.
    fn found(self) -> Option<Self::Found>;
}

impl Probed for bool {
    type Found = ();
    fn found(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Probed for Option<T> {
    type Found = T;
    fn found(self) -> Self {
        self
    }
}

/// Asks `probe` every few milliseconds until it answers `true` or `Some`.
///
/// # Panics
/// When it has not within `deadline`; the message names `what` was waited for.
pub async fn eventually<P: Probed>(
    deadline: Duration,
    what: &str,
    mut probe: impl AsyncFnMut() -> P,
) -> P::Found {
    let started = std::time::Instant::now();
    loop {
        if let Some(found) = probe().await.found() {
            return found;
        }
        assert!(started.elapsed() < deadline, "{what}: not within {deadline:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
