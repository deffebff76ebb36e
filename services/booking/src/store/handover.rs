//! A ticket changes hands when its payment has come, once (R-TRF-02; docs/decisions/0024).
//!
//! A listing is open only as long as its reservation is confirmed and the seller's: whatever ends one ends the
//! other in the same transaction ([`super::settle::cancel`]). So the reservation's row, locked first, is the
//! lock of the sale, and `listed` the one thing to look at.

use crate::events;
use crate::holds::TICKETS_PER_USER_MAX;
use crate::membership;
use crate::reservation::Status as Reserved;
use crate::store::memberships::Verdict;
use crate::store::owed::{self, Charge};
use crate::store::points::{self, Change, Deed};
use crate::store::purchases::{self, Outcome, Purchase};
use crate::store::settle::{self, Reservation, SettleError};
use crate::transfer::{Refusal, Status};
use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use urr_kit::events::TransferCompleted;
use uuid::Uuid;

/// Whether what was decided and where the listing is count. A parameter so that tests can show what breaks
/// without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarded {
    /// They do.
    Yes,
    /// They do not: a ticket is sold to two, or comes back to life.
    #[cfg(test)]
    No,
}

#[derive(FromRow)]
struct Locked {
    seller_id: Uuid,
    total_price: i64,
    status: Status,
}

/// A payment for a transfer has come: the ticket changes hands, once, with its seats and its place in both
/// people's limits, or the payment is turned down for ever. Whoever commits keeps either.
///
/// # Errors
/// What the database fails with.
pub async fn complete(
    conn: &mut PgConnection,
    purchase: Purchase<'_>,
    guarded: Guarded,
    now: DateTime<Utc>,
) -> Result<Verdict<Refusal>, sqlx::Error> {
    // What is sold never changes, so it may be read before it is locked.
    let sold: Option<Uuid> = sqlx::query_scalar("SELECT reservation_id FROM ticket_transfers WHERE id = $1")
        .bind(purchase.target)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(sold) = sold else {
        turn_down(conn, purchase, "no such transfer", now).await?;
        return Ok(Verdict::NotFound);
    };
    let before = match settle::lock(conn, sold).await {
        Ok(before) => before,
        Err(SettleError::Store(error)) => return Err(error),
        // Unreachable by the table's key.
        Err(SettleError::NotFound | SettleError::Refused(_)) => return Ok(Verdict::NotFound),
    };
    let listing: Locked = sqlx::query_as(
        "SELECT seller_id, total_price, status FROM ticket_transfers WHERE id = $1 FOR UPDATE",
    )
    .bind(purchase.target)
    .fetch_one(&mut *conn)
    .await?;
    if guarded == Guarded::Yes {
        match purchases::decided(conn, purchase.payment).await? {
            Some(Outcome::Fulfilled) => return Ok(Verdict::Done { fresh: false }),
            Some(Outcome::Refused | Outcome::Refunded) => return Ok(Verdict::Refused(Refusal::PaymentOver)),
            None => {}
        }
        if let Err(refusal) = still_for_sale(&listing, &before, purchase.payer) {
            turn_down(conn, purchase, &refusal.to_string(), now).await?;
            return Ok(Verdict::Refused(refusal));
        }
    }
    let seats = lock_seats(conn, before.id).await?;
    if !move_quota(conn, &before, purchase.payer).await? {
        turn_down(conn, purchase, &Refusal::OverLimit.to_string(), now).await?;
        return Ok(Verdict::Refused(Refusal::OverLimit));
    }
    hand_over(conn, &before, &seats, purchase, now).await?;
    let told = TransferCompleted {
        transfer_id: purchase.target,
        reservation_id: before.id,
        seller_id: before.user_id,
        buyer_id: purchase.payer,
        event_id: Some(before.event_id),
        total_price: listing.total_price,
        previous_transfer_id: before.transfer_id,
    };
    events::transfer_completed(conn, &told, now).await?;
    if let Some(sellers) = Charge::of(&before) {
        owed::remember(conn, sellers, "TICKET_SOLD", now).await?;
    }
    purchases::decide(
        conn,
        purchase.payment,
        purchase.target,
        Outcome::Fulfilled,
        None,
        now,
    )
    .await?;
    points_follow(conn, &before, purchase, now).await?;
    Ok(Verdict::Done { fresh: true })
}

/// What must hold of a listing when its money has come. Nothing here can come true again once it is false, but
/// for the limit, which is counted where it is written; the rest ([`crate::transfer::may_buy`]) was asked before the charge.
fn still_for_sale(listing: &Locked, reserved: &Reservation, buyer: Uuid) -> Result<(), Refusal> {
    let sellers = reserved.status == Reserved::Confirmed && reserved.user_id == listing.seller_id;
    if listing.status != Status::Listed || !sellers {
        return Err(Refusal::NotForSale);
    }
    if listing.seller_id == buyer {
        return Err(Refusal::OwnTicket);
    }
    Ok(())
}

async fn turn_down(
    conn: &mut PgConnection,
    purchase: Purchase<'_>,
    why: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let outcome = Outcome::Refused;
    purchases::decide(conn, purchase.payment, purchase.target, outcome, Some(why), now)
        .await
        .map(drop)
}

/// The reservation's seats, locked in the order everybody locks them.
async fn lock_seats(conn: &mut PgConnection, reservation: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT s.id FROM reservation_items i
         JOIN seats s ON s.id = i.seat_id AND s.fencing_token = i.fencing_token
         WHERE i.reservation_id = $1 ORDER BY s.id FOR UPDATE OF s",
    )
    .bind(reservation)
    .fetch_all(conn)
    .await
}

/// The tickets count for the buyer from now on. `false`, and nothing is written: they would be too many.
async fn move_quota(conn: &mut PgConnection, before: &Reservation, buyer: Uuid) -> Result<bool, sqlx::Error> {
    // Both rows in one order; a buyer's that does not exist yet is waited for by nobody who holds the seller's.
    sqlx::query(
        "SELECT FROM ticket_quotas WHERE event_id = $1 AND user_id IN ($2, $3) ORDER BY user_id FOR UPDATE",
    )
    .bind(before.event_id)
    .bind(before.user_id)
    .bind(buyer)
    .execute(&mut *conn)
    .await?;
    let moved = sqlx::query(
        "INSERT INTO ticket_quotas AS q (user_id, event_id, tickets)
         SELECT $2, $3, sum(quantity)::integer FROM reservation_items WHERE reservation_id = $1
         HAVING sum(quantity) <= $4
         ON CONFLICT (user_id, event_id) DO UPDATE SET tickets = q.tickets + excluded.tickets
         WHERE q.tickets + excluded.tickets <= $4",
    )
    .bind(before.id)
    .bind(buyer)
    .bind(before.event_id)
    .bind(TICKETS_PER_USER_MAX)
    .execute(&mut *conn)
    .await?;
    if moved.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE ticket_quotas SET tickets = tickets -
             (SELECT sum(quantity) FROM reservation_items WHERE reservation_id = $1)::integer
         WHERE user_id = $2 AND event_id = $3",
    )
    .bind(before.id)
    .bind(before.user_id)
    .bind(before.event_id)
    .execute(conn)
    .await?;
    Ok(true)
}

async fn hand_over(
    conn: &mut PgConnection,
    before: &Reservation,
    seats: &[Uuid],
    purchase: Purchase<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE seats SET locked_by = $2, version = version + 1, updated_at = $3 WHERE id = ANY ($1)",
    )
    .bind(seats)
    .bind(purchase.payer)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    // The key was the seller's; under it the buyer might have one of his own.
    sqlx::query(
        "UPDATE reservations SET user_id = $2, transfer_id = $3, payment_method = $4, payment_id = $6,
             idempotency_key = NULL, updated_at = $5
         WHERE id = $1",
    )
    .bind(before.id)
    .bind(purchase.payer)
    .bind(purchase.target)
    .bind(purchase.method)
    .bind(now)
    .bind(purchase.payment)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "UPDATE ticket_transfers SET status = 'completed', buyer_id = $2, completed_at = $3, updated_at = $3
         WHERE id = $1",
    )
    .bind(purchase.target)
    .bind(purchase.payer)
    .bind(now)
    .execute(conn)
    .await
    .map(drop)
}

/// Points are a ticket's holder's: the seller's go, the buyer gets some.
async fn points_follow(
    conn: &mut PgConnection,
    before: &Reservation,
    purchase: Purchase<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let artist: Option<Uuid> = sqlx::query_scalar("SELECT artist_id FROM ticket_transfers WHERE id = $1")
        .bind(purchase.target)
        .fetch_one(&mut *conn)
        .await?;
    let Some(artist) = artist else { return Ok(()) };
    let earned_by = before.transfer_id.unwrap_or(before.id);
    points::aside(conn, Change::Returned(earned_by), now).await;
    let deed = Deed {
        user: purchase.payer,
        artist: Some(artist),
        action: points::TICKET_PURCHASE,
        points: membership::TICKET_POINTS,
        description: "Ticket bought from another fan",
        reference: Some(purchase.target),
    };
    points::aside(conn, Change::Earned(deed), now).await;
    Ok(())
}

/// The money for a transfer went back. Answers the reservation that stands on it, if one does: it is to end.
///
/// # Errors
/// What the database fails with.
pub async fn refunded(
    conn: &mut PgConnection,
    transfer: Uuid,
    payment: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, sqlx::Error> {
    let sold: Option<Uuid> = sqlx::query_scalar("SELECT reservation_id FROM ticket_transfers WHERE id = $1")
        .bind(transfer)
        .fetch_optional(&mut *conn)
        .await?;
    let standing = match sold {
        Some(sold) => match settle::lock(conn, sold).await {
            Ok(reserved) if reserved.transfer_id == Some(transfer) => Some(reserved.id),
            Ok(_) | Err(SettleError::NotFound | SettleError::Refused(_)) => None,
            Err(SettleError::Store(error)) => return Err(error),
        },
        None => None,
    };
    let bought = purchases::refunded(conn, payment, transfer, now).await? == Some(Outcome::Fulfilled);
    Ok(standing.filter(|_| bought))
}
