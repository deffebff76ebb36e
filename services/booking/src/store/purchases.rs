//! What was decided about each payment for a transfer or a membership.
//!
//! A payment comes by the payment service's call and by its event, each any number of times and in any order,
//! and its refund may overtake both. The first word about it stands: a payment that bought something bought
//! it once, and one that was turned down or paid back buys nothing, even if what it was for is to be had
//! again (law `paid-means-ticket`). Reservations need no such record: a hold that was lost stays lost.
//!
//! Callers lock what is bought first, so two words about one payment queue there.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A payment, and what it is for.
#[derive(Debug, Clone, Copy)]
pub struct Purchase<'a> {
    /// The payment.
    pub payment: Uuid,
    /// The transfer or membership.
    pub target: Uuid,
    /// Who paid.
    pub payer: Uuid,
    /// How.
    pub method: &'a str,
}

/// What was said of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Outcome {
    /// It bought what it was for.
    Fulfilled,
    /// It bought nothing and goes back.
    Refused,
    /// It went back.
    Refunded,
}

/// What was said of the payment before.
///
/// # Errors
/// What the database fails with.
pub async fn decided(conn: &mut PgConnection, payment: Uuid) -> Result<Option<Outcome>, sqlx::Error> {
    sqlx::query_scalar("SELECT outcome FROM purchases WHERE payment_id = $1")
        .bind(payment)
        .fetch_optional(conn)
        .await
}

/// Says it. `false` when something had been said already: nothing is changed then.
///
/// # Errors
/// What the database fails with.
pub async fn decide(
    conn: &mut PgConnection,
    payment: Uuid,
    target: Uuid,
    outcome: Outcome,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO purchases (payment_id, target_id, outcome, reason, decided_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(payment)
    .bind(target)
    .bind(outcome)
    .bind(reason)
    .bind(now)
    .execute(conn)
    .await?;
    let first = done.rows_affected() == 1;
    if first {
        let said = match outcome {
            Outcome::Fulfilled => "fulfilled",
            Outcome::Refused => "refused",
            Outcome::Refunded => "refunded",
        };
        metrics::counter!("urr_booking_purchases_total", "outcome" => said).increment(1);
    }
    Ok(first)
}

/// The money went back. Answers what had been said before.
///
/// # Errors
/// What the database fails with.
pub async fn refunded(
    conn: &mut PgConnection,
    payment: Uuid,
    target: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Outcome>, sqlx::Error> {
    if decide(conn, payment, target, Outcome::Refunded, None, now).await? {
        return Ok(None);
    }
    let before = decided(conn, payment).await?;
    sqlx::query("UPDATE purchases SET outcome = 'refunded', decided_at = $2 WHERE payment_id = $1")
        .bind(payment)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(before)
}
