//! The end of a hold in money: confirmed by a payment ([`confirm()`]), or undone by a refund ([`cancel()`]).
//!
//! The reservation's row is the lock, whichever of the two comes first. What is written here is
//! written together with the event that tells of it.

mod cancel;
mod confirm;

pub use cancel::{Cancel, cancel};
pub use confirm::{Fencing, Paid, Sold, confirm, sold};

use crate::reservation::{PaymentStatus, Refusal, Status};
use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

/// A reservation as settling sees it.
#[derive(Debug, Clone, FromRow)]
pub struct Reservation {
    /// Its id.
    pub id: Uuid,
    /// Its owner.
    pub user_id: Uuid,
    /// What it is for.
    pub event_id: Uuid,
    /// KRW.
    pub total_amount: i64,
    /// Where it is in its life.
    pub status: Status,
    /// What is known about the money.
    pub payment_status: PaymentStatus,
    /// The day of the show, if catalog told us.
    pub event_date: Option<DateTime<Utc>>,
    /// The transfer by which its owner came by it; none for who made it.
    pub transfer_id: Option<Uuid>,
    /// The payment it stands on, if it is paid; none also where whoever confirmed it did not say.
    pub payment_id: Option<Uuid>,
}

impl Reservation {
    /// Whether it is known to stand on another payment than this one.
    #[must_use]
    pub fn stands_on_another(&self, payment: Option<Uuid>) -> bool {
        matches!((self.payment_id, payment), (Some(its), Some(this)) if its != this)
    }
}

/// Why settling did not happen.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// No such reservation (or not the caller's: he learns no more).
    #[error("Reservation not found")]
    NotFound,
    /// Its state, or the fencing tokens, forbid it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] sqlx::Error),
}

/// What settling did.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The reservation as it was before.
    pub before: Reservation,
    /// Seats it touched: their filter keys can go.
    pub seats: Vec<Uuid>,
    /// False when there was nothing left to do.
    pub changed: bool,
}

/// Locks the reservation for the rest of the transaction.
///
/// # Errors
/// `NotFound`, or what the database fails with.
pub async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Reservation, SettleError> {
    sqlx::query_as(
        "SELECT r.id, r.user_id, r.event_id, r.total_amount, r.status, r.payment_status, e.event_date,
                r.transfer_id, r.payment_id
         FROM reservations r LEFT JOIN event_copies e ON e.event_id = r.event_id
         WHERE r.id = $1 FOR UPDATE OF r",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?
    .ok_or(SettleError::NotFound)
}

/// Locks the reservation for the rest of the transaction if it is pending or confirmed and nobody else has it.
///
/// # Errors
/// What the database fails with.
pub async fn lock_if_free(conn: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    let found: Option<i32> = sqlx::query_scalar(
        "SELECT 1 FROM reservations WHERE id = $1 AND status IN ('pending', 'confirmed') FOR UPDATE SKIP LOCKED",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}
