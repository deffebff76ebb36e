//! Ticket types: what can be bought without a seat. Stock is their own affair (R-BOOK-05).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

/// A ticket type as the contract lists it.
#[derive(Debug, Clone, Serialize, Deserialize, FromRow)]
pub struct TicketType {
    /// Its id.
    pub id: Uuid,
    /// What it is for.
    pub event_id: Uuid,
    /// Its name.
    pub name: String,
    /// KRW.
    pub price: i64,
    /// Tickets made.
    pub total_quantity: i32,
    /// Tickets left.
    pub available_quantity: i32,
    /// For people.
    pub description: Option<String>,
    /// When it was made.
    #[serde(serialize_with = "urr_kit::wire::ts")]
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    #[serde(serialize_with = "urr_kit::wire::ts")]
    pub updated_at: DateTime<Utc>,
}

/// What the house says about a ticket type.
#[derive(Debug, Clone)]
pub struct NewTicketType {
    /// Its name.
    pub name: String,
    /// KRW.
    pub price: i64,
    /// Tickets.
    pub total_quantity: i32,
    /// For people.
    pub description: Option<String>,
}

/// All ticket types of an event, dearest first.
///
/// # Errors
/// What the database fails with.
pub async fn of_event(pool: &PgPool, event: Uuid) -> Result<Vec<TicketType>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM ticket_types WHERE event_id = $1 ORDER BY price DESC, name")
        .bind(event)
        .fetch_all(pool)
        .await
}

/// One ticket type.
///
/// # Errors
/// What the database fails with.
pub async fn one(pool: &PgPool, id: Uuid) -> Result<Option<TicketType>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM ticket_types WHERE id = $1")
        .bind(id)
        .fetch_optional(pool)
        .await
}

/// Makes a ticket type.
///
/// # Errors
/// What the database fails with.
pub async fn create(
    pool: &PgPool,
    event: Uuid,
    new: &NewTicketType,
    now: DateTime<Utc>,
) -> Result<TicketType, sqlx::Error> {
    sqlx::query_as(
        "INSERT INTO ticket_types (id, event_id, name, description, price, total_quantity,
                                   available_quantity, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $7) RETURNING *",
    )
    .bind(Uuid::new_v4())
    .bind(event)
    .bind(&new.name)
    .bind(&new.description)
    .bind(new.price)
    .bind(new.total_quantity)
    .bind(now)
    .fetch_one(pool)
    .await
}

/// What came of changing a ticket type.
#[derive(Debug)]
pub enum Updated {
    /// As it is now.
    Done(TicketType),
    /// The new total would be below what is sold.
    BelowSold,
    /// There is none of that id.
    NotFound,
}

/// Changes a ticket type; what is sold stays sold.
///
/// # Errors
/// What the database fails with.
pub async fn update(
    pool: &PgPool,
    id: Uuid,
    new: &NewTicketType,
    now: DateTime<Utc>,
) -> Result<Updated, sqlx::Error> {
    let changed = sqlx::query_as(
        "UPDATE ticket_types
         SET name = $2, description = $3, price = $4, total_quantity = $5,
             available_quantity = available_quantity + $5 - total_quantity, updated_at = $6
         WHERE id = $1 AND total_quantity - available_quantity <= $5 RETURNING *",
    )
    .bind(id)
    .bind(&new.name)
    .bind(&new.description)
    .bind(new.price)
    .bind(new.total_quantity)
    .bind(now)
    .fetch_optional(pool)
    .await?;
    match changed {
        Some(ticket_type) => Ok(Updated::Done(ticket_type)),
        None if one(pool, id).await?.is_some() => Ok(Updated::BelowSold),
        None => Ok(Updated::NotFound),
    }
}
