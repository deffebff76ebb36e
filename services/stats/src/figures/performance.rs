//! How the house does, as far as its events tell. Latencies and requests are the metrics' (`/actuator/prometheus`):
//! a "request" here is a reservation that was begun, as upstream counts.

use super::{Figures, Window};
use serde::Serialize;
use sqlx::FromRow;

/// The database stats is in, which in a small house is everybody's.
#[derive(Serialize, FromRow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Database {
    /// As a person reads it.
    size: String,
    size_bytes: i64,
    #[sqlx(flatten)]
    table_counts: Counts,
}

/// What there is, as events told it: nobody's tables are looked at.
#[derive(Serialize, FromRow)]
pub(crate) struct Counts {
    users: i64,
    events: i64,
    reservations: i64,
    /// Of the halls.
    seats: i64,
    payments: i64,
}

#[derive(FromRow)]
pub(crate) struct Recent {
    /// Reservations begun.
    pub(crate) requests: i64,
    /// How many of them were paid, percent.
    pub(crate) success_rate: f64,
    /// How long a seat was held until it was sold or free again, seconds.
    pub(crate) lock_s: f64,
    /// How many of the charges were refused, percent.
    pub(crate) failure_rate: f64,
}

impl Figures {
    pub(crate) async fn database(&self) -> sqlx::Result<Database> {
        sqlx::query_as(
            "SELECT pg_size_pretty(bytes) AS size, bytes AS size_bytes, \
             (SELECT count(*) FROM accounts) AS users, (SELECT count(*) FROM events) AS events, \
             (SELECT count(*) FROM reservations) AS reservations, \
             (SELECT COALESCE(sum(seats), 0)::bigint FROM hall_sizes) AS seats, \
             (SELECT count(*) FROM payments) AS payments \
             FROM pg_database_size(current_database()) AS bytes",
        )
        .fetch_one(&self.pool)
        .await
    }

    pub(crate) async fn recent(&self, window: Window) -> sqlx::Result<Recent> {
        let sql = ", charges AS ( \
            SELECT 0 AS refused FROM payments, since WHERE korean_day(confirmed_at) >= since.date \
            UNION ALL SELECT 1 FROM refused_charges, since WHERE korean_day(refused_at) >= since.date) \
            SELECT count(*) AS requests, percent(count(confirmed_at), count(*)) AS success_rate, \
            COALESCE(avg(extract(epoch FROM LEAST(confirmed_at, cancelled_at) - created_at)) \
                     FILTER (WHERE seats > 0), 0)::float8 AS lock_s, \
            (SELECT percent(COALESCE(sum(refused), 0), count(*)) FROM charges) AS failure_rate \
            FROM reservations, since WHERE korean_day(created_at) >= since.date";
        window.ask(sql).fetch_one(&self.pool).await
    }
}
