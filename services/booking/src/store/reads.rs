//! Reservations as their owners, the payment service and the house read them: one query a page.

use crate::reservation::{PaymentStatus, Status};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{FromRow, PgExecutor, PgPool};
use urr_kit::wire;
use uuid::Uuid;

/// A reservation with its event and items.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct Detail {
    /// Its id.
    pub id: Uuid,
    /// `TK..` for seats, `R..` for ticket types.
    pub reservation_number: String,
    /// KRW.
    pub total_amount: i64,
    /// Where it is in its life.
    pub status: Status,
    /// What is known about the money.
    pub payment_status: PaymentStatus,
    /// End of the hold.
    #[serde(serialize_with = "wire::ts")]
    pub expires_at: DateTime<Utc>,
    /// How it was paid.
    pub payment_method: Option<String>,
    /// When it was made.
    #[serde(serialize_with = "wire::ts")]
    pub created_at: DateTime<Utc>,
    /// Whose it is.
    pub user_id: Uuid,
    /// What it is for.
    pub event_id: Uuid,
    /// From booking's copy of the event.
    pub event_title: Option<String>,
    /// Likewise.
    pub venue: Option<String>,
    /// Likewise.
    pub address: Option<String>,
    /// Likewise.
    #[serde(serialize_with = "wire::ts_opt")]
    pub event_date: Option<DateTime<Utc>>,
    /// What was booked.
    pub items: Json<Vec<Item>>,
}

/// One line of a reservation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Standing tickets: the type.
    pub ticket_type_id: Option<Uuid>,
    /// Standing tickets: the type's name.
    pub ticket_type_name: Option<String>,
    /// Tickets.
    pub quantity: i32,
    /// KRW.
    pub unit_price: i64,
    /// KRW.
    pub subtotal: i64,
    /// Seats: the seat.
    pub seat_id: Option<Uuid>,
    /// Seats: its label when it was booked.
    pub seat_label: Option<String>,
    /// Seats: where it is.
    pub section: Option<String>,
    /// Seats: where it is.
    pub row_number: Option<i32>,
    /// Seats: where it is.
    pub seat_number: Option<i32>,
    /// Seats: the token the hold was given.
    pub fencing_token: Option<i64>,
}

const DETAIL_SQL: &str = "
SELECT r.id, r.reservation_number, r.total_amount, r.status, r.payment_status, r.expires_at,
       r.payment_method, r.created_at, r.user_id, r.event_id,
       coalesce(e.title, p.name) AS event_title, e.venue, e.address, e.event_date,
       (SELECT coalesce(json_agg(json_build_object(
                   'ticketTypeId', i.ticket_type_id, 'ticketTypeName', t.name, 'quantity', i.quantity, 'unitPrice', i.unit_price,
                   'subtotal', i.subtotal, 'seatId', i.seat_id,
                   'seatLabel', CASE WHEN i.ticket_type_id IS NULL THEN i.label END,
                   'section', s.section, 'rowNumber', s.row_number, 'seatNumber', s.seat_number,
                   'fencingToken', i.fencing_token) ORDER BY i.label), '[]')
        FROM reservation_items i
        LEFT JOIN seats s ON s.id = i.seat_id
        LEFT JOIN ticket_types t ON t.id = i.ticket_type_id
        WHERE i.reservation_id = r.id) AS items
FROM reservations r
LEFT JOIN event_copies e ON e.event_id = r.event_id
LEFT JOIN sales p ON p.event_id = r.event_id
";

/// One reservation.
///
/// # Errors
/// What the database fails with.
pub async fn detail(pool: &PgPool, id: Uuid) -> Result<Option<Detail>, sqlx::Error> {
    sqlx::query_as(const_str(&format!("{DETAIL_SQL} WHERE r.id = $1")))
        .bind(id)
        .fetch_optional(pool)
        .await
}

/// What the payment service asks before it charges.
#[derive(Debug, Clone, FromRow)]
pub struct Payable {
    /// Its id.
    pub id: Uuid,
    /// `TK..` for seats, `R..` for ticket types.
    pub reservation_number: String,
    /// KRW.
    pub total_amount: i64,
    /// Where it is in its life.
    pub status: Status,
    /// What is known about the money.
    pub payment_status: PaymentStatus,
    /// End of the hold.
    pub expires_at: DateTime<Utc>,
    /// Whose it is.
    pub user_id: Uuid,
    /// What it is for.
    pub event_id: Uuid,
    /// Whether that does not take place.
    pub called_off: bool,
}

/// One reservation without its seats: asked twice per sale, so it touches one row.
///
/// # Errors
/// What the database fails with.
pub async fn payable(pool: &PgPool, id: Uuid) -> Result<Option<Payable>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, reservation_number, total_amount, status, payment_status, expires_at, user_id, event_id,
                EXISTS (SELECT FROM event_copies e WHERE e.event_id = r.event_id AND e.status = 'cancelled')
                    AS called_off
         FROM reservations r WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(pool)
    .await
}

/// A user's reservations, newest first (R-BOOK-13). The contract has no paging here; the bound
/// keeps one user from making a page of megabytes.
///
/// # Errors
/// What the database fails with.
pub async fn of_user(pool: &PgPool, user: Uuid) -> Result<Vec<Detail>, sqlx::Error> {
    sqlx::query_as(const_str(&format!(
        "{DETAIL_SQL} WHERE r.user_id = $1 ORDER BY r.created_at DESC, r.id LIMIT 500"
    )))
    .bind(user)
    .fetch_all(pool)
    .await
}

/// A page of all reservations for the house, newest first, and how many there are.
///
/// # Errors
/// What the database fails with.
pub async fn page(
    pool: &PgPool,
    status: Option<&str>,
    limit: i64,
    offset: i64,
) -> Result<(Vec<Detail>, i64), sqlx::Error> {
    let rows = sqlx::query_as(const_str(&format!(
        "{DETAIL_SQL} WHERE ($1::text IS NULL OR r.status = $1)
         ORDER BY r.created_at DESC, r.id LIMIT $2 OFFSET $3"
    )))
    .bind(status)
    .bind(limit)
    .bind(offset)
    .fetch_all(pool)
    .await?;
    let total =
        sqlx::query_scalar("SELECT count(*) FROM reservations WHERE ($1::text IS NULL OR status = $1)")
            .bind(status)
            .fetch_one(pool)
            .await?;
    Ok((rows, total))
}

/// Our own constants put together; no input is in them.
fn const_str(sql: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(sql.to_owned())
}

/// Figures for the house's front page.
#[derive(Debug, Clone, Copy, Serialize, FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Reservations ever made.
    pub total_reservations: i64,
    /// KRW of the confirmed ones.
    pub total_revenue: i64,
    /// Made since the given instant.
    pub today_reservations: i64,
}

/// Totals; `today` begins at `since`.
///
/// # Errors
/// What the database fails with.
pub async fn totals(pool: &PgPool, since: DateTime<Utc>) -> Result<Totals, sqlx::Error> {
    sqlx::query_as(
        "SELECT count(*) AS total_reservations,
                coalesce(sum(total_amount) FILTER (WHERE status = 'confirmed'), 0)::bigint AS total_revenue,
                count(*) FILTER (WHERE created_at >= $1) AS today_reservations
         FROM reservations",
    )
    .bind(since)
    .fetch_one(pool)
    .await
}

/// Pending and confirmed reservations of shows that were called off, a bounded batch of ids.
///
/// # Errors
/// What the database fails with.
pub async fn called_off_ids(pool: &PgPool, limit: i64) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT r.id FROM event_copies e
         CROSS JOIN LATERAL (SELECT id FROM reservations
                             WHERE event_id = e.event_id AND status IN ('pending', 'confirmed') LIMIT $1) r
         WHERE e.status = 'cancelled' LIMIT $1",
    )
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// How many reservations of an event are pending or confirmed.
///
/// # Errors
/// What the database fails with.
pub async fn active_count(db: impl PgExecutor<'_>, event: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) FROM reservations WHERE event_id = $1 AND status IN ('pending', 'confirmed')",
    )
    .bind(event)
    .fetch_one(db)
    .await
}
