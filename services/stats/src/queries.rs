//! The figures, each one statement over the facts that answers in the shape of the wire.
//!
//! Rates are percentages with two decimals. Names that clients read under two spellings are given
//! under both (quirk 35). Every statement returns JSON, because its columns are the contract and
//! nothing here computes with them.

/// Percentage of `part` in `whole`, 0 when there is nothing.
macro_rules! rate {
    ($part:literal, $whole:literal) => {
        concat!("coalesce(round(100.0 * (", $part, ") / nullif((", $whole, "), 0), 2), 0)")
    };
}

pub(crate) const OVERVIEW: &str = "SELECT json_build_object(
    'active_events', (SELECT count(*) FROM event_facts WHERE status IN ('upcoming', 'on_sale')),
    'total_users', (SELECT count(DISTINCT user_id) FROM reservation_facts),
    'total_reservations', (SELECT count(*) FROM reservation_facts),
    'confirmed_reservations', (SELECT count(*) FROM reservation_facts WHERE confirmed_at IS NOT NULL),
    'total_revenue', (SELECT coalesce(sum(total_revenue), 0) FROM daily_stats),
    'completed_payments', (SELECT count(*) FROM payment_facts WHERE confirmed_at IS NOT NULL),
    'payment_revenue', (SELECT coalesce(sum(amount), 0) FROM payment_facts WHERE confirmed_at IS NOT NULL AND refunded_at IS NULL))";

/// $1 days, $2 now.
pub(crate) const DAILY: &str = "SELECT coalesce(json_agg(json_build_object('date', date, 'reservations', total_reservations,
    'confirmed', confirmed_reservations, 'cancelled', cancelled_reservations, 'revenue', total_revenue) ORDER BY date DESC), '[]')
    FROM daily_stats WHERE date > ($2::timestamptz AT TIME ZONE 'Asia/Seoul')::date - $1::int";

const EVENT_FIELDS: &str = concat!(
    "'id', event_id, 'event_id', event_id, 'title', title, 'venue', venue, 'event_date', event_date, 'status', status,
     'reservations', total_reservations, 'total_reservations', total_reservations,
     'confirmed_reservations', confirmed_reservations, 'pending_reservations', pending_reservations,
     'cancelled_reservations', cancelled_reservations, 'revenue', total_revenue, 'total_revenue', total_revenue,
     'sold_seats', reserved_seats"
);

/// $1 limit. `order` is one of [`event_order`].
pub(crate) fn events(order: &'static str) -> String {
    format!(
        "SELECT coalesce(json_agg(row), '[]') FROM (SELECT json_build_object({EVENT_FIELDS}) AS row
         FROM event_stats ORDER BY {order} DESC, event_id LIMIT $1) AS page"
    )
}

/// The column a client's `sortBy` means; revenue unless he says otherwise.
pub(crate) fn event_order(sort_by: Option<&str>) -> &'static str {
    match sort_by {
        Some("reservations") => "total_reservations",
        Some("occupancy") => "reserved_seats",
        _ => "total_revenue",
    }
}

/// $1 the event.
pub(crate) fn event() -> String {
    format!("SELECT json_build_object({EVENT_FIELDS}) FROM event_stats WHERE event_id = $1")
}

pub(crate) const PAYMENTS: &str = "SELECT coalesce(json_agg(row), '[]') FROM (SELECT json_build_object('method', 'aggregated',
    'count', count(*), 'total_amount', coalesce(sum(amount), 0), 'average_amount', coalesce(round(avg(amount), 2), 0)) AS row
    FROM payment_facts WHERE confirmed_at IS NOT NULL) AS all_payments";

/// $1 days, $2 now, $3 the unit of `date_trunc`.
pub(crate) const REVENUE: &str = "SELECT coalesce(json_agg(row ORDER BY period DESC), '[]') FROM (
    SELECT period, json_build_object('period', period, 'payment_count', count(*), 'total_revenue', sum(amount),
        'average_amount', round(avg(amount), 2)) AS row
    FROM (SELECT date_trunc($3, confirmed_at AT TIME ZONE 'Asia/Seoul')::date AS period, amount FROM payment_facts
          WHERE confirmed_at > $2::timestamptz - make_interval(days => $1::int) AND refunded_at IS NULL) AS recent
    GROUP BY period) AS periods";

/// $1 days, $2 now.
pub(crate) const HOURLY: &str = "WITH recent AS (
        SELECT *, extract(hour FROM created_at AT TIME ZONE 'Asia/Seoul')::int AS hour,
               extract(isodow FROM created_at AT TIME ZONE 'Asia/Seoul') > 5 AS weekend
        FROM reservation_facts WHERE created_at > $2::timestamptz - make_interval(days => $1::int)),
    hours AS (SELECT h AS hour, count(r.reservation_id) AS total, count(r.confirmed_at) AS confirmed,
               count(r.cancelled_at) AS cancelled,
               coalesce(sum(r.amount) FILTER (WHERE r.confirmed_at IS NOT NULL AND r.cancelled_at IS NULL), 0) AS revenue
        FROM generate_series(0, 23) AS h LEFT JOIN recent r ON r.hour = h GROUP BY h)
    SELECT json_build_object(
        'hourly', (SELECT json_agg(json_build_object('hour', hour, 'total_reservations', total, 'confirmed', confirmed,
            'cancelled', cancelled, 'revenue', revenue) ORDER BY hour) FROM hours),
        'weekdayComparison', (SELECT json_agg(json_build_object('day_type', day_type, 'reservations', n, 'avg_amount', average))
            FROM (SELECT CASE WHEN weekend THEN 'weekend' ELSE 'weekday' END AS day_type, count(*) AS n,
                         coalesce(round(avg(amount), 2), 0) AS average FROM recent GROUP BY weekend) AS kinds),
        'peakHour', (SELECT json_build_object('hour', hour, 'reservations', total) FROM hours ORDER BY total DESC, hour LIMIT 1))";

/// $1 days, $2 now.
pub(crate) const CONVERSION: &str = concat!(
    "WITH recent AS (SELECT * FROM reservation_facts WHERE created_at > $2::timestamptz - make_interval(days => $1::int)),
     sums AS (SELECT count(*) AS started, count(*) FILTER (WHERE confirmed_at IS NOT NULL) AS completed,
        count(*) FILTER (WHERE cancelled_at IS NOT NULL AND confirmed_at IS NULL) AS cancelled,
        count(*) FILTER (WHERE cancelled_at IS NULL AND confirmed_at IS NULL) AS pending FROM recent)
     SELECT json_build_object(
        'funnel', (SELECT json_build_object('total_started', started, 'completed', completed, 'cancelled', cancelled, 'pending', pending) FROM sums),
        'rates', (SELECT json_build_object('conversion_rate', ", rate!("completed", "started"),
            ", 'cancellation_rate', ", rate!("cancelled", "started"), ", 'pending_rate', ", rate!("pending", "started"), ") FROM sums),
        'dailyTrend', (SELECT coalesce(json_agg(json_build_object('date', date, 'total', total_reservations,
            'completed', confirmed_reservations, 'conversion_rate', ", rate!("confirmed_reservations", "total_reservations"), ") ORDER BY date DESC), '[]')
            FROM daily_stats WHERE date > ($2::timestamptz AT TIME ZONE 'Asia/Seoul')::date - $1::int))"
);

/// $1 days, $2 now.
pub(crate) const CANCELLATIONS: &str = concat!(
    "WITH recent AS (SELECT * FROM reservation_facts WHERE cancelled_at > $2::timestamptz - make_interval(days => $1::int))
     SELECT json_build_object(
        'overview', (SELECT json_build_object('total_cancelled', count(*),
            'avg_hours_before_cancel', coalesce(round((avg(extract(epoch FROM cancelled_at - created_at)) / 3600)::numeric, 2), 0),
            'total_refund_amount', (SELECT coalesce(sum(amount), 0) FROM payment_facts
                WHERE refunded_at > $2::timestamptz - make_interval(days => $1::int))) FROM recent),
        'hourlyPattern', (SELECT json_agg(json_build_object('hour', h, 'cancellations',
            (SELECT count(*) FROM recent WHERE extract(hour FROM cancelled_at AT TIME ZONE 'Asia/Seoul')::int = h)) ORDER BY h)
            FROM generate_series(0, 23) AS h),
        'byEvent', (SELECT coalesce(json_agg(row), '[]') FROM (SELECT json_build_object('id', event_id, 'title', title,
            'event_title', title, 'total_reservations', total_reservations, 'cancelled', cancelled_reservations,
            'cancelled_count', cancelled_reservations, 'cancellation_rate', ", rate!("cancelled_reservations", "total_reservations"), ") AS row
            FROM event_stats WHERE cancelled_reservations > 0 ORDER BY cancelled_reservations DESC, event_id LIMIT 10) AS top),
        'dailyTrend', (SELECT coalesce(json_agg(json_build_object('date', date, 'cancellations', n) ORDER BY date DESC), '[]')
            FROM (SELECT (cancelled_at AT TIME ZONE 'Asia/Seoul')::date AS date, count(*) AS n FROM recent GROUP BY 1) AS days))"
);

/// $1 now.
pub(crate) const REALTIME: &str = "WITH recent AS (SELECT * FROM reservation_facts WHERE created_at > $1::timestamptz - interval '1 hour')
    SELECT json_build_object(
        'current', json_build_object(
            'locked_seats', (SELECT coalesce(sum(seats), 0) FROM recent WHERE confirmed_at IS NULL AND cancelled_at IS NULL),
            'active_payments', (SELECT count(*) FROM recent WHERE confirmed_at IS NULL AND cancelled_at IS NULL),
            'active_users', (SELECT count(DISTINCT user_id) FROM recent)),
        'lastHour', json_build_object('reservations', (SELECT count(*) FROM recent),
            'revenue', (SELECT coalesce(sum(amount), 0) FROM recent WHERE confirmed_at IS NOT NULL AND cancelled_at IS NULL)),
        'recentActivity', '[]'::json,
        'trendingEvents', (SELECT coalesce(json_agg(row), '[]') FROM (SELECT json_build_object('id', event_id, 'title', title,
            'recent_reservations', count(*), 'reservations', count(*)) AS row
            FROM recent JOIN event_facts USING (event_id) GROUP BY event_id, title ORDER BY count(*) DESC, event_id LIMIT 5) AS top))";
