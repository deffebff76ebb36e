//! Event by event.

use super::Figures;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

#[derive(Serialize, FromRow)]
pub(crate) struct EventRow {
    id: Uuid,
    event_id: Uuid,
    title: String,
    venue: Option<String>,
    event_date: Option<DateTime<Utc>>,
    status: String,
    reservations: i64,
    total_reservations: i64,
    confirmed_reservations: i64,
    pending_reservations: i64,
    cancelled_reservations: i64,
    revenue: i64,
    total_revenue: i64,
    sold_seats: i64,
    /// None for standing tickets: nobody tells how many there are.
    total_seats: Option<i64>,
    available_seats: Option<i64>,
    occupancy_rate: Option<f64>,
    seat_utilization: Option<f64>,
}

/// How a list of events is sorted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SortBy {
    Revenue,
    Reservations,
    Occupancy,
}

/// An event catalog told of without a reservation yet counts, and so does one of which only a
/// reservation is known.
const EVENT_ROW: &str = "SELECT event_id AS id, event_id, COALESCE(e.title, 'Event ' || event_id) AS title, \
    e.venue, e.event_date, COALESCE(e.status, 'unknown') AS status, \
    COALESCE(s.total_reservations, 0) AS reservations, \
    COALESCE(s.total_reservations, 0) AS total_reservations, \
    COALESCE(s.confirmed_reservations, 0) AS confirmed_reservations, \
    COALESCE(s.pending_reservations, 0) AS pending_reservations, \
    COALESCE(s.cancelled_reservations, 0) AS cancelled_reservations, \
    COALESCE(s.total_revenue, 0) AS revenue, COALESCE(s.total_revenue, 0) AS total_revenue, \
    COALESCE(s.reserved_seats, 0) AS sold_seats, h.seats AS total_seats, \
    GREATEST(h.seats - COALESCE(s.reserved_seats, 0), CASE WHEN h.seats IS NOT NULL THEN 0 END) AS available_seats, \
    CASE WHEN h.seats IS NOT NULL THEN percent(COALESCE(s.reserved_seats, 0), h.seats) END AS occupancy_rate, \
    CASE WHEN h.seats IS NOT NULL THEN percent(COALESCE(s.reserved_seats, 0), h.seats) END AS seat_utilization \
    FROM event_stats s FULL JOIN events e USING (event_id) LEFT JOIN hall_sizes h USING (event_id)";

impl Figures {
    pub(crate) async fn events(&self, sort: SortBy, limit: i64) -> sqlx::Result<Vec<EventRow>> {
        let column = match sort {
            SortBy::Revenue => "total_revenue",
            SortBy::Reservations => "total_reservations",
            SortBy::Occupancy => "occupancy_rate",
        };
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{EVENT_ROW} ORDER BY {column} DESC NULLS LAST, sold_seats DESC, event_id LIMIT $1"
        )))
        .bind(limit)
        .fetch_all(&self.pool)
        .await
    }

    pub(crate) async fn event(&self, id: Uuid) -> sqlx::Result<Option<EventRow>> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{EVENT_ROW} WHERE event_id = $1")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
    }
}
