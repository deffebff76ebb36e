-- What a service has told others and what it has heard (requirements.md section 2, "each").
-- Unqualified names: the role's search_path is its own schema.

CREATE TABLE outbox_events (
    id              uuid        PRIMARY KEY,           -- the event's id
    seq             bigint      GENERATED ALWAYS AS IDENTITY,
    topic           text        NOT NULL,
    aggregate_type  text        NOT NULL,
    aggregate_id    text        NOT NULL,
    event_type      text        NOT NULL,
    payload         jsonb       NOT NULL,              -- the whole envelope
    created_at      timestamptz NOT NULL,
    published       boolean     NOT NULL DEFAULT false,
    published_at    timestamptz,
    retry_count     int         NOT NULL DEFAULT 0,
    dead            boolean     NOT NULL DEFAULT false, -- went to the dead-letter stream
    last_error      text
);

-- The relay's question: the oldest unpublished ones.
CREATE INDEX outbox_events_unpublished ON outbox_events (seq) WHERE NOT published;
-- Clean-up, and publishing again after the bus lost its memory.
CREATE INDEX outbox_events_published_at ON outbox_events (published_at) WHERE published;

CREATE TABLE processed_events (
    event_id        uuid        NOT NULL,
    consumer_group  text        NOT NULL,
    event_type      text        NOT NULL,
    processed_at    timestamptz NOT NULL,
    PRIMARY KEY (event_id, consumer_group)
);
CREATE INDEX processed_events_processed_at ON processed_events (processed_at);

-- Which life of the bus we published to: when it changes, the bus has forgotten.
CREATE TABLE outbox_bus (
    one             boolean     PRIMARY KEY DEFAULT true CHECK (one),
    incarnation     text        NOT NULL
);
