-- One row per thing that happened, keyed by the thing, written by events in any order and any number
-- of times (R-STAT-01). The figures of requirements.md section 2 (daily_stats, event_stats) are views of
-- these facts: they cannot drift from them, and replaying the events rebuilds them.
CREATE TABLE reservation_facts (
    reservation_id uuid PRIMARY KEY,
    event_id       uuid,
    user_id        uuid,
    amount         bigint NOT NULL DEFAULT 0,
    seats          bigint NOT NULL DEFAULT 0,
    created_at     timestamptz,
    confirmed_at   timestamptz,
    cancelled_at   timestamptz,
    cancel_reason  varchar(50)
);
CREATE INDEX reservation_facts_created ON reservation_facts (created_at);
CREATE INDEX reservation_facts_event ON reservation_facts (event_id);

CREATE TABLE payment_facts (
    payment_id   uuid PRIMARY KEY,
    amount       bigint NOT NULL,
    method       varchar(50),
    confirmed_at timestamptz,
    refunded_at  timestamptz
);
CREATE INDEX payment_facts_confirmed ON payment_facts (confirmed_at);

CREATE TABLE event_facts (
    event_id   uuid PRIMARY KEY,
    title      varchar(255) NOT NULL,
    venue      varchar(255),
    event_date timestamptz,
    status     varchar(20) NOT NULL,
    seen_at    timestamptz NOT NULL
);

CREATE TABLE transfer_facts (
    transfer_id  uuid PRIMARY KEY,
    price        bigint NOT NULL,
    completed_at timestamptz NOT NULL
);

CREATE TABLE membership_facts (
    membership_id uuid PRIMARY KEY,
    user_id       uuid NOT NULL,
    activated_at  timestamptz NOT NULL
);

-- A day is a day in Seoul: that is where the sales are.
CREATE VIEW daily_stats AS
SELECT (created_at AT TIME ZONE 'Asia/Seoul')::date              AS date,
       count(*)                                                   AS total_reservations,
       count(*) FILTER (WHERE confirmed_at IS NOT NULL)           AS confirmed_reservations,
       count(*) FILTER (WHERE cancelled_at IS NOT NULL)           AS cancelled_reservations,
       coalesce(sum(amount) FILTER (WHERE confirmed_at IS NOT NULL AND cancelled_at IS NULL), 0)::bigint AS total_revenue
FROM reservation_facts WHERE created_at IS NOT NULL GROUP BY 1;

CREATE VIEW event_stats AS
SELECT e.event_id, e.title, e.venue, e.event_date, e.status,
       count(r.reservation_id)                                              AS total_reservations,
       count(*) FILTER (WHERE r.confirmed_at IS NOT NULL)                   AS confirmed_reservations,
       count(*) FILTER (WHERE r.cancelled_at IS NOT NULL)                   AS cancelled_reservations,
       count(*) FILTER (WHERE r.reservation_id IS NOT NULL AND r.confirmed_at IS NULL AND r.cancelled_at IS NULL) AS pending_reservations,
       coalesce(sum(r.seats) FILTER (WHERE r.confirmed_at IS NOT NULL AND r.cancelled_at IS NULL), 0)::bigint AS reserved_seats,
       coalesce(sum(r.amount) FILTER (WHERE r.confirmed_at IS NOT NULL AND r.cancelled_at IS NULL), 0)::bigint AS total_revenue
FROM event_facts e LEFT JOIN reservation_facts r USING (event_id)
GROUP BY e.event_id, e.title, e.venue, e.event_date, e.status;
