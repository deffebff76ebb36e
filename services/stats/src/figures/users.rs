//! Accounts: how many there are, whose, and since when.

use super::{Figures, Window};
use chrono::NaiveDate;
use serde::Serialize;
use sqlx::FromRow;

#[derive(Serialize, FromRow)]
pub(crate) struct UsersDay {
    date: NaiveDate,
    new_users: i64,
    /// All accounts there were at its end.
    cumulative_users: i64,
}

#[derive(Serialize, FromRow)]
pub(crate) struct RoleCount {
    role: String,
    count: i64,
}

impl Figures {
    pub(crate) async fn users_by_day(&self, window: Window) -> sqlx::Result<Vec<UsersDay>> {
        let sql = ", opened AS ( \
            SELECT korean_day(opened_at) AS date, count(*) AS accounts FROM accounts, since \
            WHERE korean_day(opened_at) >= since.date GROUP BY 1), \
            earlier AS (SELECT count(*) AS accounts FROM accounts, since WHERE korean_day(opened_at) < since.date) \
            SELECT date, COALESCE(opened.accounts, 0) AS new_users, \
            (earlier.accounts + sum(COALESCE(opened.accounts, 0)) OVER (ORDER BY date))::bigint AS cumulative_users \
            FROM days CROSS JOIN earlier LEFT JOIN opened USING (date) ORDER BY date DESC";
        window.ask(sql).fetch_all(&self.pool).await
    }

    pub(crate) async fn users_by_role(&self) -> sqlx::Result<Vec<RoleCount>> {
        sqlx::query_as("SELECT role, count(*) AS count FROM accounts GROUP BY role ORDER BY count DESC, role")
            .fetch_all(&self.pool)
            .await
    }
}
