//! The sweep of holds nobody paid (R-JOB-01).
//!
//! Any number of replicas may sweep: each takes the rows the others are not busy with.

use crate::filter::Filter;
use crate::store::give_back;
use crate::turns::Turns;
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use urr_core::time::Millis;
use urr_kit::wire;
use urr_kit::{BoxError, SharedClock};
use uuid::Uuid;

/// Sweeps for as long as the process runs. A failed round is logged and tried again at the next.
///
/// # Errors
/// None today; the type is what a task returns.
pub async fn run(
    pool: PgPool,
    filter: Filter,
    clock: SharedClock,
    interval: Duration,
    shutdown: CancellationToken,
) -> Result<(), BoxError> {
    let mut turns = Turns::every(interval, shutdown);
    while turns.next().await {
        match sweep(&pool, &filter, None, clock.now()).await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(ended, "unpaid reservations expired"),
            Err(error) => tracing::warn!(%error, "sweep of unpaid reservations failed"),
        }
    }
    Ok(())
}

/// Ends everything that is due at `now`, of one user and event only if given. Answers how many.
///
/// # Errors
/// What the database fails with; batches before the failure stay done.
pub async fn sweep(
    pool: &PgPool,
    filter: &Filter,
    only: Option<(Uuid, Uuid)>,
    now: Millis,
) -> Result<usize, sqlx::Error> {
    let mut ended = 0;
    // Ends: `now` stands still, and every round makes the set of due rows smaller.
    loop {
        let batch = give_back::sweep_batch(pool, only, wire::at(now)).await?;
        if batch.is_empty() {
            break;
        }
        ended += batch.len();
        for swept in &batch {
            let reservation = &swept.reservation;
            filter
                .release(reservation.event_id, reservation.user_id, &swept.seats)
                .await;
        }
    }
    metrics::counter!("urr_booking_reservations_total", "outcome" => "expired").increment(ended as u64);
    Ok(ended)
}
