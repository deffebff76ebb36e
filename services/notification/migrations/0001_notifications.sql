-- One row per event and channel: written with the event's dedup row, delivered apart (R-NOT-01).
CREATE TABLE notifications (
    id           uuid PRIMARY KEY,
    event_id     uuid NOT NULL,
    user_id      uuid NOT NULL,
    channel      varchar(20) NOT NULL,
    template     varchar(50) NOT NULL,
    title        varchar(255) NOT NULL,
    body         text NOT NULL,
    attempts     integer NOT NULL DEFAULT 0,
    next_try_at  timestamptz NOT NULL,
    delivered_at timestamptz,
    failed_at    timestamptz,
    created_at   timestamptz NOT NULL,
    UNIQUE (event_id, channel)
);
CREATE INDEX notifications_of_user ON notifications (user_id, created_at DESC);
CREATE INDEX notifications_due ON notifications (next_try_at) WHERE delivered_at IS NULL AND failed_at IS NULL;
