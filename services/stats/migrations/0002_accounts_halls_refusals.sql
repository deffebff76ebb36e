-- What events tell since this release (docs/decisions/0027). As in 0001: a row a thing, figures are views.
CREATE TABLE accounts (
    user_id   uuid PRIMARY KEY,
    role      varchar(20) NOT NULL,
    opened_at timestamptz NOT NULL
);
CREATE INDEX accounts_opened ON accounts (opened_at);

-- The hall an event's seats were made from, as booking tells it: [{name, rows, seatsPerRow, price, startRow}].
-- NULL: its seats were removed.
CREATE TABLE halls (
    event_id uuid PRIMARY KEY,
    sections jsonb,
    told_at  timestamptz NOT NULL
);

-- [{section, row, price}] of what was sold; NULL for what was sold before events told it.
ALTER TABLE reservations ADD COLUMN sold jsonb;

-- A payment may be refused several times before it succeeds: a row a refusal, by the event that told of it.
CREATE TABLE refused_charges (
    told_by    uuid PRIMARY KEY,
    payment_id uuid        NOT NULL,
    refused_at timestamptz NOT NULL
);
CREATE INDEX refused_charges_at ON refused_charges (refused_at);

-- The end of a term may be heard of before its beginning.
ALTER TABLE memberships ALTER COLUMN activated_at DROP NOT NULL,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN ended_at   timestamptz;

CREATE FUNCTION price_tier(price bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN price < 50000 THEN 'budget' WHEN price < 100000 THEN 'standard'
                WHEN price < 150000 THEN 'premium' ELSE 'vip' END;

CREATE VIEW hall_rows AS
    SELECT h.event_id, s.name AS section, COALESCE(s."startRow", 1) + n AS row_number,
           s."seatsPerRow"::bigint AS seats, s.price
    FROM halls h,
         jsonb_to_recordset(h.sections)
             AS s (name text, rows integer, "seatsPerRow" integer, price bigint, "startRow" integer),
         generate_series(0, s.rows - 1) AS n;

CREATE VIEW hall_sizes AS
    SELECT event_id, sum(seats)::bigint AS seats FROM hall_rows GROUP BY event_id;

-- Rows of seats beside the seats sold in them, for events whose hall is known: sums of `total` and `sold` over any
-- columns are that group's figures, and none has sold more than it has.
CREATE VIEW seat_figures AS
    SELECT event_id, section, row_number, price, seats AS total, 0::bigint AS sold FROM hall_rows
    UNION ALL
    SELECT r.event_id, s.section, s."row", s.price, 0, 1
    FROM reservations r JOIN halls h ON h.event_id = r.event_id AND h.sections IS NOT NULL,
         jsonb_to_recordset(r.sold) AS s (section text, "row" integer, price bigint)
    WHERE r.confirmed_at IS NOT NULL AND r.cancelled_at IS NULL;
