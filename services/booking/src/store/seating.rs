//! Layouts and the seats made from them; what the seat map is drawn from.

use crate::events;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::types::Json;
use sqlx::{FromRow, PgPool};
use urr_core::seating::Hall;
use urr_core::time::Millis;
use uuid::Uuid;

/// A layout as the contract lists it.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct Layout {
    /// Its id.
    pub id: Uuid,
    /// Unique name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Seats in it.
    pub total_seats: i32,
    /// Sections, in the contract's `layout_config` form.
    pub layout_config: Json<Hall>,
}

/// Why seats or a layout could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum SeatingError {
    /// A layout of that name exists.
    #[error("A seat layout of this name already exists")]
    NameTaken,
    /// No layout of that id.
    #[error("Seat layout not found")]
    NoLayout,
    /// The event has seats.
    #[error("Seats are already generated for this event")]
    AlreadyGenerated,
    /// Somebody holds or owns tickets of the event.
    #[error("Cannot delete seats: the event has active reservations")]
    ActiveReservations,
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] sqlx::Error),
}

/// All layouts, smallest first.
///
/// # Errors
/// What the database fails with.
pub async fn layouts(pool: &PgPool) -> Result<Vec<Layout>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, name, description, total_seats, layout_config FROM seat_layouts
         ORDER BY total_seats, name",
    )
    .fetch_all(pool)
    .await
}

/// Stores a layout that `Hall::validate` passed.
///
/// # Errors
/// `NameTaken`, or what the database fails with.
pub async fn create_layout(
    pool: &PgPool,
    name: &str,
    description: Option<&str>,
    hall: &Hall,
    now: DateTime<Utc>,
) -> Result<Layout, SeatingError> {
    sqlx::query_as(
        "INSERT INTO seat_layouts (id, name, description, total_seats, layout_config, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING
         RETURNING id, name, description, total_seats, layout_config",
    )
    .bind(Uuid::new_v4())
    .bind(name)
    .bind(description)
    .bind(i32::try_from(hall.capacity()).unwrap_or(i32::MAX))
    .bind(Json(hall))
    .bind(now)
    .fetch_optional(pool)
    .await?
    .ok_or(SeatingError::NameTaken)
}

/// Makes all seats of an event from a layout, set-based, all or none. Answers their number.
///
/// # Errors
/// `NoLayout`, `AlreadyGenerated`, or what the database fails with.
pub async fn generate(
    pool: &PgPool,
    event: Uuid,
    layout: Uuid,
    now: DateTime<Utc>,
) -> Result<i64, SeatingError> {
    let mut tx = pool.begin().await?;
    let Json(hall): Json<Hall> = sqlx::query_scalar("SELECT layout_config FROM seat_layouts WHERE id = $1")
        .bind(layout)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(SeatingError::NoLayout)?;
    let columns = Columns::of(&hall);
    let made = sqlx::query(
        "INSERT INTO seatings (event_id, layout_id, generation, seats, layout_config, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (event_id) DO NOTHING",
    )
    .bind(event)
    .bind(layout)
    .bind(Uuid::new_v4())
    .bind(i32::try_from(columns.ids.len()).unwrap_or(i32::MAX))
    .bind(Json(&hall))
    .bind(now)
    .execute(&mut *tx)
    .await?;
    if made.rows_affected() == 0 {
        return Err(SeatingError::AlreadyGenerated);
    }
    let seats = sqlx::query(
        "INSERT INTO seats (id, event_id, ordinal, section, row_number, seat_number, seat_label, grade,
                            price, updated_at)
         SELECT id, $1, ordinal, section, row_number, seat_number, label, grade, price, $2
         FROM unnest($3::uuid[], $4::text[], $5::int[], $6::int[], $7::text[], $8::text[], $9::bigint[])
              WITH ORDINALITY AS u (id, section, row_number, seat_number, label, grade, price, ordinal)",
    )
    .bind(event)
    .bind(now)
    .bind(&columns.ids)
    .bind(&columns.sections)
    .bind(&columns.rows)
    .bind(&columns.numbers)
    .bind(&columns.labels)
    .bind(&columns.grades)
    .bind(&columns.prices)
    .execute(&mut *tx)
    .await?
    .rows_affected();
    drop(columns);
    events::seating_changed(&mut tx, event, Some(hall), now).await?;
    tx.commit().await?;
    // The sale may open before autovacuum looks: holds are planned with this from the first one on.
    sqlx::query("ANALYZE seats").execute(pool).await?;
    Ok(i64::try_from(seats).unwrap_or(i64::MAX))
}

/// The seats of a hall as the arrays `unnest` takes.
#[derive(Default)]
struct Columns<'a> {
    ids: Vec<Uuid>,
    sections: Vec<&'a str>,
    rows: Vec<i32>,
    numbers: Vec<i32>,
    labels: Vec<String>,
    grades: Vec<Option<&'a str>>,
    prices: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn of(hall: &'a Hall) -> Self {
        let mut columns = Self::default();
        for seat in hall.seats() {
            columns.ids.push(Uuid::new_v4());
            columns.sections.push(seat.section);
            // `Hall::validate` keeps halls far below these ends.
            columns
                .rows
                .push(i32::try_from(seat.row_number).unwrap_or(i32::MAX));
            columns
                .numbers
                .push(i32::try_from(seat.seat_number).unwrap_or(i32::MAX));
            columns.labels.push(seat.label);
            columns.grades.push(seat.grade);
            columns
                .prices
                .push(i64::try_from(seat.price_krw).unwrap_or(i64::MAX));
        }
        columns
    }
}

/// Seats of an event; 0 when there are none.
///
/// # Errors
/// What the database fails with.
pub async fn count(pool: &PgPool, event: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM seats WHERE event_id = $1")
        .bind(event)
        .fetch_one(pool)
        .await
}

/// Removes an event's seats while nobody holds or owns one. Answers how many there were.
///
/// # Errors
/// `ActiveReservations`, or what the database fails with.
pub async fn delete(pool: &PgPool, event: Uuid, now: DateTime<Utc>) -> Result<i64, SeatingError> {
    let mut tx = pool.begin().await?;
    // Locking every seat keeps holds out until the answer is final.
    let seats: Vec<String> =
        sqlx::query_scalar("SELECT status FROM seats WHERE event_id = $1 ORDER BY id FOR UPDATE")
            .bind(event)
            .fetch_all(&mut *tx)
            .await?;
    let pending: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM reservations
                        WHERE event_id = $1 AND status IN ('pending', 'confirmed'))",
    )
    .bind(event)
    .fetch_one(&mut *tx)
    .await?;
    if pending || seats.iter().any(|status| status != "available") {
        return Err(SeatingError::ActiveReservations);
    }
    let removed = sqlx::query("DELETE FROM seatings WHERE event_id = $1")
        .bind(event)
        .execute(&mut *tx)
        .await?;
    if removed.rows_affected() > 0 {
        events::seating_changed(&mut tx, event, None, now).await?;
    }
    tx.commit().await?;
    Ok(i64::try_from(seats.len()).unwrap_or(i64::MAX))
}

/// What does not change about a seat, in the hall's order.
#[derive(Debug, Clone, FromRow)]
pub struct SeatRow {
    /// Its id.
    pub id: Uuid,
    /// Its section.
    pub section: String,
    /// Its row.
    pub row_number: i32,
    /// Its number in the row.
    pub seat_number: i32,
    /// As on the ticket.
    pub seat_label: String,
    /// Price grade.
    pub grade: Option<String>,
    /// KRW.
    pub price: i64,
}

/// The hall of an event: everything that stays as it is while seats come and go.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Changes when the seats are made anew.
    pub generation: Uuid,
    /// The layout they were made from.
    pub layout: serde_json::Value,
    /// The event's title.
    pub title: String,
    /// All seats, in the hall's order.
    pub seats: Vec<SeatRow>,
}

/// Reads the hall; `None` when the event has no seats.
///
/// # Errors
/// What the database fails with.
pub async fn plan(pool: &PgPool, event: Uuid) -> Result<Option<Plan>, sqlx::Error> {
    let head: Option<(Uuid, Json<serde_json::Value>, Option<String>)> = sqlx::query_as(
        "SELECT g.generation, g.layout_config, coalesce(e.title, s.name)
         FROM seatings g LEFT JOIN event_copies e USING (event_id) LEFT JOIN sales s USING (event_id)
         WHERE g.event_id = $1",
    )
    .bind(event)
    .fetch_optional(pool)
    .await?;
    let Some((generation, Json(layout), title)) = head else {
        return Ok(None);
    };
    let seats = sqlx::query_as(
        "SELECT id, section, row_number, seat_number, seat_label, grade, price
         FROM seats WHERE event_id = $1 ORDER BY ordinal",
    )
    .bind(event)
    .fetch_all(pool)
    .await?;
    Ok(Some(Plan {
        generation,
        layout,
        title: title.unwrap_or_default(),
        seats,
    }))
}

/// Up to where the changes of seats are known: no transaction that was running, or had not begun, is
/// before it. A transaction id of Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon(i64);

impl Horizon {
    /// Before everything: Postgres holds the frozen transaction for older than any other.
    pub const BEGINNING: Self = Self(2);
}

/// What changed since a horizon.
#[derive(Debug, Clone)]
pub struct Changes {
    /// Changes when the seats are made anew.
    pub generation: Uuid,
    /// For the next read.
    pub horizon: Horizon,
    /// Every seat that changed, and perhaps some that did not.
    pub seats: Vec<Changed>,
}

/// A seat as it is now.
#[derive(Debug, Clone, Copy)]
pub struct Changed {
    /// Its place in the hall's order, from 0.
    pub at: usize,
    /// `a`vailable, `l`ocked, `r`eserved.
    pub letter: u8,
    /// When the lock ends.
    pub ends_at: Option<Millis>,
}

/// The seats of an event that changed since `since`; `None` when it has none.
///
/// Row versions carry the transaction that wrote them, so nothing has to be written for this, and
/// neither a clock nor the order of commits can make it miss a change.
///
/// # Errors
/// What the database fails with.
pub async fn changes(pool: &PgPool, event: Uuid, since: Horizon) -> Result<Option<Changes>, sqlx::Error> {
    type Row = (Uuid, i64, Vec<i32>, Vec<i64>, String);
    let row: Option<Row> = sqlx::query_as(
        "WITH changed AS MATERIALIZED (
             SELECT ordinal, status, lock_expires_at FROM seats
             WHERE event_id = $1 AND age(xmin) <= age($2::text::xid)
         )
         SELECT g.generation, pg_snapshot_xmin(pg_current_snapshot())::xid::text::bigint,
                ARRAY(SELECT ordinal FROM changed ORDER BY ordinal),
                ARRAY(SELECT coalesce(floor(extract(epoch FROM lock_expires_at) * 1000), 0)::bigint
                      FROM changed ORDER BY ordinal),
                array_to_string(ARRAY(SELECT left(status, 1) FROM changed ORDER BY ordinal), '')
         FROM seatings g WHERE g.event_id = $1",
    )
    .bind(event)
    .bind(since.0.to_string())
    .fetch_optional(pool)
    .await?;
    let Some((generation, horizon, ordinals, ends_ms, letters)) = row else {
        return Ok(None);
    };
    let seats = ordinals.iter().zip(&ends_ms).zip(letters.bytes());
    Ok(Some(Changes {
        generation,
        horizon: Horizon(horizon),
        seats: seats
            .filter_map(|((ordinal, ends_ms), letter)| {
                Some(Changed {
                    // Seats are counted from 1 (`generate`).
                    at: usize::try_from(*ordinal).ok()?.checked_sub(1)?,
                    letter,
                    ends_at: (letter == b'l').then_some(Millis(*ends_ms)),
                })
            })
            .collect(),
    }))
}
