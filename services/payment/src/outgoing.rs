//! What payment tells the others (C§13), keyed by order.

use std::sync::Arc;

use sqlx::PgPool;
use urr_core::time::Millis;
use urr_kit::events::{
    Envelope, PAYMENT_CONFIRMED, PAYMENT_FAILED, PAYMENT_REFUNDED, PaymentConfirmed, PaymentFailed,
    PaymentRefunded, RedisStreams, outbox,
};
use urr_kit::{BoxError, Ctx, Redis, Task};

use crate::payment::Payment;

/// The charge was made.
pub(crate) fn confirmed(payment: &Payment, now: Millis) -> Result<Envelope, BoxError> {
    let payload = PaymentConfirmed {
        payment_id: payment.id,
        order_id: payment.order_id.clone(),
        payment_key: payment.payment_key.clone(),
        user_id: payment.user_id,
        event_id: payment.event_id,
        reservation_id: payment.reservation_id,
        reference_id: payment.reference_id,
        payment_type: payment.payment_type.as_str().to_owned(),
        amount: payment.amount,
        payment_method: payment.method_name().to_owned(),
        approved_at: payment.toss_approved_at.map(|at| Millis(at.timestamp_millis())),
    };
    let event = Envelope::new(PAYMENT_CONFIRMED, "payment", &payment.order_id, now, &payload)?;
    Ok(event.by(payment.user_id))
}

/// The provider refused to charge. The order may be tried again.
pub(crate) fn failed(payment: &Payment, reason: &str, now: Millis) -> Result<Envelope, serde_json::Error> {
    let payload = PaymentFailed {
        payment_id: payment.id,
        order_id: payment.order_id.clone(),
        user_id: payment.user_id,
        reservation_id: payment.reservation_id,
        reference_id: payment.reference_id,
        payment_type: payment.payment_type.as_str().to_owned(),
        amount: payment.amount,
        reason: reason.to_owned(),
    };
    let event = Envelope::new(PAYMENT_FAILED, "payment", &payment.order_id, now, &payload)?;
    Ok(event.by(payment.user_id))
}

/// The charge was given back.
pub(crate) fn refunded(payment: &Payment, now: Millis) -> Result<Envelope, BoxError> {
    let payload = PaymentRefunded {
        payment_id: payment.id,
        order_id: payment.order_id.clone(),
        user_id: payment.user_id,
        reservation_id: payment.reservation_id,
        reference_id: payment.reference_id,
        payment_type: payment.payment_type.as_str().to_owned(),
        amount: payment.amount,
        reason: payment.refund_reason.clone().unwrap_or_default(),
    };
    let event = Envelope::new(PAYMENT_REFUNDED, "payment", &payment.order_id, now, &payload)?;
    Ok(event.by(payment.user_id))
}

/// The task that publishes the outbox.
pub(crate) fn relay(ctx: &Ctx, pool: PgPool, redis: Redis) -> Task {
    let bus = Arc::new(RedisStreams::new(redis));
    outbox::relay(pool, bus, ctx.clock.clone(), ctx.shutdown.clone())
}
