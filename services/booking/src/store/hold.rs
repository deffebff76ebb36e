//! Holding seats: Postgres decides, in one statement.
//!
//! [`HOLD_SQL`] locks the wanted seats in id order (so two holds never wait for each other in a
//! circle), looks whether all of them are free or held past their end, takes all of them or none
//! with a rising fencing token, and writes reservation, items, quota and outbox event beside it.
//! One round trip carries 2 to 3 times what a transaction of seven statements does
//! (reference/measured-limits.md section 3). Redis may have turned others away before; nothing
//! here depends on it (laws `no-oversell` and `fenced`).

use crate::events::OutboxRow;
use crate::reservation::{PaymentStatus, Status};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, Serializer};
use sqlx::types::Json;
use sqlx::{FromRow, PgPool};
use urr_kit::wire;
use uuid::Uuid;

/// The part of [`HOLD_SQL`] that makes it a lock. Tests replace it by `true` to see seats sold twice.
#[cfg(test)]
const STATUS_GUARD: &str = "status = 'available' OR (status = 'locked' AND lock_expires_at <= $6)";

/// Parameters: $1 user, $2 event, $3 seat ids, $4 reservation id, $5 reservation number, $6 now,
/// $7 end of the hold, $8 idempotency key or NULL, $9 tickets the user may have for the event,
/// $10 outbox row id, $11 outbox topic, $12 the RESERVATION_CREATED envelope with `totalAmount` 0.
///
/// Answers one row: what was found, and the seats if they were taken.
pub const HOLD_SQL: &str = "
WITH prior AS (
    SELECT id FROM reservations
    WHERE user_id = $1 AND operation = 'hold' AND idempotency_key = $8
), wanted AS MATERIALIZED (
    SELECT id, price, status, locked_by, lock_expires_at FROM seats
    WHERE event_id = $2 AND id = ANY ($3) AND NOT EXISTS (SELECT FROM prior)
    ORDER BY id
    FOR UPDATE
), verdict AS (
    SELECT count(*) AS found,
           coalesce(sum(price), 0)::bigint AS total,
           coalesce(bool_and(status = 'available' OR (status = 'locked' AND lock_expires_at <= $6)), false) AS free,
           coalesce(bool_and(status = 'locked' AND locked_by = $1 AND lock_expires_at > $6), false) AS own,
           coalesce(bool_or(status = 'reserved'), false) AS sold
    FROM wanted
), quota AS (
    INSERT INTO ticket_quotas AS q (user_id, event_id, tickets)
    SELECT $1, $2, found::integer FROM verdict
    WHERE found = cardinality($3) AND free AND found <= $9
    ON CONFLICT (user_id, event_id) DO UPDATE SET tickets = q.tickets + excluded.tickets
    WHERE q.tickets + excluded.tickets <= $9
    RETURNING tickets
), taken AS (
    UPDATE seats s
    SET status = 'locked', locked_by = $1, lock_expires_at = $7, updated_at = $6,
        fencing_token = s.fencing_token + 1, version = s.version + 1
    FROM wanted, quota
    WHERE s.id = wanted.id
    RETURNING s.id, s.seat_label, s.grade, s.price, s.version, s.fencing_token
), booked AS (
    INSERT INTO reservations (id, user_id, event_id, reservation_number, total_amount, status,
                              expires_at, operation, idempotency_key, created_at, updated_at)
    SELECT $4, $1, $2, $5, total, 'pending', $7, 'hold', $8, $6, $6 FROM verdict, quota
), listed AS (
    INSERT INTO reservation_items (reservation_id, seat_id, quantity, unit_price, subtotal, label,
                                   grade, fencing_token)
    SELECT $4, id, 1, price, price, seat_label, grade, fencing_token FROM taken
), told AS (
    INSERT INTO outbox_events (id, topic, aggregate_type, aggregate_id, event_type, payload, created_at)
    SELECT $10, $11, $12::jsonb ->> 'aggregateType', $12::jsonb ->> 'aggregateId', $12::jsonb ->> 'type',
           jsonb_set($12::jsonb, '{payload,totalAmount}', to_jsonb(total)), $6
    FROM verdict, quota
)
SELECT (SELECT id FROM prior) AS prior, found = cardinality($3) AS found, own, sold, free, total,
       (SELECT json_agg(json_build_object('id', id, 'seat_label', seat_label, 'price', price,
                                          'status', 'locked', 'version', version,
                                          'fencingToken', fencing_token) ORDER BY id)
        FROM taken) AS taken
FROM verdict
";

/// One attempt to hold seats.
#[derive(Debug, Clone)]
pub struct HoldRequest<'a> {
    /// Who holds.
    pub user: Uuid,
    /// The event the seats belong to.
    pub event: Uuid,
    /// Distinct seat ids; sorted by the caller or not, Postgres locks them in id order.
    pub seats: &'a [Uuid],
    /// Id of the reservation to be made.
    pub reservation: Uuid,
    /// Its number.
    pub number: &'a str,
    /// The service's clock.
    pub now: DateTime<Utc>,
    /// End of the hold.
    pub expires_at: DateTime<Utc>,
    /// Idempotency key, scoped to user and operation.
    pub key: Option<&'a str>,
    /// Tickets this user may have in hand for this event, these included.
    pub tickets_max: i32,
    /// The event to tell others, total still 0.
    pub created: &'a OutboxRow,
}

/// A seat of a hold, as the contract lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldSeat {
    /// Seat id.
    pub id: Uuid,
    /// `{section}-{row}-{seat}`.
    pub seat_label: String,
    /// KRW.
    pub price: i64,
    /// `locked` right after a hold.
    pub status: String,
    /// Changes of the seat so far.
    pub version: i32,
    /// What every later write for this hold is compared with.
    #[serde(rename = "fencingToken")]
    pub fencing_token: i64,
}

/// A reservation with its seats: what a hold answers, the first time and every time after (quirk 8:
/// one shape, which holds the fields of both of upstream's).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Reservation id.
    pub id: Uuid,
    /// `TK..`.
    pub number: String,
    /// KRW.
    pub total_amount: i64,
    /// `pending` unless a replay finds it further on.
    pub status: Status,
    /// Likewise.
    pub payment_status: PaymentStatus,
    /// End of the hold.
    pub expires_at: DateTime<Utc>,
    /// In id order.
    pub seats: Vec<HeldSeat>,
}

impl Serialize for Hold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let expires_at = wire::text(self.expires_at);
        let mut map = serializer.serialize_struct("Hold", 12)?;
        map.serialize_field("id", &self.id)?;
        map.serialize_field("reservationNumber", &self.number)?;
        map.serialize_field("reservation_number", &self.number)?;
        map.serialize_field("totalAmount", &self.total_amount)?;
        map.serialize_field("total_amount", &self.total_amount)?;
        map.serialize_field("status", &self.status)?;
        map.serialize_field("paymentStatus", &self.payment_status)?;
        map.serialize_field("payment_status", &self.payment_status)?;
        map.serialize_field("expiresAt", &expires_at)?;
        map.serialize_field("expires_at", &expires_at)?;
        map.serialize_field("seats", &self.seats)?;
        // The contract has one seat and so one token; each seat carries its own beside it.
        map.serialize_field("fencingToken", &self.seats.first().map(|seat| seat.fencing_token))?;
        map.end()
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The seats are the user's until the hold ends. `fresh` is false for a repeat, which gets the
    /// first result, the same token and the same end.
    Held {
        /// The reservation.
        hold: Hold,
        /// Whether this call made it.
        fresh: bool,
    },
    /// At least one id is not a seat of the event.
    NotFound,
    /// At least one seat is held by somebody else, or belongs to another choice of the same user.
    Taken,
    /// At least one seat is sold.
    Sold,
    /// The user would have more tickets than allowed.
    OverLimit,
}

#[derive(FromRow)]
struct Row {
    prior: Option<Uuid>,
    found: bool,
    own: bool,
    sold: bool,
    free: bool,
    total: i64,
    taken: Option<Json<Vec<HeldSeat>>>,
}

/// Tries to hold the seats.
///
/// # Errors
/// Only what the database itself fails with; every refusal is an [`Outcome`].
pub async fn hold(pool: &PgPool, request: &HoldRequest<'_>) -> Result<Outcome, sqlx::Error> {
    hold_with(pool, sqlx::query_as(HOLD_SQL), request).await
}

type RowQuery<'q> = sqlx::query::QueryAs<'q, sqlx::Postgres, Row, sqlx::postgres::PgArguments>;

async fn hold_with<'q>(
    pool: &PgPool,
    statement: RowQuery<'q>,
    request: &HoldRequest<'q>,
) -> Result<Outcome, sqlx::Error> {
    let row = statement
        .bind(request.user)
        .bind(request.event)
        .bind(request.seats)
        .bind(request.reservation)
        .bind(request.number)
        .bind(request.now)
        .bind(request.expires_at)
        .bind(request.key)
        .bind(request.tickets_max)
        .bind(request.created.id)
        .bind(request.created.topic)
        .bind(Json(&request.created.envelope))
        .fetch_one(pool)
        .await;
    let row = match row {
        Ok(row) => row,
        // Two calls with one key at the same instant for different seats: the other one won.
        Err(error) if is_key_race(&error) => {
            return match by_key(pool, request.user, request.key).await? {
                Some(hold) => Ok(Outcome::Held { hold, fresh: false }),
                None => Err(error),
            };
        }
        Err(error) => return Err(error),
    };
    if let Some(id) = row.prior {
        return repeat(pool, id).await;
    }
    if let Some(Json(seats)) = row.taken {
        let hold = Hold {
            id: request.reservation,
            number: request.number.to_owned(),
            total_amount: row.total,
            status: Status::Pending,
            payment_status: PaymentStatus::Pending,
            expires_at: request.expires_at,
            seats,
        };
        return Ok(Outcome::Held { hold, fresh: true });
    }
    if !row.found {
        return Ok(Outcome::NotFound);
    }
    if row.own {
        // R-BOOK-02: own hold -> same token, and never past the reservation's end.
        return match own(pool, request.user, request.seats).await? {
            Some(id) => repeat(pool, id).await,
            None => Ok(Outcome::Taken),
        };
    }
    Ok(match (row.free, row.sold) {
        (true, _) => Outcome::OverLimit,
        (false, true) => Outcome::Sold,
        (false, false) => Outcome::Taken,
    })
}

fn is_key_race(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|db| {
        db.is_unique_violation()
            && db
                .constraint()
                .is_some_and(|name| name.contains("idempotency_key"))
    })
}

async fn repeat(pool: &PgPool, id: Uuid) -> Result<Outcome, sqlx::Error> {
    let hold = load(pool, id).await?.ok_or(sqlx::Error::RowNotFound)?;
    Ok(Outcome::Held { hold, fresh: false })
}

/// The user's pending reservation that consists of exactly these seats.
async fn own(pool: &PgPool, user: Uuid, seats: &[Uuid]) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT r.id FROM reservations r JOIN reservation_items i ON i.reservation_id = r.id
         LEFT JOIN seats s ON s.id = i.seat_id AND s.fencing_token = i.fencing_token AND s.id = ANY ($2)
         WHERE r.user_id = $1 AND r.status = 'pending'
         GROUP BY r.id HAVING count(s.id) = cardinality($2) AND count(*) = cardinality($2)",
    )
    .bind(user)
    .bind(seats)
    .fetch_optional(pool)
    .await
}

/// The hold a key was used for before.
///
/// # Errors
/// What the database fails with.
pub async fn by_key(pool: &PgPool, user: Uuid, key: Option<&str>) -> Result<Option<Hold>, sqlx::Error> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM reservations
         WHERE user_id = $1 AND operation = 'hold' AND idempotency_key = $2",
    )
    .bind(user)
    .bind(key)
    .fetch_optional(pool)
    .await?;
    match id {
        Some(id) => load(pool, id).await,
        None => Ok(None),
    }
}

#[derive(FromRow)]
struct HoldRow {
    id: Uuid,
    reservation_number: String,
    total_amount: i64,
    status: Status,
    payment_status: PaymentStatus,
    expires_at: DateTime<Utc>,
    seats: Json<Vec<HeldSeat>>,
}

/// A reservation with its seats as they are now.
///
/// # Errors
/// What the database fails with.
pub async fn load(pool: &PgPool, id: Uuid) -> Result<Option<Hold>, sqlx::Error> {
    let row: Option<HoldRow> = sqlx::query_as(
        "SELECT r.id, r.reservation_number, r.total_amount, r.status, r.payment_status, r.expires_at,
                (SELECT coalesce(json_agg(json_build_object('id', s.id, 'seat_label', i.label,
                        'price', i.unit_price, 'status', s.status, 'version', s.version,
                        'fencingToken', i.fencing_token) ORDER BY s.id), '[]')
                 FROM reservation_items i JOIN seats s ON s.id = i.seat_id
                 WHERE i.reservation_id = r.id) AS seats
         FROM reservations r WHERE r.id = $1",
    )
    .bind(id)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Hold {
        id: row.id,
        number: row.reservation_number,
        total_amount: row.total_amount,
        status: row.status,
        payment_status: row.payment_status,
        expires_at: row.expires_at,
        seats: row.seats.0,
    }))
}

/// The statement with the status check taken out, for tests that show what it is for.
#[cfg(test)]
pub(crate) async fn hold_unguarded(pool: &PgPool, request: &HoldRequest<'_>) -> Result<Outcome, sqlx::Error> {
    let sql = HOLD_SQL.replace(STATUS_GUARD, "true");
    assert_ne!(sql, HOLD_SQL, "the guard moved; follow it");
    hold_with(pool, sqlx::query_as(sqlx::AssertSqlSafe(sql)), request).await
}
