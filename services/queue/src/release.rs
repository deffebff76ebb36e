//! A slot comes back when its user has paid (R-QUE-05): payment's events free it, without waiting
//! for the client to leave or to fall silent.
//!
//! Only the slot in which it was paid is freed: the script compares the time of the event with the
//! admission, so an event that comes twice, or an hour late, takes nobody's second slot. Losing
//! an event costs at most the silence of a visitor who is done. Therefore this is the one task
//! of the queue that needs Postgres (where the kit remembers processed events), and the line works
//! without it.

use crate::store::{Act, Store, StoreError};
use futures::future::BoxFuture;
use sqlx::{PgConnection, migrate::Migrator};
use std::{sync::Arc, time::Duration};
use urr_kit::{
    Ctx, Task,
    error::chain,
    events::{
        ConsumerConfig, Envelope, HandleError, Handler, PAYMENT_CONFIRMED, PAYMENT_EVENTS, PaymentConfirmed,
        consume,
    },
};

/// The kit's own tables are all there is.
static MIGRATOR: Migrator = Migrator::DEFAULT;

/// How soon Postgres is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// The task that frees the slots of who has paid.
pub(crate) fn task(ctx: &Ctx, store: Arc<Store>) -> Task {
    let ctx = ctx.clone();
    Task::new("queue-release", async move {
        let mut failing = false;
        let pool = loop {
            match ctx.postgres("queue", &MIGRATOR).await {
                Ok(pool) => break pool,
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(error = chain(&error), "payments do not free slots; silence does");
                }
                Err(_) => {}
            }
            let ended = tokio::time::timeout(RETRY, ctx.shutdown.cancelled()).await;
            if ended.is_ok() {
                return Ok(());
            }
        };
        let redis = ctx.redis().await?;
        let config = ConsumerConfig::new("queue", [PAYMENT_EVENTS]);
        let handler = Arc::new(Releases {
            store,
            clock: ctx.clock.clone(),
        });
        consume(
            config,
            pool,
            redis,
            handler,
            ctx.clock.clone(),
            ctx.shutdown.clone(),
        )
        .future
        .await
    })
}

/// Frees slots.
pub(crate) struct Releases {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: urr_kit::SharedClock,
}

impl Releases {
    async fn paid(&self, event: &Envelope) -> Result<(), HandleError> {
        let paid: PaymentConfirmed = event.decode()?;
        // Transfers and memberships are paid by people who stand in no line.
        let Some(sale) = paid.event_id.filter(|_| paid.payment_type == "reservation") else {
            return Ok(());
        };
        let act = Act::Release(paid.user_id, event.time);
        let released = self.store.act(sale, act, self.clock.now()).await;
        released.map(drop).map_err(|error| match error {
            StoreError::Answer(_) => HandleError::Invalid(chain(&error)),
            away => HandleError::Transient(away.into()),
        })
    }
}

impl Handler for Releases {
    fn handle<'a>(
        &'a self,
        _tx: &'a mut PgConnection,
        event: &'a Envelope,
    ) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(self.paid(event))
    }

    fn wants(&self, kind: &str) -> bool {
        kind == PAYMENT_CONFIRMED
    }
}
