//! When things happen: by the hour, on weekdays and at weekends.

use super::{Figures, Window};
use serde::Serialize;
use sqlx::FromRow;

#[derive(Serialize, FromRow)]
pub(crate) struct Hour {
    pub(crate) hour: i32,
    total_reservations: i64,
    /// As the UI reads it.
    pub(crate) reservations: i64,
    confirmed: i64,
    cancelled: i64,
    cancellations: i64,
    revenue: i64,
}

#[derive(Serialize, FromRow)]
pub(crate) struct DayType {
    day_type: String,
    reservations: i64,
    avg_amount: f64,
}

impl Figures {
    /// 24 rows: made, confirmed and cancelled by the hour in which it happened.
    pub(crate) async fn hours(&self, window: Window) -> sqlx::Result<Vec<Hour>> {
        let sql = ", happened AS ( \
            SELECT korean_hour(created_at) AS hour, 1 AS made, 0 AS ok, 0 AS gone, 0::bigint AS won \
            FROM reservations, since WHERE korean_day(created_at) >= since.date \
            UNION ALL SELECT korean_hour(confirmed_at), 0, 1, 0, total_amount \
            FROM reservations, since WHERE korean_day(confirmed_at) >= since.date \
            UNION ALL SELECT korean_hour(cancelled_at), 0, 0, 1, 0 \
            FROM reservations, since WHERE korean_day(cancelled_at) >= since.date) \
            SELECT h AS hour, COALESCE(sum(made), 0)::bigint AS total_reservations, \
            COALESCE(sum(made), 0)::bigint AS reservations, COALESCE(sum(ok), 0)::bigint AS confirmed, \
            COALESCE(sum(gone), 0)::bigint AS cancelled, COALESCE(sum(gone), 0)::bigint AS cancellations, \
            COALESCE(sum(won), 0)::bigint AS revenue \
            FROM generate_series(0, 23) AS h LEFT JOIN happened ON hour = h GROUP BY h ORDER BY h";
        window.ask(sql).fetch_all(&self.pool).await
    }

    pub(crate) async fn day_types(&self, window: Window) -> sqlx::Result<Vec<DayType>> {
        let sql = " SELECT CASE WHEN extract(isodow FROM korean_day(created_at)) >= 6 \
            THEN 'weekend' ELSE 'weekday' END AS day_type, count(*) AS reservations, \
            round(avg(total_amount), 2)::float8 AS avg_amount \
            FROM reservations, since WHERE korean_day(created_at) >= since.date GROUP BY 1 ORDER BY 1";
        window.ask(sql).fetch_all(&self.pool).await
    }
}
