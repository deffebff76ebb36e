//! The house as a whole, and by the day.

use super::{Figures, Window};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::FromRow;

#[derive(Serialize, FromRow)]
pub(crate) struct Overview {
    /// Accounts.
    total_users: i64,
    active_events: i64,
    total_reservations: i64,
    confirmed_reservations: i64,
    total_revenue: i64,
    completed_payments: i64,
    payment_revenue: i64,
    active_memberships: i64,
    completed_transfers: i64,
}

#[derive(Serialize, FromRow)]
pub(crate) struct Day {
    date: NaiveDate,
    reservations: i64,
    confirmed: i64,
    cancelled: i64,
    revenue: i64,
}

#[derive(Serialize, FromRow)]
pub(crate) struct Method {
    method: String,
    count: i64,
    total_amount: i64,
    average_amount: f64,
}

#[derive(Serialize, FromRow)]
pub(crate) struct Period {
    period: NaiveDate,
    payment_count: i64,
    total_revenue: i64,
    average_amount: f64,
}

/// How revenue is grouped.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Grouping {
    Day,
    Week,
    Month,
}

impl Figures {
    pub(crate) async fn overview(&self, now: DateTime<Utc>) -> sqlx::Result<Overview> {
        // A term told by an earlier release lasts a year, as every term does (C§9).
        sqlx::query_as(
            "SELECT (SELECT count(*) FROM accounts) AS total_users, \
             (SELECT count(*) FROM events WHERE status IN ('upcoming', 'on_sale')) AS active_events, \
             count(*) AS total_reservations, \
             count(*) FILTER (WHERE status = 'confirmed') AS confirmed_reservations, \
             COALESCE(sum(total_amount) FILTER (WHERE status = 'confirmed'), 0)::bigint AS total_revenue, \
             (SELECT count(*) FROM payments WHERE confirmed_at IS NOT NULL AND refunded_at IS NULL) AS completed_payments, \
             (SELECT COALESCE(sum(amount), 0)::bigint FROM payments \
              WHERE confirmed_at IS NOT NULL AND refunded_at IS NULL) AS payment_revenue, \
             (SELECT count(*) FROM memberships WHERE ended_at IS NULL \
              AND COALESCE(expires_at, activated_at + interval '1 year') > $1) AS active_memberships, \
             (SELECT count(*) FROM transfers) AS completed_transfers \
             FROM reservation_states",
        )
        .bind(now)
        .fetch_one(&self.pool)
        .await
    }

    pub(crate) async fn daily(&self, window: Window) -> sqlx::Result<Vec<Day>> {
        let sql = " SELECT date, COALESCE(total_reservations, 0) AS reservations, \
            COALESCE(confirmed_reservations, 0) AS confirmed, COALESCE(cancelled_reservations, 0) AS cancelled, \
            COALESCE(total_revenue, 0) AS revenue \
            FROM days LEFT JOIN daily_stats USING (date) ORDER BY date DESC";
        window.ask(sql).fetch_all(&self.pool).await
    }

    pub(crate) async fn payments(&self) -> sqlx::Result<Vec<Method>> {
        sqlx::query_as(
            "SELECT COALESCE(method, 'toss') AS method, count(*) AS count, \
             COALESCE(sum(amount), 0)::bigint AS total_amount, round(avg(amount), 2)::float8 AS average_amount \
             FROM payments WHERE confirmed_at IS NOT NULL AND refunded_at IS NULL \
             GROUP BY 1 ORDER BY total_amount DESC, method",
        )
        .fetch_all(&self.pool)
        .await
    }

    pub(crate) async fn revenue(&self, window: Window, grouping: Grouping) -> sqlx::Result<Vec<Period>> {
        let unit = match grouping {
            Grouping::Day => "day",
            Grouping::Week => "week",
            Grouping::Month => "month",
        };
        let sql = " SELECT date_trunc($3, date)::date AS period, \
            COALESCE(sum(payment_count), 0)::bigint AS payment_count, \
            COALESCE(sum(s.total_revenue), 0)::bigint AS total_revenue, \
            COALESCE(round(sum(s.total_revenue) / NULLIF(sum(payment_count), 0), 2), 0)::float8 AS average_amount \
            FROM days LEFT JOIN daily_stats s USING (date) GROUP BY 1 ORDER BY 1 DESC";
        window.ask(sql).bind(unit).fetch_all(&self.pool).await
    }
}
