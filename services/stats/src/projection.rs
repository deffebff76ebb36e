//! From what events say to rows. Each statement may run twice and in any order with the others: it only adds
//! what it knows, and never takes back what a later event said.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use urr_kit::events::{
    AccountOpened, EventChanged, MembershipActivated, MembershipEnded, PaymentConfirmed, PaymentFailed,
    PaymentRefunded, ReservationCancelled, ReservationConfirmed, ReservationCreated, SeatingChanged,
    SoldSeat, TransferCompleted,
};
use urr_kit::wire;
use uuid::Uuid;

/// A reservation as one event tells of it.
pub(crate) struct Reservation {
    id: Uuid,
    event: Uuid,
    user: Uuid,
    amount: i64,
    seats: usize,
    confirmed: bool,
    cancelled_for: Option<String>,
    sold: Vec<SoldSeat>,
}

impl Reservation {
    pub(crate) fn made(told: &ReservationCreated) -> Self {
        Self {
            id: told.reservation_id,
            event: told.event_id,
            user: told.user_id,
            amount: told.total_amount,
            seats: told.seat_ids.len(),
            confirmed: false,
            cancelled_for: None,
            sold: Vec::new(),
        }
    }

    pub(crate) fn sold(told: ReservationConfirmed) -> Self {
        Self {
            id: told.reservation_id,
            event: told.event_id,
            user: told.user_id,
            amount: told.total_amount,
            seats: told.seat_ids.len(),
            confirmed: true,
            cancelled_for: None,
            sold: told.seats,
        }
    }

    pub(crate) fn gone(told: ReservationCancelled) -> Self {
        Self {
            id: told.reservation_id,
            event: told.event_id,
            user: told.user_id,
            amount: told.total_amount,
            seats: told.seat_ids.len(),
            confirmed: false,
            cancelled_for: Some(told.reason),
            sold: Vec::new(),
        }
    }
}

pub(crate) async fn reservation(
    tx: &mut PgConnection,
    told: &Reservation,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO reservations AS r (reservation_id, event_id, user_id, total_amount, seats, \
         created_at, confirmed_at, cancelled_at, cancel_reason, sold) \
         VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7 THEN $6 END, \
                 CASE WHEN $8::text IS NOT NULL THEN $6 END, left($8, 50), $9) \
         ON CONFLICT (reservation_id) DO UPDATE SET \
             total_amount = GREATEST(r.total_amount, EXCLUDED.total_amount), \
             seats = GREATEST(r.seats, EXCLUDED.seats), \
             created_at = LEAST(r.created_at, EXCLUDED.created_at), \
             confirmed_at = COALESCE(r.confirmed_at, EXCLUDED.confirmed_at), \
             cancelled_at = COALESCE(r.cancelled_at, EXCLUDED.cancelled_at), \
             cancel_reason = COALESCE(r.cancel_reason, EXCLUDED.cancel_reason), \
             sold = COALESCE(r.sold, EXCLUDED.sold)",
    )
    .bind(told.id)
    .bind(told.event)
    .bind(told.user)
    .bind(told.amount)
    .bind(i32::try_from(told.seats).unwrap_or(i32::MAX))
    .bind(at)
    .bind(told.confirmed)
    .bind(&told.cancelled_for)
    .bind((!told.sold.is_empty()).then_some(Json(&told.sold)))
    .execute(tx)
    .await
    .map(drop)
}

pub(crate) async fn paid(
    tx: &mut PgConnection,
    paid: &PaymentConfirmed,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO payments AS p (payment_id, reservation_id, payment_type, method, amount, confirmed_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (payment_id) DO UPDATE SET \
             method = EXCLUDED.method, confirmed_at = COALESCE(p.confirmed_at, EXCLUDED.confirmed_at)",
    )
    .bind(paid.payment_id)
    .bind(paid.reservation_id)
    .bind(&paid.payment_type)
    .bind(&paid.payment_method)
    .bind(paid.amount)
    .bind(paid.approved_at.map_or(at, wire::at))
    .execute(tx)
    .await
    .map(drop)
}

pub(crate) async fn refunded(
    tx: &mut PgConnection,
    back: &PaymentRefunded,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO payments AS p (payment_id, reservation_id, payment_type, amount, refunded_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (payment_id) DO UPDATE SET \
             refunded_at = COALESCE(p.refunded_at, EXCLUDED.refunded_at)",
    )
    .bind(back.payment_id)
    .bind(back.reservation_id)
    .bind(&back.payment_type)
    .bind(back.amount)
    .bind(at)
    .execute(tx)
    .await
    .map(drop)
}

pub(crate) async fn transferred(
    tx: &mut PgConnection,
    done: &TransferCompleted,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO transfers (transfer_id, total_price, completed_at) VALUES ($1, $2, $3) \
         ON CONFLICT DO NOTHING",
    )
    .bind(done.transfer_id)
    .bind(done.total_price)
    .bind(at)
    .execute(tx)
    .await
    .map(drop)
}

/// A term told by an earlier release has no end of its own.
pub(crate) async fn joined(
    tx: &mut PgConnection,
    joined: &MembershipActivated,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO memberships AS m (membership_id, user_id, activated_at, expires_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (membership_id) DO UPDATE SET \
             activated_at = COALESCE(m.activated_at, EXCLUDED.activated_at), \
             expires_at = COALESCE(m.expires_at, EXCLUDED.expires_at)",
    )
    .bind(joined.membership_id)
    .bind(joined.user_id)
    .bind(at)
    .bind(joined.expires_at.map(wire::at))
    .execute(tx)
    .await
    .map(drop)
}

pub(crate) async fn left(
    tx: &mut PgConnection,
    left: &MembershipEnded,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO memberships AS m (membership_id, user_id, ended_at) VALUES ($1, $2, $3) \
         ON CONFLICT (membership_id) DO UPDATE SET ended_at = COALESCE(m.ended_at, EXCLUDED.ended_at)",
    )
    .bind(left.membership_id)
    .bind(left.user_id)
    .bind(at)
    .execute(tx)
    .await
    .map(drop)
}

pub(crate) async fn changed(
    tx: &mut PgConnection,
    event: &EventChanged,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO events AS e (event_id, title, venue, event_date, status, told_at) \
         VALUES ($1, left($2, 255), left($3, 255), $4, $5, $6) ON CONFLICT (event_id) DO UPDATE SET \
             title = EXCLUDED.title, venue = EXCLUDED.venue, event_date = EXCLUDED.event_date, \
             status = EXCLUDED.status, told_at = EXCLUDED.told_at \
         WHERE e.told_at <= EXCLUDED.told_at",
    )
    .bind(event.event_id)
    .bind(&event.title)
    .bind(&event.venue)
    .bind(wire::at(event.event_date))
    .bind(&event.status)
    .bind(at)
    .execute(tx)
    .await
    .map(drop)
}

/// The latest word on an event's hall stands.
pub(crate) async fn seated(
    tx: &mut PgConnection,
    seating: SeatingChanged,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO halls AS h (event_id, sections, told_at) VALUES ($1, $2, $3) \
         ON CONFLICT (event_id) DO UPDATE SET sections = EXCLUDED.sections, told_at = EXCLUDED.told_at \
         WHERE h.told_at <= EXCLUDED.told_at",
    )
    .bind(seating.event_id)
    .bind(seating.hall.map(|hall| Json(hall.sections)))
    .bind(at)
    .execute(tx)
    .await
    .map(drop)
}

pub(crate) async fn opened(
    tx: &mut PgConnection,
    account: &AccountOpened,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO accounts (user_id, role, opened_at) VALUES ($1, left($2, 20), $3) ON CONFLICT DO NOTHING",
    )
    .bind(account.user_id)
    .bind(&account.role)
    .bind(at)
    .execute(tx)
    .await
    .map(drop)
}

/// `told_by`: the event's id, since a payment may be refused more than once.
pub(crate) async fn refused(
    tx: &mut PgConnection,
    told_by: Uuid,
    refused: &PaymentFailed,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO refused_charges (told_by, payment_id, refused_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(told_by)
    .bind(refused.payment_id)
    .bind(at)
    .execute(tx)
    .await
    .map(drop)
}
