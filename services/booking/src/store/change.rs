//! Other seats for a reservation that is not paid yet (R-BOOK-09).
//!
//! The new seats are taken before the old ones go, in one transaction: whoever does not get the new ones keeps
//! the old. A payment may be under way meanwhile; it confirms only the price it was for
//! ([`super::settle::Paid::amount`]).

use crate::holds::TICKETS_PER_USER_MAX;
use crate::reservation::Status;
use crate::store::handover::Guarded;
use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool};
use uuid::Uuid;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The reservation has the seats wanted; these are free.
    Changed {
        /// Seats it had before.
        freed: Vec<Uuid>,
    },
    /// No such reservation of this user's.
    NotFound,
    /// Paid, given up, over its end, or not of seats.
    NotPending,
    /// At least one id is not a seat of the event.
    SeatNotFound,
    /// At least one seat is held by somebody else, or by another choice of the same user.
    Taken,
    /// At least one seat is sold.
    Sold,
    /// The user would have more tickets than allowed.
    OverLimit,
}

#[derive(FromRow)]
struct Held {
    user_id: Uuid,
    event_id: Uuid,
    status: Status,
    expires_at: DateTime<Utc>,
    operation: String,
}

#[derive(FromRow)]
struct Seat {
    id: Uuid,
    status: String,
    lock_expires_at: Option<DateTime<Utc>>,
    /// Whether the reservation has it, with the token it was given.
    ours: bool,
    /// Whether the reservation had it.
    had: bool,
}

impl Seat {
    fn is_free(&self, now: DateTime<Utc>) -> bool {
        match self.status.as_str() {
            "available" => true,
            "locked" => self.lock_expires_at.is_some_and(|end| end <= now),
            _ => false,
        }
    }
}

/// Gives the reservation exactly `seats`, which are distinct, or leaves it as it is.
///
/// # Errors
/// Only what the database itself fails with; every refusal is an [`Outcome`].
pub async fn change(
    pool: &PgPool,
    reservation: Uuid,
    user: Uuid,
    seats: &[Uuid],
    guarded: Guarded,
    now: DateTime<Utc>,
) -> Result<Outcome, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let outcome = change_in(&mut tx, reservation, user, seats, guarded, now).await?;
    if matches!(outcome, Outcome::Changed { .. }) {
        tx.commit().await?;
    }
    Ok(outcome)
}

/// The same in the caller's transaction, which he commits if it was [`Outcome::Changed`] and gives up otherwise.
///
/// # Errors
/// As [`change`].
pub(crate) async fn change_in(
    tx: &mut PgConnection,
    reservation: Uuid,
    user: Uuid,
    seats: &[Uuid],
    guarded: Guarded,
    now: DateTime<Utc>,
) -> Result<Outcome, sqlx::Error> {
    let held: Option<Held> = sqlx::query_as(
        "SELECT user_id, event_id, status, expires_at, operation FROM reservations WHERE id = $1 FOR UPDATE",
    )
    .bind(reservation)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(held) = held.filter(|held| held.user_id == user) else {
        return Ok(Outcome::NotFound);
    };
    if held.status != Status::Pending || held.expires_at <= now || held.operation != "hold" {
        return Ok(Outcome::NotPending);
    }
    let all = lock(tx, reservation, &held, seats).await?;
    let (wanted, dropped): (Vec<&Seat>, Vec<&Seat>) = all.iter().partition(|seat| seats.contains(&seat.id));
    if wanted.len() != seats.len() {
        return Ok(Outcome::SeatNotFound);
    }
    let added: Vec<Uuid> = wanted
        .iter()
        .filter(|seat| !seat.had)
        .map(|seat| seat.id)
        .collect();
    if guarded == Guarded::Yes {
        // What it had is kept only as long as nobody took it after an earlier end (law `fenced`).
        let lost = |seat: &&&Seat| if seat.had { !seat.ours } else { !seat.is_free(now) };
        if let Some(seat) = wanted.iter().find(lost) {
            let sold = seat.status == "reserved";
            return Ok(if sold { Outcome::Sold } else { Outcome::Taken });
        }
    }
    let delta = added.len() as i64 - dropped.len() as i64;
    if !count(tx, &held, delta).await? {
        return Ok(Outcome::OverLimit);
    }
    let freed: Vec<Uuid> = dropped
        .iter()
        .filter(|seat| seat.ours)
        .map(|seat| seat.id)
        .collect();
    let gone: Vec<Uuid> = dropped.iter().map(|seat| seat.id).collect();
    take(tx, reservation, &held, &added, now).await?;
    free(tx, reservation, &freed, &gone, now).await?;
    Ok(Outcome::Changed { freed })
}

/// The seats it has and those it wants, in the order everybody locks them.
async fn lock(
    conn: &mut PgConnection,
    reservation: Uuid,
    held: &Held,
    seats: &[Uuid],
) -> Result<Vec<Seat>, sqlx::Error> {
    sqlx::query_as(
        "WITH mine AS MATERIALIZED (
             SELECT seat_id, fencing_token FROM reservation_items WHERE reservation_id = $1 AND seat_id IS NOT NULL
         ), locked AS MATERIALIZED (
             SELECT id, status, locked_by, lock_expires_at, fencing_token FROM seats
             WHERE event_id = $2 AND (id = ANY ($3) OR id IN (SELECT seat_id FROM mine))
             ORDER BY id
             FOR UPDATE
         )
         SELECT l.id, l.status, l.lock_expires_at, mine.seat_id IS NOT NULL AS had,
                coalesce(l.status = 'locked' AND l.locked_by = $4 AND l.fencing_token = mine.fencing_token, false)
                    AS ours
         FROM locked l LEFT JOIN mine ON mine.seat_id = l.id",
    )
    .bind(reservation)
    .bind(held.event_id)
    .bind(seats)
    .bind(held.user_id)
    .fetch_all(conn)
    .await
}

async fn count(conn: &mut PgConnection, held: &Held, delta: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE ticket_quotas SET tickets = tickets + $3::integer
         WHERE user_id = $1 AND event_id = $2 AND ($3 <= 0 OR tickets + $3::integer <= $4)",
    )
    .bind(held.user_id)
    .bind(held.event_id)
    .bind(delta)
    .bind(TICKETS_PER_USER_MAX)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn take(
    conn: &mut PgConnection,
    reservation: Uuid,
    held: &Held,
    added: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH taken AS (
             UPDATE seats s
             SET status = 'locked', locked_by = $3, lock_expires_at = $4, updated_at = $5,
                 fencing_token = s.fencing_token + 1, version = s.version + 1
             WHERE s.id = ANY ($2)
             RETURNING s.id, s.seat_label, s.grade, s.price, s.fencing_token
         )
         INSERT INTO reservation_items (reservation_id, seat_id, quantity, unit_price, subtotal, label, grade,
                                        fencing_token)
         SELECT $1, id, 1, price, price, seat_label, grade, fencing_token FROM taken",
    )
    .bind(reservation)
    .bind(added)
    .bind(held.user_id)
    .bind(held.expires_at)
    .bind(now)
    .execute(conn)
    .await
    .map(drop)
}

/// Frees what is still the reservation's, drops what it had, and counts what is left.
async fn free(
    conn: &mut PgConnection,
    reservation: Uuid,
    freed: &[Uuid],
    gone: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE seats SET status = 'available', locked_by = NULL, lock_expires_at = NULL, version = version + 1,
             updated_at = $2
         WHERE id = ANY ($1)",
    )
    .bind(freed)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    sqlx::query("DELETE FROM reservation_items WHERE reservation_id = $1 AND seat_id = ANY ($2)")
        .bind(reservation)
        .bind(gone)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "UPDATE reservations SET updated_at = $2,
             total_amount = (SELECT sum(subtotal) FROM reservation_items WHERE reservation_id = $1)
         WHERE id = $1",
    )
    .bind(reservation)
    .bind(now)
    .execute(conn)
    .await
    .map(drop)
}
