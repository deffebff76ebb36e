//! What booking knows of others: the sale's terms from the control plane, the event from catalog.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgExecutor, PgPool};
use urr_core::presale::Presale;
use urr_core::sale::Sale;
use urr_core::terms::Terms;
use urr_core::time::Millis;
use urr_kit::events::EventChanged;
use urr_kit::wire;
use uuid::Uuid;

/// Longest hold a sale may ask for, seconds: the entry token and the slot end long before.
const HOLD_TTL_MAX_S: u32 = 3600;

/// Under which terms seats of an event can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaleTerms {
    /// When, and to whom first.
    pub terms: Terms,
    /// Whose show it is, if an artist's: the presale is for his fans.
    pub artist_id: Option<Uuid>,
    /// Length of a hold, if the sale says.
    pub hold_ttl_s: Option<i32>,
    /// Seats in one booking, if the sale says.
    pub seats_per_booking: Option<i32>,
}

#[derive(FromRow)]
struct Row {
    declared: bool,
    opens_at: Option<DateTime<Utc>>,
    closes_at: Option<DateTime<Utc>>,
    hold_ttl_s: Option<i32>,
    seats_per_booking: Option<i32>,
    cancelled: bool,
    artist_id: Option<Uuid>,
    sale_start_date: Option<DateTime<Utc>>,
    sale_end_date: Option<DateTime<Utc>>,
}

impl From<Row> for SaleTerms {
    fn from(row: Row) -> Self {
        let millis = |at: Option<DateTime<Utc>>| at.map(|at| Millis(at.timestamp_millis()));
        // Counted from catalog's window, as its page shows it (R-MEM-04).
        let presale = row.artist_id.and_then(|_| {
            let starts_at = millis(row.sale_start_date)?;
            Presale::of_sale(starts_at, millis(row.sale_end_date))
        });
        Self {
            terms: Terms {
                opens_at: millis(row.opens_at),
                closes_at: millis(row.closes_at),
                cancelled: row.cancelled,
                declared: row.declared,
                presale,
            },
            artist_id: row.artist_id,
            hold_ttl_s: row.hold_ttl_s,
            seats_per_booking: row.seats_per_booking,
        }
    }
}

/// The terms of an event; `None` when neither control plane nor catalog ever named it. Where nobody declared a
/// sale, catalog's window holds, and no ticket is sold for a show that has begun (R-CAT-03).
///
/// # Errors
/// What the database fails with.
pub async fn terms(pool: &PgPool, event: Uuid) -> Result<Option<SaleTerms>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT s.event_id IS NOT NULL AS declared,
                coalesce(s.opens_at, e.sale_start_date) AS opens_at,
                coalesce(s.closes_at, least(e.sale_end_date, e.event_date)) AS closes_at,
                s.hold_ttl_s, s.seats_per_booking,
                coalesce(e.status = 'cancelled', false) AS cancelled,
                e.artist_id, e.sale_start_date, e.sale_end_date
         FROM (SELECT $1::uuid AS event_id) wanted
         LEFT JOIN sales s USING (event_id)
         LEFT JOIN event_copies e USING (event_id)
         WHERE s.event_id IS NOT NULL OR e.event_id IS NOT NULL",
    )
    .bind(event)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(SaleTerms::from))
}

/// Stores what the control plane says about a sale.
///
/// # Errors
/// What the database fails with.
pub async fn put_sale(
    pool: &PgPool,
    sale: &Sale,
    seats_per_booking: i32,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let hold_ttl_s = sale.admission.hold_ttl_s.clamp(1, HOLD_TTL_MAX_S);
    sqlx::query(
        "INSERT INTO sales (event_id, name, opens_at, closes_at, hold_ttl_s, seats_per_booking, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (event_id) DO UPDATE
         SET name = excluded.name, opens_at = excluded.opens_at, closes_at = excluded.closes_at,
             hold_ttl_s = excluded.hold_ttl_s, seats_per_booking = excluded.seats_per_booking,
             updated_at = excluded.updated_at",
    )
    .bind(sale.id)
    .bind(&sale.name)
    .bind(wire::at(sale.schedule.opens_at))
    .bind(wire::at(sale.schedule.closes_at))
    .bind(i32::try_from(hold_ttl_s).unwrap_or(i32::MAX))
    .bind(seats_per_booking)
    .bind(now)
    .execute(pool)
    .await
    .map(drop)
}

/// Catalog's event as booking keeps it: what tickets and lists show, and the sale window.
#[derive(Debug, Clone)]
pub struct EventCopy {
    /// Title.
    pub title: String,
    /// Venue's name.
    pub venue: String,
    /// Venue's address.
    pub address: Option<String>,
    /// When the show begins.
    pub event_date: Option<DateTime<Utc>>,
    /// Sale window.
    pub sale_start_date: Option<DateTime<Utc>>,
    /// Sale window.
    pub sale_end_date: Option<DateTime<Utc>>,
    /// upcoming, on_sale, ended, cancelled.
    pub status: String,
    /// Who performs.
    pub artist_id: Option<Uuid>,
    /// Their name.
    pub artist_name: Option<String>,
    /// Layout of the hall; none means standing.
    pub seat_layout_id: Option<Uuid>,
    /// Poster.
    pub poster_image_url: Option<String>,
}

impl From<EventChanged> for EventCopy {
    fn from(changed: EventChanged) -> Self {
        Self {
            title: changed.title,
            venue: changed.venue,
            address: changed.address,
            event_date: Some(wire::at(changed.event_date)),
            sale_start_date: changed.sale_start_date.map(wire::at),
            sale_end_date: changed.sale_end_date.map(wire::at),
            status: changed.status,
            artist_id: changed.artist_id,
            artist_name: changed.artist_name,
            seat_layout_id: changed.seat_layout_id,
            poster_image_url: changed.poster_image_url,
        }
    }
}

/// Keeps a copy of the event, unless a newer one is here already.
///
/// # Errors
/// What the database fails with.
pub async fn put_event(
    db: impl PgExecutor<'_>,
    id: Uuid,
    event: &EventCopy,
    as_of: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO event_copies AS e (event_id, title, venue, address, event_date, sale_start_date,
             sale_end_date, status, artist_id, artist_name, seat_layout_id, poster_image_url, as_of)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (event_id) DO UPDATE
         SET title = excluded.title, venue = excluded.venue, address = excluded.address,
             event_date = excluded.event_date, sale_start_date = excluded.sale_start_date,
             sale_end_date = excluded.sale_end_date, status = excluded.status,
             artist_id = excluded.artist_id, artist_name = excluded.artist_name,
             seat_layout_id = excluded.seat_layout_id, poster_image_url = excluded.poster_image_url,
             as_of = excluded.as_of
         WHERE e.as_of <= excluded.as_of",
    )
    .bind(id)
    .bind(&event.title)
    .bind(&event.venue)
    .bind(&event.address)
    .bind(event.event_date)
    .bind(event.sale_start_date)
    .bind(event.sale_end_date)
    .bind(&event.status)
    .bind(event.artist_id)
    .bind(&event.artist_name)
    .bind(event.seat_layout_id)
    .bind(&event.poster_image_url)
    .bind(as_of)
    .execute(db)
    .await
    .map(drop)
}

/// The show does not take place: nobody can hold, or pay for what he holds, from here on. Catalog's own word
/// follows by its events; what it said before this does not undo it.
///
/// # Errors
/// What the database fails with.
pub async fn call_off(db: impl PgExecutor<'_>, event: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO event_copies AS e (event_id, title, status, as_of)
         VALUES ($1, coalesce((SELECT name FROM sales WHERE event_id = $1), ''), 'cancelled', $2)
         ON CONFLICT (event_id) DO UPDATE
         SET status = excluded.status, as_of = greatest(e.as_of, excluded.as_of)",
    )
    .bind(event)
    .bind(now)
    .execute(db)
    .await
    .map(drop)
}
