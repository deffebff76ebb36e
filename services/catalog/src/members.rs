//! How many members an artist has: booking's terms of membership, heard by event, counted when somebody asks.
//!
//! Nothing is added up here, so the number cannot drift: a term is a row, told twice it is the same row, and it ends by
//! the clock or by its refund.

use chrono::{DateTime, Months, Utc};
use futures::future::BoxFuture;
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use urr_kit::{
    Ctx, Redis, Task,
    events::{
        ConsumerConfig, Envelope, HandleError, Handler, MEMBERSHIP_ACTIVATED, MEMBERSHIP_ENDED,
        MEMBERSHIP_EVENTS, MembershipActivated, MembershipEnded, consume,
    },
    wire,
};

/// Of a term that was told before events said when it ends (api-contract.md section 9).
const TERM: Months = Months::new(12);

struct Listener;

impl Handler for Listener {
    fn handle<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        event: &'a Envelope,
    ) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(async move {
            let at = wire::at(event.time);
            match event.kind.as_str() {
                MEMBERSHIP_ACTIVATED => joined(tx, &event.decode()?, at).await?,
                MEMBERSHIP_ENDED => left(tx, &event.decode()?, at).await?,
                _ => {}
            }
            Ok(())
        })
    }

    fn wants(&self, kind: &str) -> bool {
        matches!(kind, MEMBERSHIP_ACTIVATED | MEMBERSHIP_ENDED)
    }
}

async fn joined(tx: &mut PgConnection, joined: &MembershipActivated, at: DateTime<Utc>) -> sqlx::Result<()> {
    let Some(artist) = joined.artist_id else {
        return Ok(());
    };
    let ends = joined
        .expires_at
        .map(wire::at)
        .or_else(|| at.checked_add_months(TERM));
    sqlx::query(
        "INSERT INTO artist_members AS m (membership_id, artist_id, user_id, expires_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (membership_id) DO UPDATE SET expires_at = excluded.expires_at
         WHERE m.expires_at IS NULL OR $5",
    )
    .bind(joined.membership_id)
    .bind(artist)
    .bind(joined.user_id)
    .bind(ends)
    // What the event says is better than what we thought.
    .bind(joined.expires_at.is_some())
    .execute(tx)
    .await
    .map(drop)
}

async fn left(tx: &mut PgConnection, left: &MembershipEnded, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO artist_members (membership_id, artist_id, user_id, ended_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (membership_id) DO UPDATE SET ended_at = excluded.ended_at",
    )
    .bind(left.membership_id)
    .bind(left.artist_id)
    .bind(left.user_id)
    .bind(at)
    .execute(tx)
    .await
    .map(drop)
}

pub(crate) fn listen(ctx: &Ctx, pool: PgPool, redis: Redis) -> Task {
    consume(
        ConsumerConfig::new("catalog", [MEMBERSHIP_EVENTS]),
        pool,
        redis,
        Arc::new(Listener),
        ctx.clock.clone(),
        ctx.shutdown.clone(),
    )
}
