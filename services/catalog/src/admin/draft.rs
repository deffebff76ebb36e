//! An admin's event as it comes in, and what has to be true of it.

use crate::{booking::NewTicketType, store::EventDraft};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use urr_kit::{ApiError, ApiResult};
use uuid::Uuid;

/// One event has no more kinds of tickets than a person can choose from.
const TICKET_TYPES_MAX: usize = 100;

/// The body of create and update (api-contract.md section 8). `status` is ignored: it follows the
/// sale window.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    title: Option<String>,
    venue: Option<String>,
    event_date: Option<DateTime<Utc>>,
    sale_start_date: Option<DateTime<Utc>>,
    sale_end_date: Option<DateTime<Utc>>,
    description: Option<String>,
    address: Option<String>,
    poster_image_url: Option<String>,
    artist_name: Option<String>,
    pub(super) seat_layout_id: Option<Uuid>,
    #[serde(default)]
    pub(super) ticket_types: Vec<NewTicketType>,
}

impl Body {
    /// The event this describes.
    ///
    /// # Errors
    /// 400 naming the first field that is wrong and what to write instead.
    pub(super) fn draft(&self) -> ApiResult<EventDraft> {
        let sale_start_date = required("saleStartDate", self.sale_start_date)?;
        let sale_end_date = required("saleEndDate", self.sale_end_date)?;
        if sale_end_date < sale_start_date {
            return Err(ApiError::bad_request(
                "saleEndDate must not be before saleStartDate",
            ));
        }
        Ok(EventDraft {
            title: text("title", self.title.as_deref().unwrap_or_default(), 255)?,
            venue: text("venue", self.venue.as_deref().unwrap_or_default(), 255)?,
            event_date: required("eventDate", self.event_date)?,
            sale_start_date,
            sale_end_date,
            description: optional("description", self.description.as_deref(), 20_000)?,
            address: optional("address", self.address.as_deref(), 500)?,
            poster_image_url: optional("posterImageUrl", self.poster_image_url.as_deref(), 2_000)?,
            artist_name: optional("artistName", self.artist_name.as_deref(), 255)?,
        })
    }

    /// The ticket types, checked.
    ///
    /// # Errors
    /// 400 naming the field.
    pub(super) fn checked_ticket_types(&self) -> ApiResult<&[NewTicketType]> {
        if self.ticket_types.len() > TICKET_TYPES_MAX {
            return Err(ApiError::bad_request(format!(
                "ticketTypes: at most {TICKET_TYPES_MAX}"
            )));
        }
        for kind in &self.ticket_types {
            check_ticket_type(kind)?;
        }
        Ok(&self.ticket_types)
    }
}

/// # Errors
/// 400 naming the field.
pub(super) fn check_ticket_type(kind: &NewTicketType) -> ApiResult<()> {
    text("name", &kind.name, 100)?;
    match kind.price {
        Some(0..) => {}
        _ => return Err(ApiError::bad_request("price must be 0 or more KRW")),
    }
    match kind.total_quantity {
        Some(1..) => Ok(()),
        _ => Err(ApiError::bad_request("totalQuantity must be 1 or more")),
    }
}

fn required<T>(field: &str, value: Option<T>) -> ApiResult<T> {
    value.ok_or_else(|| ApiError::bad_request(format!("{field} must not be null")))
}

fn text(field: &str, value: &str, chars_max: usize) -> ApiResult<String> {
    let value = value.trim();
    if value.is_empty() {
        return Err(ApiError::bad_request(format!("{field} must not be blank")));
    }
    if value.contains('\0') {
        return Err(ApiError::bad_request(format!(
            "{field} contains a NUL character; remove it"
        )));
    }
    if value.chars().count() > chars_max {
        return Err(ApiError::bad_request(format!(
            "{field} is longer than {chars_max} characters"
        )));
    }
    Ok(value.to_owned())
}

fn optional(field: &str, value: Option<&str>, chars_max: usize) -> ApiResult<Option<String>> {
    match value.map(str::trim).filter(|value| !value.is_empty()) {
        Some(value) => text(field, value, chars_max).map(Some),
        None => Ok(None),
    }
}
