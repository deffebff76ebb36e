//! What catalog asks of booking: seats, layouts, ticket types, cancellations.

use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use urr_kit::{
    ApiError,
    events::EventChanged,
    internal::{InternalClient, InternalError},
};
use uuid::Uuid;

pub(crate) struct Booking {
    client: InternalClient,
    base: String,
}

/// Booking said no, or nothing.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Refused(#[from] InternalError);

impl From<Refused> for ApiError {
    /// The caller hears booking's reason if it is his to mend, else that it is away.
    fn from(Refused(error): Refused) -> Self {
        match &error {
            InternalError::Status { status, message, .. }
                if status.is_client_error()
                    && *status != StatusCode::UNAUTHORIZED
                    && *status != StatusCode::FORBIDDEN =>
            {
                let message = message.clone();
                Self::with_status(*status, message).with_source(error)
            }
            // It was never called.
            InternalError::Resting { .. } | InternalError::Unreachable { connected: false, .. } => {
                Self::unavailable("Booking is not available. Nothing was changed; please retry.")
                    .with_source(error)
            }
            _ => Self::unavailable(
                "Booking gave no answer. It may have done what was asked; please look before you retry.",
            )
            .with_source(error),
        }
    }
}

/// A ticket type as an admin writes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewTicketType {
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) price: Option<i64>,
    pub(crate) total_quantity: Option<i64>,
    pub(crate) description: Option<String>,
}

#[derive(Deserialize)]
struct Layouts {
    layouts: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TicketTypes {
    ticket_types: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TicketType {
    ticket_type: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    seats_created: u64,
}

#[derive(Deserialize)]
struct Deleted {
    deleted: u64,
}

#[derive(Deserialize)]
struct Counted {
    count: u64,
}

/// The figures of the dashboard that are booking's.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReservationStats {
    pub(crate) total_reservations: i64,
    pub(crate) total_revenue: i64,
    pub(crate) today_reservations: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled {
    cancelled_count: u64,
}

impl Booking {
    pub(crate) fn new(client: InternalClient, base: &str) -> Self {
        Self {
            client,
            base: base.trim_end_matches('/').to_owned(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/internal/{path}", self.base)
    }

    /// Makes the event's seats from a layout and hands over booking's copy of the event.
    pub(crate) async fn generate_seats(&self, layout: Uuid, event: &EventChanged) -> Result<u64, Refused> {
        let url = self.url(&format!("seats/generate/{}/{layout}", event.event_id));
        let created: Created = self.client.post_json(&url, event).await?;
        Ok(created.seats_created)
    }

    pub(crate) async fn count_seats(&self, event: Uuid) -> Result<u64, Refused> {
        let counted: Counted = self
            .client
            .get_json(&self.url(&format!("seats/count/{event}")))
            .await?;
        Ok(counted.count)
    }

    pub(crate) async fn delete_seats(&self, event: Uuid) -> Result<u64, Refused> {
        let deleted: Deleted = self
            .client
            .send(Method::DELETE, &self.url(&format!("seats/{event}")), None::<&()>)
            .await?;
        Ok(deleted.deleted)
    }

    pub(crate) async fn layouts(&self) -> Result<Vec<Value>, Refused> {
        let found: Layouts = self.client.get_json(&self.url("seat-layouts")).await?;
        Ok(found.layouts)
    }

    pub(crate) async fn ticket_types(&self, event: Uuid) -> Result<Vec<Value>, Refused> {
        let found: TicketTypes = self
            .client
            .get_json(&self.url(&format!("ticket-types?eventId={event}")))
            .await?;
        Ok(found.ticket_types)
    }

    pub(crate) async fn create_ticket_type(
        &self,
        event: Uuid,
        new: &NewTicketType,
    ) -> Result<Value, Refused> {
        let body = json!({
            "eventId": event,
            "name": new.name,
            "price": new.price,
            "totalQuantity": new.total_quantity,
            "description": new.description,
        });
        let made: TicketType = self.client.post_json(&self.url("ticket-types"), &body).await?;
        Ok(made.ticket_type)
    }

    pub(crate) async fn change_ticket_type(&self, id: Uuid, new: &NewTicketType) -> Result<Value, Refused> {
        let made: TicketType = self
            .client
            .put_json(&self.url(&format!("ticket-types/{id}")), new)
            .await?;
        Ok(made.ticket_type)
    }

    /// Has booking give back every reservation of an event, paid ones with a refund. Answers how many there are.
    pub(crate) async fn cancel_reservations(&self, event: Uuid) -> Result<u64, Refused> {
        let url = self.url(&format!("admin/reservations/cancel-by-event/{event}"));
        let cancelled: Cancelled = self.client.post_json(&url, &json!({})).await?;
        Ok(cancelled.cancelled_count)
    }

    /// How many reservations of seats stand, pending or confirmed.
    pub(crate) async fn active_seat_reservations(&self, event: Uuid) -> Result<u64, Refused> {
        let url = self.url(&format!("admin/active-seat-reservation-count?eventId={event}"));
        let counted: Counted = self.client.get_json(&url).await?;
        Ok(counted.count)
    }

    pub(crate) async fn reservation_stats(&self) -> Result<ReservationStats, Refused> {
        Ok(self.client.get_json(&self.url("admin/reservation-stats")).await?)
    }

    /// The newest reservations, as booking spells them: `{reservations: [...]}`.
    pub(crate) async fn recent_reservations(&self) -> Result<Value, Refused> {
        Ok(self
            .client
            .get_json(&self.url("admin/recent-reservations"))
            .await?)
    }

    /// Asks booking to bring a reservation into a status: `{message, reservation}`.
    pub(crate) async fn set_status(&self, id: Uuid, wanted: &Value) -> Result<Value, Refused> {
        let url = self.url(&format!("admin/reservations/{id}/status"));
        Ok(self.client.send(Method::PATCH, &url, Some(wanted)).await?)
    }

    /// A page of all reservations, as booking spells it: `{reservations, pagination}`.
    pub(crate) async fn reservations(&self, query: &str) -> Result<Value, Refused> {
        let url = self.url(&format!("admin/reservations?{query}"));
        Ok(self.client.get_json(&url).await?)
    }
}
