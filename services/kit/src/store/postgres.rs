//! PostgreSQL: a bounded pool per service, its schema migrated before the first query.

use crate::engines::provision;
use crate::settings::Settings;
use crate::start::StartError;
use sqlx::migrate::{Migrate as _, MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool};
use std::str::FromStr as _;
use std::time::Duration;

/// The tables every service with a database has: its outbox and its memory of events.
static KIT: Migrator = sqlx::migrate!("./migrations");

/// Waiting longer for a connection than this only moves the crowd from the line into our memory;
/// 503 tells it to come back.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// An idle connection is worth keeping through the lull before an opening, not for ever.
const IDLE_TIMEOUT: Duration = Duration::from_mins(10);
/// Bounds what a stuck client can hold: no statement of ours takes a tenth of this.
const STATEMENT_TIMEOUT_MS: u32 = 15_000;
/// A crashed handler must not keep its row locks.
const IDLE_IN_TRANSACTION_TIMEOUT_MS: u32 = 30_000;

/// A pool for `service` on its own schema, migrated.
///
/// # Errors
/// When the database cannot be reached, or a migration failed or was edited.
pub async fn connect(
    settings: &Settings,
    service: &'static str,
    migrator: &Migrator,
) -> Result<PgPool, StartError> {
    let url = settings.database_url_of(service)?;
    if let Some(admin_url) = &settings.database_admin_url {
        provision::provision_url(admin_url, &url).await?;
    }
    let options = PgConnectOptions::from_str(&url)
        .map_err(|_| StartError::BadSetting {
            variable: "DATABASE_URL",
            problem: "it is not a PostgreSQL URL".to_owned(),
        })?
        .application_name(&format!("urr-{service}"));
    migrate(&options, service, migrator).await?;
    let bounded = options.options([
        ("statement_timeout", STATEMENT_TIMEOUT_MS.to_string()),
        (
            "idle_in_transaction_session_timeout",
            IDLE_IN_TRANSACTION_TIMEOUT_MS.to_string(),
        ),
    ]);
    PgPoolOptions::new()
        .max_connections(settings.database_pool_max.max(1))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        // A ping per checkout is a round trip per request; a dead connection shows itself.
        .test_before_acquire(false)
        .connect_with(bounded)
        .await
        .map_err(|source| StartError::Postgres { service, source })
}

/// Runs the kit's and the service's migrations. Replicas that start together take turns: the lock
/// is one per service, so different services do not wait for each other.
async fn migrate(
    options: &PgConnectOptions,
    service: &'static str,
    migrator: &Migrator,
) -> Result<(), StartError> {
    let database = |source| StartError::Postgres { service, source };
    let mut conn = PgConnection::connect_with(options).await.map_err(database)?;
    sqlx::query("SELECT pg_advisory_lock(hashtextextended('urr-migrate:' || current_schema, 0))")
        .execute(&mut conn)
        .await
        .map_err(database)?;
    let outcome = async {
        run(&mut conn, service, &KIT, "_kit_migrations").await?;
        run(&mut conn, service, migrator, "_sqlx_migrations").await
    }
    .await
    .map_err(|error| match error {
        MigrateError::VersionMismatch(version) => StartError::SchemaEdited { service, version },
        source => StartError::Migration { service, source },
    });
    // Closing the connection gives the lock back, whatever happened.
    let closed = conn.close().await.map_err(database);
    outcome.and(closed)
}

/// A schema that a newer release has migrated is no reason not to start: a release that is taken back
/// (R-DEP-01) must come up on it, and the replicas of two releases share it while one follows the
/// other. That they can is what migrations must keep to (docs/decisions/0031).
async fn run(
    conn: &mut PgConnection,
    service: &'static str,
    migrator: &Migrator,
    table: &'static str,
) -> Result<(), MigrateError> {
    let mut migrator = Migrator::with_migrations(migrator.iter().cloned().collect());
    // sqlx's own lock is one per database: all services would stand in one line.
    migrator.set_locking(false);
    migrator.set_ignore_missing(true);
    migrator.dangerous_set_table_name(table);
    migrator.run_direct(None, conn, false).await?;
    let known = migrator.iter().map(|migration| migration.version).max();
    let applied = conn.list_applied_migrations(table).await?;
    let newest = applied.last().map(|migration| migration.version);
    if newest > known {
        tracing::warn!(
            service,
            table,
            newest,
            known,
            "the schema is newer than this release: fine while a release is rolled out or taken back"
        );
    }
    Ok(())
}
