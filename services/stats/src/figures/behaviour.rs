//! What users do who reserved within a window: how often, for how much, when, and how fast they pay.

use super::{Figures, Window};
use serde::Serialize;
use sqlx::FromRow;

/// Three kinds, those nobody is of too. `new`: reserved for the first time within the window; `returning`: had before;
/// `loyal`: had before, and has bought three times or more.
#[derive(Serialize, FromRow)]
pub(crate) struct UserType {
    user_type: String,
    user_count: i64,
    total_reservations: i64,
}

/// Of one user, within the window.
#[derive(Serialize, FromRow)]
pub(crate) struct AverageUser {
    avg_reservations: f64,
    max_reservations: i64,
    median_reservations: f64,
    /// KRW of what he bought and kept.
    avg_spending: i64,
}

/// Users by what they spent within the window on what they kept; tiers nobody is in are there too.
#[derive(Serialize, FromRow)]
pub(crate) struct SpendingTier {
    spending_tier: String,
    tier: String,
    /// KRW, as the UI shows it.
    range: String,
    user_count: i64,
    count: i64,
}

#[derive(Serialize, FromRow)]
pub(crate) struct Weekday {
    day_name: String,
    /// 0 is Sunday.
    day_of_week: i32,
    unique_users: i64,
    reservations: i64,
}

/// A row for each user who reserved within the window, before a question about them.
const FANS: &str = ", fans AS (SELECT user_id, count(*) AS made, \
    COALESCE(sum(total_amount) FILTER (WHERE confirmed_at IS NOT NULL AND cancelled_at IS NULL), 0)::bigint AS spent \
    FROM reservations, since WHERE korean_day(created_at) >= since.date GROUP BY user_id)";

impl Figures {
    pub(crate) async fn user_types(&self, window: Window) -> sqlx::Result<Vec<UserType>> {
        let sql = ", ever AS (SELECT user_id, min(korean_day(created_at)) AS first, \
             count(*) FILTER (WHERE confirmed_at IS NOT NULL AND cancelled_at IS NULL) AS bought \
             FROM reservations WHERE user_id IN (SELECT user_id FROM fans) GROUP BY user_id), \
             typed AS (SELECT CASE WHEN first >= since.date THEN 'new' WHEN bought < 3 THEN 'returning' \
             ELSE 'loyal' END AS user_type, made FROM since, fans JOIN ever USING (user_id)) \
             SELECT user_type, count(made) AS user_count, COALESCE(sum(made), 0)::bigint AS total_reservations \
             FROM (VALUES (1, 'new'), (2, 'returning'), (3, 'loyal')) AS kinds (place, user_type) \
             LEFT JOIN typed USING (user_type) GROUP BY place, user_type ORDER BY place";
        window.ask(&[FANS, sql].concat()).fetch_all(&self.pool).await
    }

    pub(crate) async fn average_user(&self, window: Window) -> sqlx::Result<AverageUser> {
        let sql = " SELECT COALESCE(round(avg(made), 2), 0)::float8 AS avg_reservations, \
             COALESCE(max(made), 0) AS max_reservations, \
             COALESCE(percentile_cont(0.5) WITHIN GROUP (ORDER BY made), 0)::float8 AS median_reservations, \
             COALESCE(round(avg(spent)), 0)::bigint AS avg_spending FROM fans";
        window.ask(&[FANS, sql].concat()).fetch_one(&self.pool).await
    }

    pub(crate) async fn spending(&self, window: Window) -> sqlx::Result<Vec<SpendingTier>> {
        let sql = " SELECT tier AS spending_tier, tier, range, count(user_id) AS user_count, count(user_id) AS count \
             FROM (VALUES (0, 0, 'none', '0'), (1, 99999, 'low', '1-99999'), \
             (100000, 299999, 'medium', '100000-299999'), (300000, 9223372036854775807, 'high', '300000-')) \
             AS tiers (at_least, at_most, tier, range) LEFT JOIN fans ON spent BETWEEN at_least AND at_most \
             GROUP BY at_least, tier, range ORDER BY at_least";
        window.ask(&[FANS, sql].concat()).fetch_all(&self.pool).await
    }

    /// Minutes from the reservation to its payment, of those made within the window; 0 where none was paid.
    pub(crate) async fn minutes_to_payment(&self, window: Window) -> sqlx::Result<f64> {
        let sql = " SELECT COALESCE(avg(extract(epoch FROM confirmed_at - created_at)) / 60, 0)::float8 \
            FROM reservations, since WHERE korean_day(created_at) >= since.date";
        let (minutes,): (f64,) = window.ask(sql).fetch_one(&self.pool).await?;
        Ok(minutes)
    }

    /// Seven rows, Sunday first.
    pub(crate) async fn weekdays(&self, window: Window) -> sqlx::Result<Vec<Weekday>> {
        let sql = ", happened AS (SELECT user_id, extract(dow FROM korean_day(created_at))::integer AS day \
            FROM reservations, since WHERE korean_day(created_at) >= since.date) \
            SELECT name AS day_name, place::integer - 1 AS day_of_week, count(DISTINCT user_id) AS unique_users, \
            count(user_id) AS reservations \
            FROM unnest(ARRAY['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']) \
            WITH ORDINALITY AS week (name, place) LEFT JOIN happened ON day = place - 1 \
            GROUP BY name, place ORDER BY place";
        window.ask(sql).fetch_all(&self.pool).await
    }
}
