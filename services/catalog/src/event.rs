//! An event as stored and as shown.

use crate::status::derived;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::FromRow;
use urr_core::presale::{Presale, Tier};
use urr_core::time::Millis;
use urr_kit::{events::EventChanged, wire};
use uuid::Uuid;

/// A row of `events`.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Event {
    pub(crate) id: Uuid,
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) venue: String,
    pub(crate) address: Option<String>,
    pub(crate) event_date: DateTime<Utc>,
    pub(crate) sale_start_date: Option<DateTime<Utc>>,
    pub(crate) sale_end_date: Option<DateTime<Utc>>,
    pub(crate) poster_image_url: Option<String>,
    pub(crate) status: String,
    pub(crate) seat_layout_id: Option<Uuid>,
    pub(crate) artist_name: Option<String>,
    pub(crate) artist_id: Option<Uuid>,
    pub(crate) pre_scaled: bool,
    pub(crate) ticket_type_count: i64,
    pub(crate) min_price: Option<i64>,
    pub(crate) max_price: Option<i64>,
    pub(crate) created_by: Option<Uuid>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

impl Event {
    pub(crate) fn status_at(&self, now: DateTime<Utc>) -> &'static str {
        derived(
            &self.status,
            self.sale_start_date,
            self.sale_end_date,
            self.event_date,
            now,
        )
    }

    /// The row of a list (api-contract.md section 8).
    pub(crate) fn listed(&self, now: DateTime<Utc>) -> Value {
        json!({
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "venue": self.venue,
            "address": self.address,
            "event_date": wire::text(self.event_date),
            "sale_start_date": self.sale_start_date.map(wire::text),
            "sale_end_date": self.sale_end_date.map(wire::text),
            "poster_image_url": self.poster_image_url,
            "status": self.status_at(now),
            "artist_name": self.artist_name,
            "ticket_type_count": self.ticket_type_count,
            "min_price": self.min_price,
            "max_price": self.max_price,
        })
    }

    /// The whole row.
    pub(crate) fn row(&self, now: DateTime<Utc>) -> Value {
        let mut row = self.listed(now);
        let rest = json!({
            "seat_layout_id": self.seat_layout_id,
            "artist_id": self.artist_id,
            "pre_scaled": self.pre_scaled,
            "created_by": self.created_by,
            "created_at": wire::text(self.created_at),
            "updated_at": wire::text(self.updated_at),
        });
        if let (Some(row), Value::Object(rest)) = (row.as_object_mut(), rest) {
            row.extend(rest);
        }
        row
    }

    /// When each tier may buy (R-MEM-04), as booking enforces it: none where the sale is too short for it.
    pub(crate) fn presale(&self) -> Option<Value> {
        self.artist_id?;
        let presale = Presale::of_sale(millis(self.sale_start_date?), self.sale_end_date.map(millis))?;
        let opens = |tier| wire::text(wire::at(presale.opens_at(tier)));
        Some(json!({
            "diamond": opens(Tier::Diamond), "gold": opens(Tier::Gold),
            "silver": opens(Tier::Silver), "bronze": opens(Tier::Bronze),
        }))
    }

    /// What others keep a copy of.
    pub(crate) fn changed(&self, now: DateTime<Utc>) -> EventChanged {
        EventChanged {
            event_id: self.id,
            title: self.title.clone(),
            venue: self.venue.clone(),
            address: self.address.clone(),
            event_date: millis(self.event_date),
            sale_start_date: self.sale_start_date.map(millis),
            sale_end_date: self.sale_end_date.map(millis),
            status: self.status_at(now).to_owned(),
            artist_id: self.artist_id,
            artist_name: self.artist_name.clone(),
            seat_layout_id: self.seat_layout_id,
            poster_image_url: self.poster_image_url.clone(),
        }
    }
}

fn millis(instant: DateTime<Utc>) -> Millis {
    Millis(instant.timestamp_millis())
}
