//! What catalog tells the others: an event was created or changed.

use crate::event::Event;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use urr_core::time::Millis;
use urr_kit::{
    ApiError, ApiResult,
    events::{CATALOG_EVENTS, EVENT_CHANGED, Envelope, outbox},
};
use uuid::Uuid;

/// Puts the change into the outbox, in the transaction that makes it.
pub(crate) async fn event_changed(
    tx: &mut PgConnection,
    event: &Event,
    admin: Uuid,
    now: DateTime<Utc>,
) -> ApiResult<()> {
    let at = Millis(now.timestamp_millis());
    let envelope = Envelope::new(EVENT_CHANGED, "event", event.id, at, &event.changed(now))
        .map_err(ApiError::internal)?
        .by(admin);
    outbox::enqueue(tx, CATALOG_EVENTS, &envelope)
        .await
        .map_err(ApiError::from)?;
    Ok(())
}
