//! Which event means which row. What an event says is written by [`crate::projection`].

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::{PgConnection, PgPool};
use urr_kit::events::{
    ACCOUNT_EVENTS, ACCOUNT_OPENED, CATALOG_EVENTS, ConsumerConfig, EVENT_CHANGED, Envelope, HandleError,
    Handler, MEMBERSHIP_ACTIVATED, MEMBERSHIP_ENDED, MEMBERSHIP_EVENTS, PAYMENT_CONFIRMED, PAYMENT_EVENTS,
    PAYMENT_FAILED, PAYMENT_REFUNDED, RESERVATION_CANCELLED, RESERVATION_CONFIRMED, RESERVATION_CREATED,
    RESERVATION_EVENTS, ReservationCancelled, ReservationConfirmed, ReservationCreated, SEATING_CHANGED,
    TRANSFER_COMPLETED, TRANSFER_EVENTS, consumer,
};
use urr_kit::{Ctx, Redis, Task, wire};

use crate::projection::{self, Reservation};

struct Projector;

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
                    projection::reservation(tx, &Reservation::made(&made), at).await?;
                }
                RESERVATION_CONFIRMED => {
                    let sold: ReservationConfirmed = event.decode()?;
                    projection::reservation(tx, &Reservation::sold(sold), at).await?;
                }
                RESERVATION_CANCELLED => {
                    let gone: ReservationCancelled = event.decode()?;
                    projection::reservation(tx, &Reservation::gone(gone), at).await?;
                }
                PAYMENT_CONFIRMED => projection::paid(tx, &event.decode()?, at).await?,
                PAYMENT_FAILED => projection::refused(tx, event.event_id, &event.decode()?, at).await?,
                PAYMENT_REFUNDED => projection::refunded(tx, &event.decode()?, at).await?,
                TRANSFER_COMPLETED => projection::transferred(tx, &event.decode()?, at).await?,
                MEMBERSHIP_ACTIVATED => projection::joined(tx, &event.decode()?, at).await?,
                MEMBERSHIP_ENDED => projection::left(tx, &event.decode()?, at).await?,
                EVENT_CHANGED => projection::changed(tx, &event.decode()?, at).await?,
                SEATING_CHANGED => projection::seated(tx, event.decode()?, at).await?,
                ACCOUNT_OPENED => projection::opened(tx, &event.decode()?, at).await?,
                _ => {}
            }
            Ok(())
        })
    }
}

pub(crate) fn consume(ctx: &Ctx, pool: PgPool, redis: Redis) -> Task {
    let topics = [
        PAYMENT_EVENTS,
        RESERVATION_EVENTS,
        TRANSFER_EVENTS,
        MEMBERSHIP_EVENTS,
        CATALOG_EVENTS,
        ACCOUNT_EVENTS,
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
