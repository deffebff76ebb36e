//! Events become messages to be sent.

use crate::template;
use futures::future::BoxFuture;
use sqlx::PgConnection;
use urr_kit::{
    clock::SharedClock,
    events::{Envelope, HandleError, Handler},
    wire,
};
use uuid::Uuid;

pub(crate) struct Incoming {
    pub(crate) channel: &'static str,
    pub(crate) clock: SharedClock,
}

impl Handler for Incoming {
    fn handle<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        event: &'a Envelope,
    ) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(async move {
            let Some(draft) = template::draft(event)? else {
                return Ok(());
            };
            sqlx::query(
                "INSERT INTO notifications (id, event_id, user_id, channel, template, title, body, next_try_at, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT (event_id, channel) DO NOTHING",
            )
            .bind(Uuid::new_v4())
            .bind(event.event_id)
            .bind(draft.user)
            .bind(self.channel)
            .bind(draft.template)
            .bind(draft.title)
            .bind(draft.body)
            .bind(wire::at(self.clock.now()))
            .execute(tx)
            .await?;
            Ok(())
        })
    }
}
