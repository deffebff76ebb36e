//! What becomes of reservations.

use super::{Figures, Window, percent};
use chrono::NaiveDate;
use serde::Serialize;
use sqlx::FromRow;

#[derive(Serialize, FromRow)]
pub(crate) struct Funnel {
    total_started: i64,
    completed: i64,
    cancelled: i64,
    pending: i64,
}

#[derive(Serialize)]
pub(crate) struct Rates {
    conversion_rate: f64,
    cancellation_rate: f64,
    pending_rate: f64,
}

#[derive(Serialize, FromRow)]
pub(crate) struct ConversionDay {
    date: NaiveDate,
    total: i64,
    completed: i64,
    conversion_rate: f64,
}

impl Figures {
    /// Who paid has completed, also when he gave the ticket back later.
    pub(crate) async fn funnel(&self, window: Window) -> sqlx::Result<(Funnel, Rates)> {
        let sql = " SELECT count(*) AS total_started, \
            count(*) FILTER (WHERE confirmed_at IS NOT NULL) AS completed, \
            count(*) FILTER (WHERE confirmed_at IS NULL AND cancelled_at IS NOT NULL) AS cancelled, \
            count(*) FILTER (WHERE confirmed_at IS NULL AND cancelled_at IS NULL) AS pending \
            FROM reservations, since WHERE korean_day(created_at) >= since.date";
        let funnel: Funnel = window.ask(sql).fetch_one(&self.pool).await?;
        let share = |part: i64| percent(part, funnel.total_started);
        let rates = Rates {
            conversion_rate: share(funnel.completed),
            cancellation_rate: share(funnel.cancelled),
            pending_rate: share(funnel.pending),
        };
        Ok((funnel, rates))
    }

    pub(crate) async fn conversion_days(&self, window: Window) -> sqlx::Result<Vec<ConversionDay>> {
        let sql = " SELECT days.date, count(r.reservation_id) AS total, \
            count(r.confirmed_at) AS completed, \
            percent(count(r.confirmed_at), count(r.reservation_id)) AS conversion_rate \
            FROM days LEFT JOIN reservations r ON korean_day(r.created_at) = days.date \
            GROUP BY days.date ORDER BY days.date DESC";
        window.ask(sql).fetch_all(&self.pool).await
    }
}
