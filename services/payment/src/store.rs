//! The only place that speaks to Postgres.
//!
//! Every change of state is one guarded `UPDATE .. WHERE status IN (..)`: the row lock it takes
//! makes two callers queue, and the condition makes the second one see that it is too late. `None`
//! always means "somebody else was first"; callers reload and answer from what they find.

mod owed;

pub(crate) use owed::{CLAIM_MAX, Debt};

use serde_json::Value;
use sqlx::PgPool;
use sqlx::types::Json;
use urr_core::time::Millis;
use urr_kit::events::{Envelope, PAYMENT_EVENTS, outbox};
use urr_kit::wire;
use uuid::Uuid;

use crate::outgoing;
use crate::payment::{Payment, Target};
use crate::provider::Exchange;

/// How long a claimed row is left alone by other replicas, and the pause between two looks at a
/// row whose provider or booking does not answer.
pub(crate) const CHECK_LEASE_MS: i64 = 15_000;

const COLUMNS: &str = "id, order_id, payment_type, reservation_id, reference_id, user_id, event_id, \
    amount, payment_key, method, status, attempt, confirming_since, fulfilled_at, toss_status, \
    toss_approved_at, toss_response, refund_reason, refund_refusals, created_at, updated_at";

/// The payments of this service.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
}

/// A payment to be prepared.
pub(crate) struct NewPayment<'a> {
    pub(crate) order_id: &'a str,
    pub(crate) target: Target,
    pub(crate) user_id: Uuid,
    pub(crate) event_id: Option<Uuid>,
    pub(crate) amount: i64,
    pub(crate) method: Option<&'a str>,
}

fn select(rest: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM payments {rest}"))
}

fn update(rest: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!(
        "UPDATE payments SET updated_at = $2, {rest} RETURNING {COLUMNS}"
    ))
}

impl Store {
    /// Over a pool of the `payment` schema.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The pool, for transactions that span the outbox.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) async fn by_order(&self, order_id: &str) -> sqlx::Result<Option<Payment>> {
        sqlx::query_as(select("WHERE order_id = $1"))
            .bind(order_id)
            .fetch_optional(&self.pool)
            .await
    }

    pub(crate) async fn by_key(&self, payment_key: &str) -> sqlx::Result<Option<Payment>> {
        sqlx::query_as(select("WHERE payment_key = $1"))
            .bind(payment_key)
            .fetch_optional(&self.pool)
            .await
    }

    /// The confirmed payment of `user` for a target.
    pub(crate) async fn paid(&self, target: Uuid, user: Uuid) -> sqlx::Result<Option<Payment>> {
        sqlx::query_as(select(
            "WHERE COALESCE(reservation_id, reference_id) = $1 AND user_id = $2 \
             AND status = 'confirmed'",
        ))
        .bind(target)
        .bind(user)
        .fetch_optional(&self.pool)
        .await
    }

    /// The live payment of a reservation, else the last one refunded.
    pub(crate) async fn by_reservation(&self, reservation: Uuid) -> sqlx::Result<Option<Payment>> {
        sqlx::query_as(select(
            "WHERE reservation_id = $1 ORDER BY (status = 'refunded'), created_at DESC LIMIT 1",
        ))
        .bind(reservation)
        .fetch_optional(&self.pool)
        .await
    }

    pub(crate) async fn of_user(
        &self,
        user: Uuid,
        limit: i64,
        offset: i64,
    ) -> sqlx::Result<(Vec<Payment>, i64)> {
        let rows = sqlx::query_as(select(
            "WHERE user_id = $1 ORDER BY created_at DESC, id LIMIT $2 OFFSET $3",
        ))
        .bind(user)
        .bind(limit)
        .bind(offset)
        .fetch_all(&self.pool)
        .await?;
        let total = sqlx::query_scalar("SELECT count(*) FROM payments WHERE user_id = $1")
            .bind(user)
            .fetch_one(&self.pool)
            .await?;
        Ok((rows, total))
    }

    /// Inserts a pending payment, or returns the live one for the same target and payer. Its amount
    /// follows the target's as long as nothing was charged. Asking again does not touch a payment under way:
    /// its age tells whether it is overdue.
    pub(crate) async fn prepare(&self, new: &NewPayment<'_>, now: Millis) -> sqlx::Result<Payment> {
        let reservation = matches!(new.target.kind, crate::PaymentType::Reservation);
        let statement = sqlx::AssertSqlSafe(format!(
            "INSERT INTO payments AS p (id, order_id, payment_type, reservation_id, reference_id, \
             user_id, event_id, amount, method, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) \
             ON CONFLICT (COALESCE(reservation_id, reference_id), user_id) WHERE status <> 'refunded' \
             DO UPDATE SET amount = CASE WHEN p.status IN ('pending', 'failed') \
                 THEN EXCLUDED.amount ELSE p.amount END, \
                 updated_at = CASE WHEN p.status IN ('pending', 'failed') \
                 THEN EXCLUDED.updated_at ELSE p.updated_at END \
             RETURNING {COLUMNS}"
        ));
        sqlx::query_as(statement)
            .bind(Uuid::new_v4())
            .bind(new.order_id)
            .bind(new.target.kind.as_str())
            .bind(reservation.then_some(new.target.id))
            .bind((!reservation).then_some(new.target.id))
            .bind(new.user_id)
            .bind(new.event_id)
            .bind(new.amount)
            .bind(new.method)
            .bind(wire::at(now))
            .fetch_one(&self.pool)
            .await
    }

    /// pending | failed -> confirming, with the key, before the provider hears of it. A unique
    /// violation means the key was used for another order. `guarded` is false only in the test that
    /// shows what the condition on the state is for.
    pub(crate) async fn begin_charge(
        &self,
        id: Uuid,
        payment_key: &str,
        recheck_at: Millis,
        guarded: bool,
        now: Millis,
    ) -> sqlx::Result<Option<Payment>> {
        sqlx::query_as(update(
            "status = 'confirming', payment_key = $3, attempt = attempt + 1, \
             confirming_since = $2, next_check_at = $4, failure_reason = NULL \
             WHERE id = $1 AND (status IN ('pending', 'failed') OR NOT $5)",
        ))
        .bind(id)
        .bind(wire::at(now))
        .bind(payment_key)
        .bind(wire::at(recheck_at))
        .bind(guarded)
        .fetch_optional(&self.pool)
        .await
    }

    /// confirming -> confirmed, with the event and the exchange that brought the approval, in one statement:
    /// the payer waits for it. `false` when somebody else recorded the charge first; the exchange is kept
    /// all the same.
    pub(crate) async fn record_charge(
        &self,
        charged: &Payment,
        event: &Envelope,
        exchange: Option<&Exchange>,
        now: Millis,
    ) -> sqlx::Result<bool> {
        let recorded: Option<Uuid> = sqlx::query_scalar(
            "WITH charged AS ( \
                 UPDATE payments SET updated_at = $2, status = 'confirmed', method = $4, toss_status = 'DONE', \
                     toss_approved_at = $5, toss_response = $6, paid_at = $2, next_check_at = $7 \
                 WHERE id = $1 AND status = 'confirming' AND attempt = $3 \
                 RETURNING id \
             ), told AS ( \
                 INSERT INTO outbox_events (id, topic, aggregate_type, aggregate_id, event_type, payload, created_at) \
                 SELECT $8, $9, $10, $11, $12, $13, $2 FROM charged \
             ), noted AS ( \
                 INSERT INTO payment_logs (payment_id, action, request_body, response_body, created_at) \
                 SELECT $1, $14, $15, $16, $2 WHERE $14 IS NOT NULL \
             ) \
             SELECT id FROM charged",
        )
        .bind(charged.id)
        .bind(wire::at(now))
        .bind(charged.attempt)
        .bind(charged.method_name())
        .bind(charged.toss_approved_at)
        .bind(&charged.toss_response)
        .bind(wire::at(now.plus_ms(CHECK_LEASE_MS)))
        .bind(event.event_id)
        .bind(PAYMENT_EVENTS)
        .bind(&event.aggregate_type)
        .bind(&event.aggregate_id)
        .bind(&event.kind)
        .bind(Json(event))
        .bind(exchange.map(|exchange| exchange.action))
        .bind(exchange.map(|exchange| &exchange.request))
        .bind(exchange.map(|exchange| &exchange.response))
        .fetch_optional(&self.pool)
        .await?;
        if recorded.is_some() {
            outbox::enqueued();
        }
        Ok(recorded.is_some())
    }

    /// confirming -> failed (declined; others hear of it) or pending (never sent).
    pub(crate) async fn abandon_charge(
        &self,
        payment: &Payment,
        reason: Option<&str>,
        now: Millis,
    ) -> sqlx::Result<Option<Payment>> {
        let mut tx = self.pool.begin().await?;
        let abandoned: Option<Payment> = sqlx::query_as(update(
            "status = CASE WHEN $4::text IS NULL THEN 'pending' ELSE 'failed' END, \
             failure_reason = $4, confirming_since = NULL, next_check_at = NULL \
             WHERE id = $1 AND status = 'confirming' AND attempt = $3",
        ))
        .bind(payment.id)
        .bind(wire::at(now))
        .bind(payment.attempt)
        .bind(reason)
        .fetch_optional(&mut *tx)
        .await?;
        if let (Some(payment), Some(reason)) = (&abandoned, reason) {
            let event =
                outgoing::failed(payment, reason, now).map_err(|error| sqlx::Error::Encode(error.into()))?;
            outbox::enqueue(&mut tx, PAYMENT_EVENTS, &event).await?;
        }
        tx.commit().await?;
        Ok(abandoned)
    }

    /// Notes that booking has acted on the payment; nothing is owed any more.
    pub(crate) async fn mark_fulfilled(&self, id: Uuid, now: Millis) -> sqlx::Result<()> {
        sqlx::query(
            "UPDATE payments SET updated_at = $2, fulfilled_at = COALESCE(fulfilled_at, $2), \
             next_check_at = NULL WHERE id = $1 AND status = 'confirmed'",
        )
        .bind(id)
        .bind(wire::at(now))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps one exchange with the provider.
    pub(crate) async fn log(&self, id: Uuid, exchange: &Exchange, now: Millis) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO payment_logs (payment_id, action, request_body, response_body, created_at) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id)
        .bind(exchange.action)
        .bind(&exchange.request as &Value)
        .bind(&exchange.response as &Value)
        .bind(wire::at(now))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
