//! What is given up, and what goes back for it.

use super::{Figures, Window};
use chrono::NaiveDate;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

#[derive(Serialize, FromRow)]
pub(crate) struct Cancelled {
    total_cancelled: i64,
    avg_hours_before_cancel: f64,
    total_refund_amount: i64,
}

#[derive(Serialize, FromRow)]
pub(crate) struct CancelledEvent {
    id: Uuid,
    title: String,
    event_title: String,
    total_reservations: i64,
    cancelled: i64,
    cancelled_count: i64,
    refund_amount: i64,
    cancellation_rate: f64,
}

#[derive(Serialize, FromRow)]
pub(crate) struct CancelledDay {
    date: NaiveDate,
    cancellations: i64,
}

impl Figures {
    pub(crate) async fn cancelled(&self, window: Window) -> sqlx::Result<Cancelled> {
        let sql = " SELECT count(*) AS total_cancelled, \
            COALESCE(round(avg(extract(epoch FROM cancelled_at - created_at)) / 3600, 2), 0)::float8 AS avg_hours_before_cancel, \
            (SELECT COALESCE(sum(amount), 0)::bigint FROM payments, since \
             WHERE korean_day(refunded_at) >= since.date) AS total_refund_amount \
            FROM reservations, since WHERE korean_day(cancelled_at) >= since.date";
        window.ask(sql).fetch_one(&self.pool).await
    }

    pub(crate) async fn cancelled_events(&self, window: Window) -> sqlx::Result<Vec<CancelledEvent>> {
        let sql = " SELECT r.event_id AS id, \
            COALESCE(e.title, 'Event ' || r.event_id) AS title, \
            COALESCE(e.title, 'Event ' || r.event_id) AS event_title, \
            count(*) AS total_reservations, \
            count(r.cancelled_at) AS cancelled, count(r.cancelled_at) AS cancelled_count, \
            COALESCE(sum(p.amount), 0)::bigint AS refund_amount, \
            percent(count(r.cancelled_at), count(*)) AS cancellation_rate \
            FROM since, reservations r LEFT JOIN events e USING (event_id) \
            LEFT JOIN payments p ON p.reservation_id = r.reservation_id AND p.refunded_at IS NOT NULL \
            WHERE korean_day(r.created_at) >= since.date GROUP BY r.event_id, e.title \
            HAVING count(r.cancelled_at) > 0 ORDER BY cancelled DESC, id LIMIT 10";
        window.ask(sql).fetch_all(&self.pool).await
    }

    pub(crate) async fn cancelled_days(&self, window: Window) -> sqlx::Result<Vec<CancelledDay>> {
        let sql = " SELECT date, COALESCE(cancelled_reservations, 0) AS cancellations \
            FROM days LEFT JOIN daily_stats USING (date) ORDER BY date DESC";
        window.ask(sql).fetch_all(&self.pool).await
    }
}
