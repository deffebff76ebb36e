//! A new event, with its seats or ticket types.
//!
//! Booking's part is made first, under an id nobody knows yet: if it fails nothing was created,
//! and if our own write fails what booking made is taken back.

use super::{act::Act, draft::Body};
use crate::{
    App,
    booking::NewTicketType,
    event::Event,
    status::derived,
    store::{EventDraft, Prices, Store},
};
use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use urr_kit::{
    ApiResult,
    extract::Json,
    identity::{Admin, Identity},
    wire,
};
use uuid::Uuid;

pub(super) async fn create(
    State(app): State<App>,
    Admin(admin): Admin,
    Json(body): Json<Body>,
) -> ApiResult<(StatusCode, Json<Value>)> {
    let draft = body.draft()?;
    let ticket_types = body.checked_ticket_types()?;
    let now = wire::at(app.clock.now());
    let mut event = new_event(draft, body.seat_layout_id, admin.user_id, now);
    let prices = make_in_booking(&app, &event, ticket_types, now).await?;
    (event.ticket_type_count, event.min_price, event.max_price) =
        (prices.ticket_type_count, prices.min, prices.max);
    if let Err(error) = store(&app, &mut event, &admin).await {
        if event.seat_layout_id.is_some()
            && let Err(left) = app.booking.delete_seats(event.id).await
        {
            tracing::error!(sale = %event.id, error = %left, "seats of an event that was not created are left over");
        }
        return Err(error);
    }
    Ok((
        StatusCode::CREATED,
        Json(json!({"message": "Event created successfully", "event": event.row(now)})),
    ))
}

fn new_event(draft: EventDraft, seat_layout_id: Option<Uuid>, admin: Uuid, now: DateTime<Utc>) -> Event {
    let status = derived(
        "upcoming",
        Some(draft.sale_start_date),
        Some(draft.sale_end_date),
        draft.event_date,
        now,
    );
    Event {
        id: Uuid::new_v4(),
        title: draft.title,
        description: draft.description,
        venue: draft.venue,
        address: draft.address,
        event_date: draft.event_date,
        sale_start_date: Some(draft.sale_start_date),
        sale_end_date: Some(draft.sale_end_date),
        poster_image_url: draft.poster_image_url,
        status: status.to_owned(),
        seat_layout_id,
        artist_name: draft.artist_name,
        artist_id: None,
        pre_scaled: false,
        ticket_type_count: 0,
        min_price: None,
        max_price: None,
        created_by: Some(admin),
        created_at: now,
        updated_at: now,
    }
}

async fn make_in_booking(
    app: &App,
    event: &Event,
    ticket_types: &[NewTicketType],
    now: DateTime<Utc>,
) -> ApiResult<Prices> {
    let mut prices = match event.seat_layout_id {
        Some(layout) => {
            app.booking.generate_seats(layout, &event.changed(now)).await?;
            layout_prices(app, layout).await
        }
        None => Prices::default(),
    };
    for kind in ticket_types {
        app.booking.create_ticket_type(event.id, kind).await?;
        prices = with_ticket_type(prices, kind.price);
    }
    Ok(prices)
}

/// Prices after one more ticket type.
pub(super) fn with_ticket_type(prices: Prices, price: Option<i64>) -> Prices {
    Prices {
        ticket_type_count: prices.ticket_type_count + 1,
        min: prices.min.into_iter().chain(price).min(),
        max: prices.max.into_iter().chain(price).max(),
    }
}

#[derive(Deserialize)]
struct Section {
    price: i64,
}

/// Cheapest and dearest section of a layout. A list without prices is no reason to fail.
pub(super) async fn layout_prices(app: &App, layout: Uuid) -> Prices {
    let layouts = app.booking.layouts().await.unwrap_or_else(|error| {
        tracing::warn!(%layout, %error, "prices of a layout unknown");
        Vec::new()
    });
    let sections: Vec<Section> = layouts
        .iter()
        .find(|found| found["id"] == layout.to_string())
        .and_then(|found| serde_json::from_value(found["layout_config"]["sections"].clone()).ok())
        .unwrap_or_default();
    Prices {
        ticket_type_count: 0,
        min: sections.iter().map(|section| section.price).min(),
        max: sections.iter().map(|section| section.price).max(),
    }
}

async fn store(app: &App, event: &mut Event, admin: &Identity) -> ApiResult<()> {
    let mut act = Act::begin(app, admin).await?;
    if let Some(name) = &event.artist_name {
        event.artist_id = Some(Store::artist_named(&mut act.tx, name, act.now).await?);
    }
    Store::insert_event(&mut act.tx, event).await?;
    act.tell(event).await?;
    act.commit("EVENT_CREATED", event.id, &json!({"title": event.title}))
        .await
}
