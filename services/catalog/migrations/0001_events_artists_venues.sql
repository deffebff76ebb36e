-- Events, artists, venues and halls (requirements.md section 2). Seats and ticket types belong to
-- booking; what a list shows of them is kept here as a summary, written when they are written.
CREATE TABLE artists (
    id               uuid PRIMARY KEY,
    name             varchar(255) NOT NULL UNIQUE,
    image_url        text,
    description      text,
    membership_price bigint NOT NULL DEFAULT 30000,
    member_count     bigint NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);

CREATE TABLE venues (
    id         uuid PRIMARY KEY,
    name       varchar(255) NOT NULL,
    address    text,
    city       varchar(100),
    created_at timestamptz NOT NULL
);

CREATE TABLE halls (
    id            uuid PRIMARY KEY,
    venue_id      uuid NOT NULL REFERENCES venues (id),
    name          varchar(255) NOT NULL,
    capacity      bigint NOT NULL,
    seat_template jsonb NOT NULL,
    created_at    timestamptz NOT NULL
);

CREATE TABLE events (
    id                uuid PRIMARY KEY,
    title             varchar(255) NOT NULL,
    description       text,
    venue             varchar(255) NOT NULL,
    venue_id          uuid REFERENCES venues (id),
    hall_id           uuid REFERENCES halls (id),
    address           text,
    event_date        timestamptz NOT NULL,
    event_end_at      timestamptz,
    sale_start_date   timestamptz,
    sale_end_date     timestamptz,
    status            varchar(20) NOT NULL CHECK (status IN ('upcoming', 'on_sale', 'ended', 'cancelled')),
    seat_layout_id    uuid,
    artist_id         uuid REFERENCES artists (id),
    artist_name       varchar(255),
    poster_image_url  text,
    pre_scaled        boolean NOT NULL DEFAULT false,
    ticket_type_count bigint NOT NULL DEFAULT 0,
    min_price         bigint,
    max_price         bigint,
    created_by        uuid,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    CHECK (sale_end_date IS NULL OR sale_start_date IS NULL OR sale_end_date >= sale_start_date)
);
CREATE INDEX events_by_sale_start ON events (sale_start_date, id);
CREATE INDEX events_by_status ON events (status, sale_start_date);

CREATE TABLE keyword_mappings (
    id         uuid PRIMARY KEY,
    keyword    varchar(100) NOT NULL UNIQUE,
    expansions text[] NOT NULL
);

CREATE TABLE admin_audit_logs (
    id         uuid PRIMARY KEY,
    admin_id   uuid NOT NULL,
    action     varchar(50) NOT NULL,
    target_id  uuid NOT NULL,
    detail     jsonb NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX admin_audit_newest ON admin_audit_logs (created_at DESC);
