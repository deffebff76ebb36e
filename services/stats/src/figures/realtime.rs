//! The house this minute and this hour.

use super::Figures;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

#[derive(Serialize, FromRow)]
pub(crate) struct Current {
    /// Seats of reservations that are neither paid nor over.
    locked_seats: i64,
    /// Payments of the last five minutes.
    active_payments: i64,
    /// Users who reserved in the last five minutes.
    active_users: i64,
}

#[derive(Serialize, FromRow)]
pub(crate) struct LastHour {
    reservations: i64,
    revenue: i64,
}

#[derive(Serialize, FromRow)]
pub(crate) struct Trending {
    id: Uuid,
    title: String,
    recent_reservations: i64,
    reservations: i64,
}

impl Figures {
    pub(crate) async fn current(&self, now: DateTime<Utc>) -> sqlx::Result<Current> {
        sqlx::query_as(
            "SELECT COALESCE(sum(seats) FILTER (WHERE status = 'pending'), 0)::bigint AS locked_seats, \
             (SELECT count(*) FROM payments WHERE confirmed_at > $1 - interval '5 minutes') AS active_payments, \
             count(DISTINCT user_id) FILTER (WHERE created_at > $1 - interval '5 minutes') AS active_users \
             FROM reservation_states WHERE status = 'pending' OR created_at > $1 - interval '5 minutes'",
        )
        .bind(now)
        .fetch_one(&self.pool)
        .await
    }

    pub(crate) async fn last_hour(&self, now: DateTime<Utc>) -> sqlx::Result<LastHour> {
        sqlx::query_as(
            "SELECT count(*) AS reservations, \
             (SELECT COALESCE(sum(amount), 0)::bigint FROM payments \
              WHERE confirmed_at > $1 - interval '1 hour' AND refunded_at IS NULL) AS revenue \
             FROM reservations WHERE created_at > $1 - interval '1 hour'",
        )
        .bind(now)
        .fetch_one(&self.pool)
        .await
    }

    pub(crate) async fn trending(&self, now: DateTime<Utc>) -> sqlx::Result<Vec<Trending>> {
        sqlx::query_as(
            "SELECT r.event_id AS id, COALESCE(e.title, 'Event ' || r.event_id) AS title, \
             count(*) AS recent_reservations, count(*) AS reservations \
             FROM reservations r LEFT JOIN events e USING (event_id) \
             WHERE r.created_at > $1 - interval '1 day' \
             GROUP BY r.event_id, e.title ORDER BY 3 DESC, 1 LIMIT 5",
        )
        .bind(now)
        .fetch_all(&self.pool)
        .await
    }
}
