-- One row per thing, not counters: events come at least once and in any order, and a row that is
-- written to the same state twice is counted once. The figures of R-STAT-01 are views over them, so
-- they cannot disagree with each other, and replaying the streams rebuilds them.
CREATE TABLE reservations (
    reservation_id uuid PRIMARY KEY,
    event_id       uuid   NOT NULL,
    user_id        uuid   NOT NULL,
    total_amount   bigint NOT NULL DEFAULT 0,
    seats          integer NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL,
    confirmed_at   timestamptz,
    cancelled_at   timestamptz,
    cancel_reason  varchar(50)
);
CREATE INDEX reservations_event ON reservations (event_id);
CREATE INDEX reservations_created ON reservations (created_at);
CREATE INDEX reservations_cancelled ON reservations (cancelled_at) WHERE cancelled_at IS NOT NULL;

CREATE TABLE payments (
    payment_id     uuid PRIMARY KEY,
    reservation_id uuid,
    payment_type   varchar(20) NOT NULL,
    method         varchar(50),
    amount         bigint      NOT NULL,
    confirmed_at   timestamptz,
    refunded_at    timestamptz
);
CREATE INDEX payments_confirmed ON payments (confirmed_at);

CREATE TABLE transfers (
    transfer_id  uuid PRIMARY KEY,
    total_price  bigint      NOT NULL,
    completed_at timestamptz NOT NULL
);

CREATE TABLE memberships (
    membership_id uuid PRIMARY KEY,
    user_id       uuid        NOT NULL,
    activated_at  timestamptz NOT NULL
);

-- A copy of what catalog says, for titles and states.
CREATE TABLE events (
    event_id   uuid PRIMARY KEY,
    title      varchar(255) NOT NULL,
    venue      varchar(255),
    event_date timestamptz,
    status     varchar(20)  NOT NULL,
    told_at    timestamptz  NOT NULL
);

-- Days are Korean days. The country has had no daylight saving since 1988.
CREATE FUNCTION korean_day(at timestamptz) RETURNS date
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (at AT TIME ZONE interval '9 hours')::date;
CREATE FUNCTION korean_hour(at timestamptz) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN extract(hour FROM at AT TIME ZONE interval '9 hours')::integer;
-- Percent with two decimals; nothing of nothing is 0.
CREATE FUNCTION percent(part numeric, whole numeric) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(round(100 * part / NULLIF(whole, 0), 2), 0)::double precision;

-- Each reservation with the one state it is in.
CREATE VIEW reservation_states AS
    SELECT *, CASE WHEN cancel_reason = 'EXPIRED' THEN 'expired'
                   WHEN cancelled_at IS NOT NULL THEN 'cancelled'
                   WHEN confirmed_at IS NOT NULL THEN 'confirmed'
                   ELSE 'pending' END AS status
    FROM reservations;

-- What happened on each day: reservations by the day they were made, the rest by the day it happened.
CREATE VIEW daily_stats AS
    SELECT day AS date,
           sum(made)::bigint AS total_reservations,
           sum(confirmed)::bigint AS confirmed_reservations,
           sum(cancelled)::bigint AS cancelled_reservations,
           sum(paid)::bigint AS payment_count,
           sum(revenue)::bigint AS total_revenue
    FROM (
        SELECT korean_day(created_at) AS day, 1 AS made, 0 AS confirmed, 0 AS cancelled, 0 AS paid, 0::bigint AS revenue
        FROM reservations
        UNION ALL
        SELECT korean_day(confirmed_at), 0, 1, 0, 0, 0 FROM reservations WHERE confirmed_at IS NOT NULL
        UNION ALL
        SELECT korean_day(cancelled_at), 0, 0, 1, 0, 0 FROM reservations WHERE cancelled_at IS NOT NULL
        UNION ALL
        SELECT korean_day(confirmed_at), 0, 0, 0, 1, amount FROM payments
        WHERE confirmed_at IS NOT NULL AND refunded_at IS NULL
    ) AS happened
    GROUP BY day;

CREATE VIEW event_stats AS
    SELECT r.event_id,
           count(*) AS total_reservations,
           count(*) FILTER (WHERE r.status = 'confirmed') AS confirmed_reservations,
           count(*) FILTER (WHERE r.status = 'pending') AS pending_reservations,
           count(*) FILTER (WHERE r.status IN ('cancelled', 'expired')) AS cancelled_reservations,
           COALESCE(sum(r.total_amount) FILTER (WHERE r.status = 'confirmed'), 0)::bigint AS total_revenue,
           COALESCE(sum(r.seats) FILTER (WHERE r.status = 'confirmed'), 0)::bigint AS reserved_seats
    FROM reservation_states r
    GROUP BY r.event_id;
