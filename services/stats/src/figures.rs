//! The questions of C§11 as SQL over the views. Every window is `days` Korean days that end with
//! the day of `now`; days on which nothing happened are there, with zeros. Names are the ones
//! upstream sends and, where they differ, also the ones its UI reads (C§15.35).

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

#[derive(Clone)]
pub(crate) struct Figures {
    pool: PgPool,
}

/// `generate_series` of the window, $1 = now, $2 = days.
const DAYS: &str = "days AS (SELECT d::date AS date FROM generate_series( \
    korean_day($1) - ($2::integer - 1), korean_day($1), interval '1 day') AS d), \
    since AS (SELECT korean_day($1) - ($2::integer - 1) AS date)";

#[derive(Serialize, FromRow)]
pub(crate) struct Overview {
    /// Users who ever reserved: accounts are auth's, and it tells nobody.
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
    #[sqlx(default)]
    total_seats: Option<i64>,
    #[sqlx(default)]
    available_seats: Option<i64>,
    #[sqlx(default)]
    occupancy_rate: Option<f64>,
    #[sqlx(default)]
    seat_utilization: Option<f64>,
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

/// How a list of events is sorted. Occupancy falls back to seats sold: halls are booking's.
#[derive(Clone, Copy)]
pub(crate) enum SortBy {
    Revenue,
    Reservations,
    Occupancy,
}

/// How revenue is grouped.
#[derive(Clone, Copy)]
pub(crate) enum Grouping {
    Day,
    Week,
    Month,
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
    COALESCE(s.reserved_seats, 0) AS sold_seats \
    FROM event_stats s FULL JOIN events e USING (event_id)";

fn sql(parts: &[&str]) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(parts.concat())
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

impl Figures {
    pub(crate) const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    pub(crate) async fn overview(&self) -> sqlx::Result<Overview> {
        sqlx::query_as(
            "SELECT count(DISTINCT user_id) AS total_users, \
             (SELECT count(*) FROM events WHERE status IN ('upcoming', 'on_sale')) AS active_events, \
             count(*) AS total_reservations, \
             count(*) FILTER (WHERE status = 'confirmed') AS confirmed_reservations, \
             COALESCE(sum(total_amount) FILTER (WHERE status = 'confirmed'), 0)::bigint AS total_revenue, \
             (SELECT count(*) FROM payments WHERE confirmed_at IS NOT NULL AND refunded_at IS NULL) AS completed_payments, \
             (SELECT COALESCE(sum(amount), 0)::bigint FROM payments \
              WHERE confirmed_at IS NOT NULL AND refunded_at IS NULL) AS payment_revenue, \
             (SELECT count(*) FROM memberships) AS active_memberships, \
             (SELECT count(*) FROM transfers) AS completed_transfers \
             FROM reservation_states",
        )
        .fetch_one(&self.pool)
        .await
    }

    pub(crate) async fn daily(&self, now: DateTime<Utc>, days: i32) -> sqlx::Result<Vec<Day>> {
        let statement = sql(&[
            "WITH ",
            DAYS,
            " SELECT date, COALESCE(total_reservations, 0) AS reservations, \
            COALESCE(confirmed_reservations, 0) AS confirmed, COALESCE(cancelled_reservations, 0) AS cancelled, \
            COALESCE(total_revenue, 0) AS revenue \
            FROM days LEFT JOIN daily_stats USING (date) ORDER BY date DESC",
        ]);
        sqlx::query_as(statement)
            .bind(now)
            .bind(days)
            .fetch_all(&self.pool)
            .await
    }

    pub(crate) async fn events(&self, sort: SortBy, limit: i64) -> sqlx::Result<Vec<EventRow>> {
        let column = match sort {
            SortBy::Revenue => "total_revenue",
            SortBy::Reservations => "total_reservations",
            SortBy::Occupancy => "reserved_seats",
        };
        let statement = sql(&[
            EVENT_ROW,
            " ORDER BY COALESCE(s.",
            column,
            ", 0) DESC, event_id LIMIT $1",
        ]);
        sqlx::query_as(statement).bind(limit).fetch_all(&self.pool).await
    }

    pub(crate) async fn event(&self, id: Uuid) -> sqlx::Result<Option<EventRow>> {
        sqlx::query_as(sql(&[EVENT_ROW, " WHERE event_id = $1"]))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
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

    pub(crate) async fn revenue(
        &self,
        now: DateTime<Utc>,
        days: i32,
        grouping: Grouping,
    ) -> sqlx::Result<Vec<Period>> {
        let unit = match grouping {
            Grouping::Day => "day",
            Grouping::Week => "week",
            Grouping::Month => "month",
        };
        let statement = sql(&[
            "WITH ",
            DAYS,
            " SELECT date_trunc('",
            unit,
            "', date)::date AS period, \
            COALESCE(sum(payment_count), 0)::bigint AS payment_count, \
            COALESCE(sum(s.total_revenue), 0)::bigint AS total_revenue, \
            COALESCE(round(sum(s.total_revenue) / NULLIF(sum(payment_count), 0), 2), 0)::float8 AS average_amount \
            FROM days LEFT JOIN daily_stats s USING (date) GROUP BY 1 ORDER BY 1 DESC",
        ]);
        sqlx::query_as(statement)
            .bind(now)
            .bind(days)
            .fetch_all(&self.pool)
            .await
    }

    /// 24 rows: made, confirmed and cancelled by the hour in which it happened.
    pub(crate) async fn hours(&self, now: DateTime<Utc>, days: i32) -> sqlx::Result<Vec<Hour>> {
        let statement = sql(&[
            "WITH ",
            DAYS,
            ", happened AS ( \
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
            FROM generate_series(0, 23) AS h LEFT JOIN happened ON hour = h GROUP BY h ORDER BY h",
        ]);
        sqlx::query_as(statement)
            .bind(now)
            .bind(days)
            .fetch_all(&self.pool)
            .await
    }

    pub(crate) async fn day_types(&self, now: DateTime<Utc>, days: i32) -> sqlx::Result<Vec<DayType>> {
        let statement = sql(&[
            "WITH ",
            DAYS,
            " SELECT CASE WHEN extract(isodow FROM korean_day(created_at)) >= 6 \
            THEN 'weekend' ELSE 'weekday' END AS day_type, count(*) AS reservations, \
            round(avg(total_amount), 2)::float8 AS avg_amount \
            FROM reservations, since WHERE korean_day(created_at) >= since.date GROUP BY 1 ORDER BY 1",
        ]);
        sqlx::query_as(statement)
            .bind(now)
            .bind(days)
            .fetch_all(&self.pool)
            .await
    }

    /// Who paid has completed, also when he gave the ticket back later.
    pub(crate) async fn funnel(&self, now: DateTime<Utc>, days: i32) -> sqlx::Result<(Funnel, Rates)> {
        let counts = sql(&[
            "WITH ",
            DAYS,
            " SELECT count(*) AS total_started, \
            count(*) FILTER (WHERE confirmed_at IS NOT NULL) AS completed, \
            count(*) FILTER (WHERE confirmed_at IS NULL AND cancelled_at IS NOT NULL) AS cancelled, \
            count(*) FILTER (WHERE confirmed_at IS NULL AND cancelled_at IS NULL) AS pending \
            FROM reservations, since WHERE korean_day(created_at) >= since.date",
        ]);
        let funnel: Funnel = sqlx::query_as(counts)
            .bind(now)
            .bind(days)
            .fetch_one(&self.pool)
            .await?;
        let share = |part: i64| percent(part, funnel.total_started);
        let rates = Rates {
            conversion_rate: share(funnel.completed),
            cancellation_rate: share(funnel.cancelled),
            pending_rate: share(funnel.pending),
        };
        Ok((funnel, rates))
    }

    pub(crate) async fn conversion_days(
        &self,
        now: DateTime<Utc>,
        days: i32,
    ) -> sqlx::Result<Vec<ConversionDay>> {
        let statement = sql(&[
            "WITH ",
            DAYS,
            " SELECT days.date, count(r.reservation_id) AS total, \
            count(r.confirmed_at) AS completed, \
            percent(count(r.confirmed_at), count(r.reservation_id)) AS conversion_rate \
            FROM days LEFT JOIN reservations r ON korean_day(r.created_at) = days.date \
            GROUP BY days.date ORDER BY days.date DESC",
        ]);
        sqlx::query_as(statement)
            .bind(now)
            .bind(days)
            .fetch_all(&self.pool)
            .await
    }

    pub(crate) async fn cancelled(&self, now: DateTime<Utc>, days: i32) -> sqlx::Result<Cancelled> {
        let statement = sql(&[
            "WITH ",
            DAYS,
            " SELECT count(*) AS total_cancelled, \
            COALESCE(round(avg(extract(epoch FROM cancelled_at - created_at)) / 3600, 2), 0)::float8 AS avg_hours_before_cancel, \
            (SELECT COALESCE(sum(amount), 0)::bigint FROM payments, since \
             WHERE korean_day(refunded_at) >= since.date) AS total_refund_amount \
            FROM reservations, since WHERE korean_day(cancelled_at) >= since.date",
        ]);
        sqlx::query_as(statement)
            .bind(now)
            .bind(days)
            .fetch_one(&self.pool)
            .await
    }

    pub(crate) async fn cancelled_events(
        &self,
        now: DateTime<Utc>,
        days: i32,
    ) -> sqlx::Result<Vec<CancelledEvent>> {
        let statement = sql(&[
            "WITH ",
            DAYS,
            " SELECT r.event_id AS id, \
            COALESCE(e.title, 'Event ' || r.event_id) AS title, \
            COALESCE(e.title, 'Event ' || r.event_id) AS event_title, \
            count(*) AS total_reservations, \
            count(r.cancelled_at) AS cancelled, count(r.cancelled_at) AS cancelled_count, \
            COALESCE(sum(p.amount), 0)::bigint AS refund_amount, \
            percent(count(r.cancelled_at), count(*)) AS cancellation_rate \
            FROM since, reservations r LEFT JOIN events e USING (event_id) \
            LEFT JOIN payments p ON p.reservation_id = r.reservation_id AND p.refunded_at IS NOT NULL \
            WHERE korean_day(r.created_at) >= since.date GROUP BY r.event_id, e.title \
            HAVING count(r.cancelled_at) > 0 ORDER BY cancelled DESC, id LIMIT 10",
        ]);
        sqlx::query_as(statement)
            .bind(now)
            .bind(days)
            .fetch_all(&self.pool)
            .await
    }

    pub(crate) async fn cancelled_days(
        &self,
        now: DateTime<Utc>,
        days: i32,
    ) -> sqlx::Result<Vec<CancelledDay>> {
        let statement = sql(&[
            "WITH ",
            DAYS,
            " SELECT date, COALESCE(cancelled_reservations, 0) AS cancellations \
            FROM days LEFT JOIN daily_stats USING (date) ORDER BY date DESC",
        ]);
        sqlx::query_as(statement)
            .bind(now)
            .bind(days)
            .fetch_all(&self.pool)
            .await
    }

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
