//! Returning what a reservation took: seats, stock, quota; and the sweep of holds nobody paid.
//!
//! A seat is freed only where it still carries the reservation's fencing token: a late sweep or a
//! late cancellation never frees what somebody else has taken since (quirk 11). The token itself
//! stays, and the next hold raises it.

use super::settle::Reservation;
use crate::events;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Reservations swept in one transaction: small enough that nobody waits for its locks.
const SWEEP_BATCH: i64 = 200;

const FREE_SEATS_SQL: &str = "
WITH ours AS MATERIALIZED (
    SELECT s.id FROM reservation_items i
    JOIN seats s ON s.id = i.seat_id AND s.fencing_token = i.fencing_token
    WHERE i.reservation_id = ANY ($1) AND s.status <> 'available'
    ORDER BY s.id
    FOR UPDATE OF s
)
UPDATE seats s
SET status = 'available', locked_by = NULL, lock_expires_at = NULL, version = s.version + 1, updated_at = $2
FROM ours
WHERE s.id = ours.id
RETURNING s.id
";

const RESTOCK_SQL: &str = "
WITH back AS (
    SELECT ticket_type_id AS id, sum(quantity)::integer AS quantity FROM reservation_items
    WHERE reservation_id = ANY ($1) AND ticket_type_id IS NOT NULL
    GROUP BY ticket_type_id
), locked AS MATERIALIZED (
    SELECT id FROM ticket_types WHERE id IN (SELECT id FROM back) ORDER BY id FOR UPDATE
)
UPDATE ticket_types t
SET available_quantity = t.available_quantity + back.quantity, updated_at = $2
FROM back JOIN locked USING (id)
WHERE t.id = back.id
";

const QUOTA_SQL: &str = "
WITH back AS (
    SELECT r.user_id, r.event_id, sum(i.quantity)::integer AS tickets
    FROM reservations r JOIN reservation_items i ON i.reservation_id = r.id
    WHERE r.id = ANY ($1)
    GROUP BY r.user_id, r.event_id
), locked AS MATERIALIZED (
    SELECT user_id, event_id FROM ticket_quotas
    WHERE (user_id, event_id) IN (SELECT user_id, event_id FROM back)
    ORDER BY user_id, event_id
    FOR UPDATE
)
UPDATE ticket_quotas q SET tickets = q.tickets - back.tickets
FROM back JOIN locked USING (user_id, event_id)
WHERE q.user_id = back.user_id AND q.event_id = back.event_id
";

/// Returns seats, stock and quota of reservations whose rows the caller has locked and is about to
/// end. Answers the seats that were freed.
///
/// # Errors
/// What the database fails with.
pub async fn give_back(
    conn: &mut PgConnection,
    reservations: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let seats = sqlx::query_scalar(FREE_SEATS_SQL)
        .bind(reservations)
        .bind(now)
        .fetch_all(&mut *conn)
        .await?;
    sqlx::query(RESTOCK_SQL)
        .bind(reservations)
        .bind(now)
        .execute(&mut *conn)
        .await?;
    sqlx::query(QUOTA_SQL)
        .bind(reservations)
        .execute(&mut *conn)
        .await?;
    Ok(seats)
}

/// A reservation the sweep ended, with the seats it held.
#[derive(Debug, Clone)]
pub struct Swept {
    /// As it was before.
    pub reservation: Reservation,
    /// All its seats, freed or lost to others before.
    pub seats: Vec<Uuid>,
}

/// Ends one batch of pending reservations past their expiry; of one user and event only, if given.
/// Rows another replica is busy with are skipped. Answers what was ended: empty means done.
///
/// # Errors
/// What the database fails with; then nothing of the batch happened.
pub async fn sweep_batch(
    pool: &PgPool,
    only: Option<(Uuid, Uuid)>,
    now: DateTime<Utc>,
) -> Result<Vec<Swept>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let due: Vec<Reservation> = sqlx::query_as(
        "SELECT id, user_id, event_id, total_amount, status, payment_status, NULL::timestamptz AS event_date,
                transfer_id, payment_id
         FROM reservations
         WHERE status = 'pending' AND expires_at <= $1
           AND ($2::uuid IS NULL OR (user_id = $2 AND event_id = $3))
         ORDER BY id LIMIT $4
         FOR UPDATE SKIP LOCKED",
    )
    .bind(now)
    .bind(only.map(|(user, _)| user))
    .bind(only.map(|(_, event)| event))
    .bind(SWEEP_BATCH)
    .fetch_all(&mut *tx)
    .await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = due.iter().map(|reservation| reservation.id).collect();
    give_back(&mut tx, &ids, now).await?;
    sqlx::query("UPDATE reservations SET status = 'expired', updated_at = $2 WHERE id = ANY ($1)")
        .bind(&ids)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    let items: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT reservation_id, seat_id FROM reservation_items
         WHERE reservation_id = ANY ($1) AND seat_id IS NOT NULL",
    )
    .bind(&ids)
    .fetch_all(&mut *tx)
    .await?;
    let mut swept: Vec<Swept> = due
        .into_iter()
        .map(|reservation| Swept {
            reservation,
            seats: Vec::new(),
        })
        .collect();
    for (reservation, seat) in items {
        // `due` is in id order, as Postgres and Uuid both compare the 16 bytes.
        if let Ok(index) = swept.binary_search_by_key(&reservation, |swept| swept.reservation.id) {
            swept[index].seats.push(seat);
        }
    }
    for Swept { reservation, seats } in &swept {
        events::cancelled(&mut tx, reservation, "EXPIRED", seats, now).await?;
    }
    tx.commit().await?;
    Ok(swept)
}
