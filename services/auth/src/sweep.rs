//! What grows is cut, hourly: expired refresh tokens, log-ins of long ago; accounts nobody used for a year
//! go to sleep.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use urr_core::time::Millis;
use urr_kit::BoxError;
use urr_kit::clock::SharedClock;

use crate::store::Store;

const EVERY: Duration = Duration::from_hours(1);
/// Rows deleted in one statement, so that none holds its locks for long.
const BATCH: i64 = 5_000;
const BATCH_ROWS: u64 = 5_000;
/// Expired tokens are kept for a day: a stolen one that turns up then is still recognised.
const KEEP_EXPIRED_S: i64 = 24 * 3600;
/// Log-ins are kept to spot odd ones (R-AUTH-09) and to answer who asks about his own; a quarter of a year
/// shows a habit.
const KEEP_LOGINS_S: i64 = 90 * 24 * 3600;
const DORMANT_AFTER_S: i64 = 365 * 24 * 3600;

pub(crate) async fn run(
    store: Store,
    clock: SharedClock,
    shutdown: CancellationToken,
) -> Result<(), BoxError> {
    let mut interval = tokio::time::interval(EVERY);
    while shutdown.run_until_cancelled(interval.tick()).await.is_some() {
        if let Err(error) = sweep(&store, clock.now()).await {
            // The next hour tries again; nothing depends on it meanwhile.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "failed to sweep accounts"
            );
        }
    }
    Ok(())
}

async fn sweep(store: &Store, now: Millis) -> sqlx::Result<()> {
    while store.forget_tokens(now.plus_s(-KEEP_EXPIRED_S), BATCH).await? == BATCH_ROWS {}
    while store.forget_logins(now.plus_s(-KEEP_LOGINS_S), BATCH).await? == BATCH_ROWS {}
    store.mark_dormant(now.plus_s(-DORMANT_AFTER_S)).await?;
    Ok(())
}
