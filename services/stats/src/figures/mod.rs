//! The questions of C§11 as SQL over own tables and views, one file an idea. Names are the ones upstream sends and,
//! where they differ, also the ones its UI reads (C§15.35).

mod behaviour;
mod cancellations;
mod conversion;
mod events;
mod performance;
mod realtime;
mod seats;
mod totals;
mod traffic;
mod users;

pub(crate) use events::SortBy;
pub(crate) use totals::Grouping;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::QueryAs;

/// Asks the database.
#[derive(Clone)]
pub(crate) struct Figures {
    pool: PgPool,
}

impl Figures {
    pub(crate) const fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

/// So many Korean days, the last of which is that of `now`. Days on which nothing happened are among them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) now: DateTime<Utc>,
    pub(crate) days: i32,
}

/// $1 = now, $2 = days.
const DAYS: &str = "WITH days AS (SELECT d::date AS date FROM generate_series( \
    korean_day($1) - ($2::integer - 1), korean_day($1), interval '1 day') AS d), \
    since AS (SELECT korean_day($1) - ($2::integer - 1) AS date)";

type Query<T> = QueryAs<'static, Postgres, T, PgArguments>;

impl Window {
    /// A question about the window: `sql` finds its days in `days` and the first of them in `since`, and goes on
    /// numbering its parameters with $3.
    fn ask<T>(self, sql: &str) -> Query<T>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        sqlx::query_as(sqlx::AssertSqlSafe([DAYS, sql].concat()))
            .bind(self.now)
            .bind(self.days)
    }
}

/// Percent with two decimals, as the SQL function of that name.
fn percent(part: i64, whole: i64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    // In hundredths of a percent, in integers, so that it rounds as the database does.
    let hundredths = (i128::from(part) * 10_000 * 2 + i128::from(whole)) / (i128::from(whole) * 2);
    f64::from(i32::try_from(hundredths).unwrap_or(i32::MAX)) / 100.0
}
