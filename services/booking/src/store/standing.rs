//! Reserving tickets without a seat: the stock counts down in one guarded write, never below zero
//! (R-BOOK-05).

use crate::events;
use crate::reservation::{PaymentStatus, Status};
use crate::store::settle::Reservation;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

/// Tickets wanted.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// Id of the reservation to be made.
    pub reservation: Uuid,
    /// Its number.
    pub number: &'a str,
    /// Who buys.
    pub user: Uuid,
    /// For what.
    pub event: Uuid,
    /// Ticket type and quantity; each type once.
    pub items: &'a [(Uuid, i32)],
    /// The service's clock.
    pub now: DateTime<Utc>,
    /// End of the hold.
    pub expires_at: DateTime<Utc>,
    /// Idempotency key.
    pub key: Option<&'a str>,
    /// Tickets this user may have in hand for this event.
    pub tickets_max: i32,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Reserved: this reservation. `fresh` is false for the repeat of a key.
    Reserved {
        /// Its id.
        id: Uuid,
        /// Whether this call made it.
        fresh: bool,
    },
    /// A ticket type does not exist or belongs to another event.
    NotFound,
    /// Not enough left of this type.
    SoldOut(String),
    /// The user would have more tickets than allowed.
    OverLimit,
}

/// Reserves all of the order or nothing.
///
/// # Errors
/// What the database fails with.
pub async fn reserve(pool: &PgPool, order: &Order<'_>) -> Result<Outcome, sqlx::Error> {
    if let Some(id) = by_key(pool, order.user, order.key).await? {
        return Ok(Outcome::Reserved { id, fresh: false });
    }
    match attempt(pool, order).await {
        // Two calls with one key at the same instant: the other one won.
        Err(error)
            if error
                .as_database_error()
                .is_some_and(|db| db.is_unique_violation()) =>
        {
            match by_key(pool, order.user, order.key).await? {
                Some(id) => Ok(Outcome::Reserved { id, fresh: false }),
                None => Err(error),
            }
        }
        outcome => outcome,
    }
}

async fn attempt(pool: &PgPool, order: &Order<'_>) -> Result<Outcome, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let mut items = order.items.to_vec();
    items.sort_unstable();
    let mut total = 0_i64;
    let mut lines: Vec<(Uuid, i32, i64, String)> = Vec::with_capacity(items.len());
    for (id, quantity) in items {
        let taken: Option<(i64, String)> = sqlx::query_as(
            "UPDATE ticket_types SET available_quantity = available_quantity - $3, updated_at = $4
             WHERE id = $1 AND event_id = $2 AND available_quantity >= $3 RETURNING price, name",
        )
        .bind(id)
        .bind(order.event)
        .bind(quantity)
        .bind(order.now)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((price, name)) = taken else {
            let name: Option<String> =
                sqlx::query_scalar("SELECT name FROM ticket_types WHERE id = $1 AND event_id = $2")
                    .bind(id)
                    .bind(order.event)
                    .fetch_optional(&mut *tx)
                    .await?;
            return Ok(name.map_or(Outcome::NotFound, Outcome::SoldOut));
        };
        total = total.saturating_add(price.saturating_mul(i64::from(quantity)));
        lines.push((id, quantity, price, name));
    }
    let tickets: i32 = lines.iter().map(|(_, quantity, ..)| quantity).sum();
    let within = tickets <= order.tickets_max && quota(&mut tx, order, tickets).await?;
    if !within {
        return Ok(Outcome::OverLimit);
    }
    sqlx::query(
        "INSERT INTO reservations (id, user_id, event_id, reservation_number, total_amount, status,
                                   expires_at, operation, idempotency_key, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 'pending', $6, 'standing', $7, $8, $8)",
    )
    .bind(order.reservation)
    .bind(order.user)
    .bind(order.event)
    .bind(order.number)
    .bind(total)
    .bind(order.expires_at)
    .bind(order.key)
    .bind(order.now)
    .execute(&mut *tx)
    .await?;
    for (id, quantity, price, name) in lines {
        sqlx::query(
            "INSERT INTO reservation_items (reservation_id, ticket_type_id, quantity, unit_price, subtotal, label)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(order.reservation)
        .bind(id)
        .bind(quantity)
        .bind(price)
        .bind(price.saturating_mul(i64::from(quantity)))
        .bind(name)
        .execute(&mut *tx)
        .await?;
    }
    let reservation = Reservation {
        id: order.reservation,
        user_id: order.user,
        event_id: order.event,
        total_amount: total,
        status: Status::Pending,
        payment_status: PaymentStatus::Pending,
        event_date: None,
        transfer_id: None,
        payment_id: None,
    };
    events::created(&mut tx, &reservation, order.now).await?;
    tx.commit().await?;
    Ok(Outcome::Reserved {
        id: order.reservation,
        fresh: true,
    })
}

async fn quota(tx: &mut sqlx::PgConnection, order: &Order<'_>, tickets: i32) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(
        "INSERT INTO ticket_quotas AS q (user_id, event_id, tickets) VALUES ($1, $2, $3)
         ON CONFLICT (user_id, event_id) DO UPDATE SET tickets = q.tickets + excluded.tickets
         WHERE q.tickets + excluded.tickets <= $4",
    )
    .bind(order.user)
    .bind(order.event)
    .bind(tickets)
    .bind(order.tickets_max)
    .execute(tx)
    .await?;
    Ok(row.rows_affected() == 1)
}

/// The reservation a key was used for before.
///
/// # Errors
/// What the database fails with.
pub async fn by_key(pool: &PgPool, user: Uuid, key: Option<&str>) -> Result<Option<Uuid>, sqlx::Error> {
    let Some(key) = key else { return Ok(None) };
    sqlx::query_scalar(
        "SELECT id FROM reservations
         WHERE user_id = $1 AND operation = 'standing' AND idempotency_key = $2",
    )
    .bind(user)
    .bind(key)
    .fetch_optional(pool)
    .await
}
