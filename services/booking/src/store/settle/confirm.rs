//! A hold becomes a ticket. One function confirms, whoever asks: the payment service directly or its
//! event (R-PAY-07); the seats' fencing tokens decide (law `fenced`).

use super::{Reservation, SettleError, Settled, lock};
use crate::events;
use crate::reservation::{Confirm, Refusal};
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{Connection as _, FromRow, PgConnection};
use urr_kit::events::outbox;
use urr_kit::sabotage::{self, Guard};
use uuid::Uuid;

/// Whether fencing tokens and owners are compared. A parameter so that a test can show what breaks
/// without; everything else takes [`Fencing::of_this_process`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fencing {
    /// A confirmation whose hold was lost is refused.
    Compared,
    /// It is not: seats get sold twice.
    Off,
}

impl Fencing {
    /// Compared, unless this is a sabotage build told to leave it out.
    #[must_use]
    pub fn of_this_process() -> Self {
        if sabotage::is_off(Guard::Fencing) {
            Self::Off
        } else {
            Self::Compared
        }
    }
}

/// Every seat of the reservation goes from held to sold, and the reservation and the event that tells of it
/// with them, or nothing does. One statement, because a sale is made of little else: each further one is a way
/// to Postgres and back while the payer waits. The reservation's row is locked before its seats, as everywhere.
///
/// Parameters: $1 reservation, $2 payer or NULL, $3 leaves the comparison of tokens out, $4 now, $5 method of
/// payment, $6 outbox row id, $7 outbox topic, $8 the RESERVATION_CONFIRMED envelope without what only the row
/// knows, $9 what was paid or NULL, $10 the payment or NULL. Answers the reservation as it was, and the seats that
/// were sold.
///
/// Who waits for the row's lock gets the row as it is then, but the items as they were when the statement began: if
/// others were chosen meanwhile (`stale`), nothing is written and the caller looks again.
const CONFIRM_SQL: &str = "
WITH seen AS MATERIALIZED (
    SELECT xmin AS written_by FROM reservations WHERE id = $1
), mine AS MATERIALIZED (
    SELECT id, user_id, event_id, total_amount, status, payment_status, transfer_id, payment_id, xmin AS written_by
    FROM reservations
    WHERE id = $1
    FOR UPDATE
), items AS MATERIALIZED (
    SELECT i.seat_id, i.fencing_token FROM mine JOIN reservation_items i ON i.reservation_id = mine.id
    WHERE mine.status = 'pending' AND i.seat_id IS NOT NULL
), locked AS MATERIALIZED (
    SELECT id, status, locked_by, fencing_token FROM seats
    WHERE id IN (SELECT seat_id FROM items)
    ORDER BY id
    FOR UPDATE
), show AS MATERIALIZED (
    SELECT e.event_date, e.status = 'cancelled' AS called_off FROM mine JOIN event_copies e USING (event_id)
), verdict AS MATERIALIZED (
    SELECT mine.status = 'pending' AND mine.written_by = seen.written_by AS fresh,
           mine.status = 'pending' AND mine.written_by = seen.written_by AND NOT EXISTS (SELECT FROM show WHERE called_off) AND ($2::uuid IS NULL OR mine.user_id = $2)
           AND ($9::bigint IS NULL OR mine.total_amount = $9)
           AND (SELECT coalesce(bool_and($3 OR (l.status = 'locked' AND l.locked_by = mine.user_id
                                               AND l.fencing_token = i.fencing_token)), true)
                FROM items i LEFT JOIN locked l ON l.id = i.seat_id) AS sells
    FROM mine, seen
), sold AS (
    UPDATE seats s
    SET status = 'reserved', locked_by = mine.user_id, lock_expires_at = NULL, version = s.version + 1, updated_at = $4
    FROM locked, mine, verdict
    WHERE s.id = locked.id AND sells
    RETURNING s.id, s.section, s.row_number, s.price
), confirmed AS (
    UPDATE reservations r
    SET status = 'confirmed', payment_status = 'completed', payment_method = $5, payment_id = $10, updated_at = $4
    FROM verdict
    WHERE r.id = $1 AND sells
), told AS (
    INSERT INTO outbox_events (id, topic, aggregate_type, aggregate_id, event_type, payload, created_at)
    SELECT $6, $7, $8::jsonb ->> 'aggregateType', $8::jsonb ->> 'aggregateId', $8::jsonb ->> 'type',
           $8::jsonb || jsonb_build_object('userId', mine.user_id, 'payload', ($8::jsonb -> 'payload')
               || jsonb_build_object('userId', mine.user_id, 'eventId', mine.event_id,
                                     'totalAmount', mine.total_amount,
                                     'seatIds', to_jsonb(ARRAY(SELECT id FROM sold)),
                                     'seats', ARRAY(SELECT jsonb_build_object('section', section,
                                         'row', row_number, 'price', price) FROM sold))), $4
    FROM mine, verdict
    WHERE sells
)
SELECT mine.id, user_id, event_id, total_amount, status, payment_status, transfer_id, payment_id,
       (SELECT event_date FROM show) AS event_date, EXISTS (SELECT FROM show WHERE called_off) AS called_off,
       status = 'pending' AND NOT fresh AS stale, sells, ARRAY(SELECT id FROM sold) AS seats
FROM mine, verdict
";

#[derive(FromRow)]
struct Confirmed {
    #[sqlx(flatten)]
    before: Reservation,
    called_off: bool,
    /// Others were chosen while this waited for the row: nothing was decided.
    stale: bool,
    sells: bool,
    seats: Vec<Uuid>,
}

/// What is known of the payment that confirms.
#[derive(Debug, Clone, Copy)]
pub struct Paid<'a> {
    /// Which it is, if the caller says: the ticket stands on it from now on.
    pub payment: Option<Uuid>,
    /// Who paid, if the caller says.
    pub payer: Option<Uuid>,
    /// KRW, if the caller says: other seats may have been chosen since (R-BOOK-09).
    pub amount: Option<i64>,
    /// How.
    pub method: &'a str,
}

/// Confirms a paid reservation, once. A repeat changes nothing and succeeds.
///
/// # Errors
/// `NotFound`; `Refused` when the reservation is cancelled or expired, the show is called off, the payer is another,
/// it costs something else by now, another payment paid it before, or somebody took a seat after the hold had ended:
/// the caller refunds.
pub async fn confirm(
    conn: &mut PgConnection,
    id: Uuid,
    paid: Paid<'_>,
    fencing: Fencing,
    now: DateTime<Utc>,
) -> Result<Settled, SettleError> {
    let mut found = attempt(&mut *conn, id, paid, fencing, now).await?;
    if found.stale {
        // The lock first: nothing can be chosen any more while the statement looks.
        let mut tx = conn.begin().await?;
        lock(&mut tx, id).await?;
        found = attempt(&mut tx, id, paid, fencing, now).await?;
        tx.commit().await?;
    }
    let Confirmed {
        before,
        called_off,
        sells,
        seats,
        ..
    } = found;
    if paid.payer.is_some_and(|payer| payer != before.user_id) {
        return Err(Refusal::NotOwner.into());
    }
    let changed = match before.status.confirm()? {
        Confirm::Already if before.stands_on_another(paid.payment) => return Err(Refusal::PaidBefore.into()),
        Confirm::Already => false,
        Confirm::Proceed if called_off => return Err(Refusal::EventCancelled.into()),
        Confirm::Proceed if paid.amount.is_some_and(|amount| amount != before.total_amount) => {
            return Err(Refusal::PriceChanged.into());
        }
        Confirm::Proceed if !sells => return Err(Refusal::HoldLost.into()),
        Confirm::Proceed => true,
    };
    if changed {
        outbox::enqueued();
    }
    Ok(Settled {
        before,
        seats,
        changed,
    })
}

async fn attempt(
    conn: &mut PgConnection,
    id: Uuid,
    paid: Paid<'_>,
    fencing: Fencing,
    now: DateTime<Utc>,
) -> Result<Confirmed, SettleError> {
    let told = events::confirmed(id, paid.method, now)?;
    let found: Option<Confirmed> = sqlx::query_as(CONFIRM_SQL)
        .bind(id)
        .bind(paid.payer)
        .bind(fencing == Fencing::Off)
        .bind(now)
        .bind(paid.method)
        .bind(told.id)
        .bind(told.topic)
        .bind(Json(&told.envelope))
        .bind(paid.amount)
        .bind(paid.payment)
        .fetch_optional(conn)
        .await?;
    found.ok_or(SettleError::NotFound)
}

/// A reservation that is sold.
#[derive(Debug, Clone, Copy, FromRow)]
pub struct Sold {
    /// Whose event it is, if an artist's.
    pub artist_id: Option<Uuid>,
}

/// `payer`'s reservation if it is sold already, as far as is known by this payment, so that a payment's event,
/// which mostly comes after the payment service's own call, need not lock it.
///
/// # Errors
/// What the database fails with.
pub async fn sold(
    conn: &mut PgConnection,
    id: Uuid,
    payer: Uuid,
    payment: Uuid,
) -> Result<Option<Sold>, sqlx::Error> {
    sqlx::query_as(
        "SELECT (SELECT artist_id FROM event_copies e WHERE e.event_id = r.event_id) AS artist_id
         FROM reservations r WHERE id = $1 AND user_id = $2 AND status = 'confirmed'
           AND coalesce(payment_id = $3, true)",
    )
    .bind(id)
    .bind(payer)
    .bind(payment)
    .fetch_optional(conn)
    .await
}
