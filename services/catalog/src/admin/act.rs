//! An admin's write under way.

use crate::event::Event;
use crate::{App, outgoing, store::Store};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{Postgres, Transaction};
use urr_kit::{ApiResult, identity::Identity, wire};
use uuid::Uuid;

/// What it changes, what others are told of it and what the audit says of it commit together (R-ADM-02), and after that
/// no answer from before is given any more.
pub(crate) struct Act {
    app: App,
    admin: Uuid,
    pub(crate) now: DateTime<Utc>,
    pub(crate) tx: Transaction<'static, Postgres>,
}

impl Act {
    pub(crate) async fn begin(app: &App, admin: &Identity) -> ApiResult<Self> {
        Ok(Self {
            app: App::clone(app),
            admin: admin.user_id,
            now: wire::at(app.clock.now()),
            tx: app.store.begin().await?,
        })
    }

    /// Tells the others what an event is now.
    pub(crate) async fn tell(&mut self, event: &Event) -> ApiResult<()> {
        outgoing::event_changed(&mut self.tx, event, self.admin, self.now).await
    }

    /// Makes it so: `target` had `action` done to it.
    pub(crate) async fn commit(
        mut self,
        action: &'static str,
        target: Uuid,
        detail: &Value,
    ) -> ApiResult<()> {
        Store::audit(&mut self.tx, self.admin, action, target, detail, self.now).await?;
        self.tx.commit().await?;
        self.app.forget();
        Ok(())
    }
}
