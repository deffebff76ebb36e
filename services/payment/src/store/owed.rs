//! What is owed: refunds that were decided, and the two queues of the recovery task.

use super::{CHECK_LEASE_MS, COLUMNS, Store, update};
use crate::payment::Payment;
use sqlx::PgConnection;
use urr_core::time::Millis;
use urr_kit::wire;
use uuid::Uuid;

/// Rows the recovery task takes of one queue at once: at the provider's 80 ms and eight at a time this is
/// half a second of work, well inside [`CHECK_LEASE_MS`].
pub(crate) const CLAIM_MAX: usize = 50;
/// The longest pause between two requests for a refund that the provider refuses.
const REFUSED_PAUSE_MAX_MS: i64 = 3_600_000;

/// What is owed: one queue each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Debt {
    /// Charges whose outcome or whose ticket is not known yet.
    Tickets,
    /// Money that goes back.
    Refunds,
}

impl Store {
    /// confirmed (or, for a charge of the wrong amount, confirming) -> refunding.
    pub(crate) async fn decide_refund(
        &self,
        id: Uuid,
        reason: &str,
        now: Millis,
    ) -> sqlx::Result<Option<Payment>> {
        sqlx::query_as(update(
            "status = 'refunding', refund_reason = $3, next_check_at = $4 \
             WHERE id = $1 AND status IN ('confirmed', 'confirming')",
        ))
        .bind(id)
        .bind(wire::at(now))
        .bind(reason)
        .bind(wire::at(now.plus_ms(CHECK_LEASE_MS)))
        .fetch_optional(&self.pool)
        .await
    }

    /// Decides the refund of a paid reservation in the consumer's transaction; the recovery task
    /// carries it out at its next look. True when there was something to refund.
    pub(crate) async fn decide_refund_of_reservation(
        tx: &mut PgConnection,
        reservation: Uuid,
        reason: &str,
        now: Millis,
    ) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "UPDATE payments SET updated_at = $2, status = 'refunding', refund_reason = $3, \
             next_check_at = $2 WHERE reservation_id = $1 AND status = 'confirmed'",
        )
        .bind(reservation)
        .bind(wire::at(now))
        .bind(reason)
        .execute(tx)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// The same for a payment that bought nothing.
    pub(crate) async fn decide_refund_of_payment(
        tx: &mut PgConnection,
        id: Uuid,
        reason: &str,
        now: Millis,
    ) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "UPDATE payments SET updated_at = $2, status = 'refunding', refund_reason = $3, \
             next_check_at = $2 WHERE id = $1 AND status = 'confirmed'",
        )
        .bind(id)
        .bind(wire::at(now))
        .bind(reason)
        .execute(tx)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// The same for what `user` paid for a transfer.
    pub(crate) async fn decide_refund_of_transfer(
        tx: &mut PgConnection,
        transfer: Uuid,
        user: Uuid,
        reason: &str,
        now: Millis,
    ) -> sqlx::Result<bool> {
        // By the index of live payments, whose expression this is.
        let done = sqlx::query(
            "UPDATE payments SET updated_at = $2, status = 'refunding', refund_reason = $4, next_check_at = $2 \
             WHERE COALESCE(reservation_id, reference_id) = $1 AND user_id = $3 \
               AND payment_type = 'transfer' AND status = 'confirmed'",
        )
        .bind(transfer)
        .bind(wire::at(now))
        .bind(user)
        .bind(reason)
        .execute(tx)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// refunding -> refunded, in the caller's transaction (the event goes with it).
    pub(crate) async fn record_refund(
        tx: &mut PgConnection,
        id: Uuid,
        now: Millis,
    ) -> sqlx::Result<Option<Payment>> {
        sqlx::query_as(update(
            "status = 'refunded', toss_status = 'CANCELED', refunded_at = $2, \
             next_check_at = NULL WHERE id = $1 AND status = 'refunding'",
        ))
        .bind(id)
        .bind(wire::at(now))
        .fetch_optional(tx)
        .await
    }

    /// After the provider's no: the next request is another one, a quarter of a minute later, then half a minute,
    /// up to an hour. Not an update of the payment: how long it is owed stays to be seen.
    pub(crate) async fn put_off_refund(&self, payment: &Payment, now: Millis) -> sqlx::Result<()> {
        let doubled = CHECK_LEASE_MS << payment.refund_refusals.clamp(0, 16);
        sqlx::query(
            "UPDATE payments SET refund_refusals = refund_refusals + 1, next_check_at = $2 \
             WHERE id = $1 AND status = 'refunding' AND refund_refusals = $3",
        )
        .bind(payment.id)
        .bind(wire::at(now.plus_ms(doubled.min(REFUSED_PAUSE_MAX_MS))))
        .bind(payment.refund_refusals)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Takes rows of a queue that are due and leases them; other replicas skip them meanwhile.
    pub(crate) async fn claim_owed(&self, debt: Debt, now: Millis) -> sqlx::Result<Vec<Payment>> {
        let statement = sqlx::AssertSqlSafe(format!(
            "UPDATE payments SET next_check_at = $2 WHERE id IN ( \
                 SELECT id FROM payments WHERE (status = 'refunding') = $4 AND next_check_at <= $1 \
                 ORDER BY next_check_at LIMIT $3 FOR UPDATE SKIP LOCKED) \
             RETURNING {COLUMNS}"
        ));
        sqlx::query_as(statement)
            .bind(wire::at(now))
            .bind(wire::at(now.plus_ms(CHECK_LEASE_MS)))
            .bind(i64::try_from(CLAIM_MAX).unwrap_or(i64::MAX))
            .bind(debt == Debt::Refunds)
            .fetch_all(&self.pool)
            .await
    }

    /// How many payments owe something and have not moved since `before`.
    pub(crate) async fn owed_since(&self, before: Millis) -> sqlx::Result<i64> {
        sqlx::query_scalar(
            "SELECT count(*) FROM payments WHERE next_check_at IS NOT NULL AND updated_at < $1",
        )
        .bind(wire::at(before))
        .fetch_one(&self.pool)
        .await
    }
}
