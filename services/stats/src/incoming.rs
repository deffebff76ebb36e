//! From events to rows. Each statement may run twice and in any order with the others: it only adds
//! what it knows, and never takes back what a later event said.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use sqlx::{PgConnection, PgPool};
use urr_kit::events::{
    CATALOG_EVENTS, ConsumerConfig, EVENT_CHANGED, Envelope, EventChanged, HandleError, Handler,
    MEMBERSHIP_ACTIVATED, MEMBERSHIP_EVENTS, MembershipActivated, PAYMENT_CONFIRMED, PAYMENT_EVENTS,
    PAYMENT_REFUNDED, PaymentConfirmed, PaymentRefunded, RESERVATION_CANCELLED, RESERVATION_CONFIRMED,
    RESERVATION_CREATED, RESERVATION_EVENTS, ReservationCancelled, ReservationConfirmed, ReservationCreated,
    TRANSFER_COMPLETED, TRANSFER_EVENTS, TransferCompleted, consumer,
};
use urr_kit::{Ctx, Redis, Task, wire};
use uuid::Uuid;

struct Projector;

/// A reservation as one event tells of it.
struct Told {
    reservation: Uuid,
    event: Uuid,
    user: Uuid,
    amount: i64,
    seats: usize,
    confirmed: bool,
    cancelled_for: Option<String>,
}

impl Handler for Projector {
    fn handle<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        event: &'a Envelope,
    ) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(async move {
            let at = wire::at(event.time);
            match event.kind.as_str() {
                RESERVATION_CREATED => {
                    let made: ReservationCreated = event.decode()?;
                    let told = Told {
                        reservation: made.reservation_id,
                        event: made.event_id,
                        user: made.user_id,
                        amount: made.total_amount,
                        seats: made.seat_ids.len(),
                        confirmed: false,
                        cancelled_for: None,
                    };
                    reservation(tx, &told, at).await?;
                }
                RESERVATION_CONFIRMED => {
                    let sold: ReservationConfirmed = event.decode()?;
                    let told = Told {
                        reservation: sold.reservation_id,
                        event: sold.event_id,
                        user: sold.user_id,
                        amount: sold.total_amount,
                        seats: sold.seat_ids.len(),
                        confirmed: true,
                        cancelled_for: None,
                    };
                    reservation(tx, &told, at).await?;
                }
                RESERVATION_CANCELLED => {
                    let gone: ReservationCancelled = event.decode()?;
                    let told = Told {
                        reservation: gone.reservation_id,
                        event: gone.event_id,
                        user: gone.user_id,
                        amount: gone.total_amount,
                        seats: gone.seat_ids.len(),
                        confirmed: false,
                        cancelled_for: Some(gone.reason),
                    };
                    reservation(tx, &told, at).await?;
                }
                PAYMENT_CONFIRMED => paid(tx, &event.decode()?, at).await?,
                PAYMENT_REFUNDED => refunded(tx, &event.decode()?, at).await?,
                TRANSFER_COMPLETED => transferred(tx, &event.decode()?, at).await?,
                MEMBERSHIP_ACTIVATED => joined(tx, &event.decode()?, at).await?,
                EVENT_CHANGED => changed(tx, &event.decode()?, at).await?,
                _ => {}
            }
            Ok(())
        })
    }
}

async fn reservation(tx: &mut PgConnection, told: &Told, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO reservations AS r (reservation_id, event_id, user_id, total_amount, seats, \
         created_at, confirmed_at, cancelled_at, cancel_reason) \
         VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7 THEN $6 END, \
                 CASE WHEN $8::text IS NOT NULL THEN $6 END, left($8, 50)) \
         ON CONFLICT (reservation_id) DO UPDATE SET \
             total_amount = GREATEST(r.total_amount, EXCLUDED.total_amount), \
             seats = GREATEST(r.seats, EXCLUDED.seats), \
             created_at = LEAST(r.created_at, EXCLUDED.created_at), \
             confirmed_at = COALESCE(r.confirmed_at, EXCLUDED.confirmed_at), \
             cancelled_at = COALESCE(r.cancelled_at, EXCLUDED.cancelled_at), \
             cancel_reason = COALESCE(r.cancel_reason, EXCLUDED.cancel_reason)",
    )
    .bind(told.reservation)
    .bind(told.event)
    .bind(told.user)
    .bind(told.amount)
    .bind(i32::try_from(told.seats).unwrap_or(i32::MAX))
    .bind(at)
    .bind(told.confirmed)
    .bind(&told.cancelled_for)
    .execute(tx)
    .await?;
    Ok(())
}

async fn paid(tx: &mut PgConnection, paid: &PaymentConfirmed, at: DateTime<Utc>) -> sqlx::Result<()> {
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
    .await?;
    Ok(())
}

async fn refunded(tx: &mut PgConnection, back: &PaymentRefunded, at: DateTime<Utc>) -> sqlx::Result<()> {
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
    .await?;
    Ok(())
}

async fn transferred(tx: &mut PgConnection, done: &TransferCompleted, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO transfers (transfer_id, total_price, completed_at) VALUES ($1, $2, $3) \
         ON CONFLICT DO NOTHING",
    )
    .bind(done.transfer_id)
    .bind(done.total_price)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}

async fn joined(tx: &mut PgConnection, joined: &MembershipActivated, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO memberships (membership_id, user_id, activated_at) VALUES ($1, $2, $3) \
         ON CONFLICT DO NOTHING",
    )
    .bind(joined.membership_id)
    .bind(joined.user_id)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}

async fn changed(tx: &mut PgConnection, event: &EventChanged, at: DateTime<Utc>) -> sqlx::Result<()> {
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
    .await?;
    Ok(())
}

pub(crate) fn consume(ctx: &Ctx, pool: PgPool, redis: Redis) -> Task {
    let topics = [
        PAYMENT_EVENTS,
        RESERVATION_EVENTS,
        TRANSFER_EVENTS,
        MEMBERSHIP_EVENTS,
        CATALOG_EVENTS,
    ];
    let config = ConsumerConfig::new("stats", topics);
    consumer::consume(
        config,
        pool,
        redis,
        Arc::new(Projector),
        ctx.clock.clone(),
        ctx.shutdown.clone(),
    )
}
