//! A service that tells and hears of events, and what it did about them.

use futures::future::BoxFuture;
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use urr_kit::events::bus::Message;
use urr_kit::events::{
    ConsumerConfig, Envelope, EventBus as _, HandleError, Handler, PAYMENT_EVENTS, RedisStreams, consume,
    dlq, outbox,
};
use urr_kit::{Ctx, Redis};
use uuid::Uuid;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./tests/migrations");
/// How long anything may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Counts each event it sees in the table `effects`; fails as told.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) calls: AtomicU32,
    pub(crate) fail_first: u32,
}

impl Handler for Counts {
    fn wants(&self, kind: &str) -> bool {
        kind != "OTHERS"
    }

    fn handle<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        event: &'a Envelope,
    ) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(async move {
            let call = self.calls.fetch_add(1, Ordering::SeqCst);
            sqlx::query("INSERT INTO effects (event_id) VALUES ($1)")
                .bind(event.event_id)
                .execute(tx)
                .await?;
            if event.kind == "POISON" {
                return Err(HandleError::Invalid("poison".to_owned()));
            }
            // After the effect: the transaction must take it back.
            if call < self.fail_first {
                return Err(HandleError::Transient("not yet".into()));
            }
            Ok(())
        })
    }
}

pub(crate) fn event(ctx: &Ctx, kind: &str) -> Envelope {
    Envelope::new(
        kind,
        "payment",
        Uuid::new_v4(),
        ctx.clock.now(),
        &json!({"amount": 1}),
    )
    .unwrap()
}

pub(crate) fn patient() -> ConsumerConfig {
    ConsumerConfig {
        backoff: vec![Duration::ZERO; 3],
        claim_after: Duration::from_millis(200),
        ..ConsumerConfig::new("test", [PAYMENT_EVENTS])
    }
}

pub(crate) struct World {
    pub(crate) ctx: Ctx,
    pub(crate) pool: PgPool,
    pub(crate) redis: Redis,
}

impl World {
    pub(crate) async fn new(ctx: Ctx) -> Self {
        let pool = ctx.postgres("events", &MIGRATOR).await.unwrap();
        let redis = ctx.redis().await.unwrap();
        Self { ctx, pool, redis }
    }

    pub(crate) fn bus(&self) -> RedisStreams {
        RedisStreams::new(self.redis.clone())
    }

    pub(crate) fn relay(&self, shutdown: &CancellationToken) -> urr_kit::Task {
        let (bus, clock) = (Arc::new(self.bus()), self.ctx.clock.clone());
        outbox::relay(self.pool.clone(), bus, clock, shutdown.clone())
    }

    pub(crate) fn consumer(&self, handler: &Arc<Counts>, shutdown: &CancellationToken) -> urr_kit::Task {
        let handler = Arc::clone(handler) as Arc<dyn Handler>;
        let (pool, redis) = (self.pool.clone(), self.redis.clone());
        consume(
            patient(),
            pool,
            redis,
            handler,
            self.ctx.clock.clone(),
            shutdown.clone(),
        )
    }

    pub(crate) async fn enqueue(&self, events: &[Envelope]) {
        let mut tx = self.pool.begin().await.unwrap();
        for event in events {
            outbox::enqueue(&mut tx, PAYMENT_EVENTS, event).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    pub(crate) async fn publish(&self, event: &Envelope) {
        let message = Message::new(PAYMENT_EVENTS, event).unwrap();
        self.bus()
            .publish(&[message])
            .await
            .unwrap()
            .pop()
            .unwrap()
            .unwrap();
    }

    pub(crate) async fn effects(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM effects")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    pub(crate) async fn letters(&self) -> Vec<dlq::Letter> {
        dlq::list(&self.redis, PAYMENT_EVENTS, 100).await.unwrap()
    }

    /// Entries of the topic's stream that were not finished by the group.
    pub(crate) async fn pending(&self) -> usize {
        let key = self.redis.key(&format!("{{events}}:{PAYMENT_EVENTS}"));
        let reply: redis::streams::StreamPendingReply = redis::cmd("XPENDING")
            .arg((key, "test"))
            .query_async(&mut self.redis.conn())
            .await
            .unwrap();
        reply.count()
    }
}
