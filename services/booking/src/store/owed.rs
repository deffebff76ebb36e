//! Charges that are to go back, until their return is heard (R-JOB-02, law `paid-means-ticket`).
//!
//! Payment refunds when it hears that a ticket was given up or sold on. An event can be lost: a bus that crashed,
//! a stream that was cut, a dead letter nobody looked at. So what is owed is written down where it becomes so, and
//! said again until `PAYMENT_REFUNDED` has come.

use super::settle::Reservation;
use crate::events;
use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool};
use uuid::Uuid;

/// Refunds asked for in one transaction.
pub const BATCH: i64 = 50;

/// What a ticket is paid with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Charge {
    /// The reservation, or the transfer by which its payer came by it.
    #[sqlx(rename = "target_id")]
    pub target: Uuid,
    /// Which of the two.
    pub is_transfer: bool,
    /// The payment, where it is known.
    #[sqlx(rename = "payment_id")]
    pub payment: Option<Uuid>,
    /// Who paid.
    #[sqlx(rename = "user_id")]
    pub payer: Uuid,
}

impl Charge {
    /// What `reservation` stands on; nothing if it was free.
    #[must_use]
    pub fn of(reservation: &Reservation) -> Option<Self> {
        (reservation.total_amount > 0).then_some(Self {
            target: reservation.transfer_id.unwrap_or(reservation.id),
            is_transfer: reservation.transfer_id.is_some(),
            payment: reservation.payment_id,
            payer: reservation.user_id,
        })
    }
}

/// A charge that was asked for again.
#[derive(Debug, Clone, FromRow)]
pub struct Owed {
    /// The charge.
    #[sqlx(flatten)]
    pub charge: Charge,
    /// Why it is owed.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// How often it was asked for again by now.
    pub asked: i32,
}

/// The charge is to go back, as the event says that is written with this.
///
/// # Errors
/// What the database fails with.
pub async fn remember(
    conn: &mut PgConnection,
    charge: Charge,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO refunds_owed (target_id, is_transfer, payment_id, user_id, reason, since, ask_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6 + interval '5 minutes')
         ON CONFLICT DO NOTHING",
    )
    .bind(charge.target)
    .bind(charge.is_transfer)
    .bind(charge.payment)
    .bind(charge.payer)
    .bind(reason)
    .bind(now)
    .execute(conn)
    .await
    .map(drop)
}

/// The payment for `target` went back.
///
/// # Errors
/// What the database fails with.
pub async fn heard(conn: &mut PgConnection, target: Uuid, payment: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM refunds_owed WHERE target_id = $1 AND coalesce(payment_id = $2, true)")
        .bind(target)
        .bind(payment)
        .execute(conn)
        .await
        .map(drop)
}

/// Asks once more for the oldest of what is due: after five minutes, and each time twice as long, up to a day.
/// What another replica is busy with is skipped. Answers what was asked for: less than [`BATCH`] means done.
///
/// # Errors
/// What the database fails with; then nothing was asked.
pub async fn ask_again(pool: &PgPool, now: DateTime<Utc>) -> Result<Vec<Owed>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let due: Vec<Owed> = sqlx::query_as(
        "WITH due AS MATERIALIZED (
             SELECT target_id FROM refunds_owed WHERE ask_at <= $1 ORDER BY ask_at LIMIT $2
             FOR UPDATE SKIP LOCKED
         )
         UPDATE refunds_owed o
         SET asked = o.asked + 1,
             ask_at = $1 + least(interval '10 minutes' * power(2, least(o.asked, 10)), interval '1 day'),
             -- What bought a transfer is kept since there are transfers.
             payment_id = coalesce(o.payment_id, (SELECT p.payment_id FROM purchases p
                 WHERE o.is_transfer AND p.target_id = o.target_id AND p.outcome = 'fulfilled'))
         FROM due
         WHERE o.target_id = due.target_id
         RETURNING o.target_id, o.is_transfer, o.payment_id, o.user_id, o.reason, o.since, o.asked",
    )
    .bind(now)
    .bind(BATCH)
    .fetch_all(&mut *tx)
    .await?;
    for owed in &due {
        events::still_owed(&mut tx, owed, now).await?;
    }
    tx.commit().await?;
    Ok(due)
}

/// How many charges were asked for at least twice again and have not been heard of: somebody should look.
///
/// # Errors
/// What the database fails with.
pub async fn overdue(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM refunds_owed WHERE asked >= 2")
        .fetch_one(pool)
        .await
}
