//! The sweep of what belongs to shows that do not take place (R-ADM-01).
//!
//! Calling a show off is one row; giving everything back is one transaction for each reservation, and a hall has tens of
//! thousands. So who calls off is answered at once and this does the rest, whether booking was told by a
//! call or by catalog's news; it also finds what was held by terms of a second ago.

use crate::consumer::forget_keys;
use crate::filter::Filter;
use crate::store::reads;
use crate::store::settle::{self, Cancel, SettleError};
use crate::turns::Turns;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use urr_core::time::Millis;
use urr_kit::wire;
use urr_kit::{BoxError, SharedClock};

/// Reservations cancelled between two looks for more.
const BATCH: i64 = 200;

/// Sweeps at every `interval`, and when `called_off` says so, for as long as the process runs.
///
/// # Errors
/// None today; the type is what a task returns.
pub async fn run(
    pool: PgPool,
    filter: Filter,
    clock: SharedClock,
    called_off: Arc<Notify>,
    interval: Duration,
    shutdown: CancellationToken,
) -> Result<(), BoxError> {
    let mut turns = Turns::every(interval, shutdown);
    while turns.next_or(called_off.notified()).await {
        // Nothing is half done where it is stopped: each reservation is a transaction of its own.
        let Some(swept) = turns.unless_over(sweep(&pool, &filter, clock.now())).await else {
            break;
        };
        match swept {
            Ok(0) => {}
            Ok(cancelled) => tracing::info!(cancelled, "reservations of shows called off given back"),
            Err(error) => tracing::warn!(%error, "sweep of shows called off failed"),
        }
    }
    Ok(())
}

/// Gives back everything that belongs to shows called off. Answers how many reservations.
///
/// # Errors
/// What the database fails with; what was cancelled before the failure stays so.
pub async fn sweep(pool: &PgPool, filter: &Filter, now: Millis) -> Result<u64, sqlx::Error> {
    let mut cancelled = 0;
    loop {
        let batch = reads::called_off_ids(pool, BATCH).await?;
        let mut done = 0;
        for id in batch {
            let mut tx = pool.begin().await?;
            // Another replica has it in hand, or its owner or the sweep of holds was faster.
            if !settle::lock_if_free(&mut tx, id).await? {
                continue;
            }
            match settle::cancel(&mut tx, id, Cancel::EventCancelled, wire::at(now)).await {
                Ok(settled) => {
                    tx.commit().await?;
                    done += 1;
                    forget_keys(filter, &settled, "cancelled").await;
                }
                Err(SettleError::Refused(_) | SettleError::NotFound) => {}
                Err(SettleError::Store(error)) => return Err(error),
            }
        }
        cancelled += done;
        // Every round that goes on has made the set smaller, so this ends.
        if done == 0 {
            return Ok(cancelled);
        }
    }
}
