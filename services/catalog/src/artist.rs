//! An artist as stored and as shown.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::FromRow;
use urr_kit::wire;
use uuid::Uuid;

/// A row of `artists`, with the number of his events.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Artist {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) image_url: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) membership_price: i64,
    pub(crate) member_count: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) event_count: i64,
}

impl Artist {
    pub(crate) fn listed(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "image_url": self.image_url,
            "description": self.description,
            "membership_price": self.membership_price,
            "created_at": wire::text(self.created_at),
            "event_count": self.event_count,
            "member_count": self.member_count,
        })
    }

    pub(crate) fn row(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "image_url": self.image_url,
            "description": self.description,
            "membership_price": self.membership_price,
            "created_at": wire::text(self.created_at),
            "updated_at": wire::text(self.updated_at),
        })
    }
}
