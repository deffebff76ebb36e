-- Everything booking owns. Times are UTC and always passed in by the service's clock, never now():
-- a drill and a test run on a clock of their own. Money is whole KRW. Ids marked (~) belong to
-- another service and carry no key (R-DATA-01).

CREATE TABLE seat_layouts (
    id            uuid PRIMARY KEY,
    name          text NOT NULL UNIQUE CHECK (char_length(name) BETWEEN 1 AND 100),
    description   text,
    total_seats   integer NOT NULL CHECK (total_seats > 0),
    layout_config jsonb NOT NULL,
    created_at    timestamptz NOT NULL
);

-- Booking's own copy of what catalog says about an event (~). `as_of` is the time of the event
-- that brought it: an older one arriving later changes nothing.
CREATE TABLE event_copies (
    event_id         uuid PRIMARY KEY,
    title            text NOT NULL,
    venue            text NOT NULL DEFAULT '',
    address          text,
    event_date       timestamptz,
    sale_start_date  timestamptz,
    sale_end_date    timestamptz,
    status           text NOT NULL DEFAULT 'upcoming',
    artist_id        uuid,
    artist_name      text,
    seat_layout_id   uuid,
    poster_image_url text,
    as_of            timestamptz NOT NULL
);

-- What the control plane says about a sale: wins over the copy's dates while it exists.
CREATE TABLE sales (
    event_id          uuid PRIMARY KEY,
    name              text NOT NULL,
    opens_at          timestamptz NOT NULL,
    closes_at         timestamptz NOT NULL,
    hold_ttl_s        integer NOT NULL CHECK (hold_ttl_s > 0),
    seats_per_booking integer NOT NULL DEFAULT 1 CHECK (seats_per_booking BETWEEN 1 AND 4),
    updated_at        timestamptz NOT NULL,
    CHECK (opens_at < closes_at)
);

-- One row per event whose seats exist. `generation` changes when they are made anew, so that a
-- cached seat map of the old set can never be taken for the new one.
CREATE TABLE seatings (
    event_id      uuid PRIMARY KEY,
    layout_id     uuid NOT NULL REFERENCES seat_layouts (id),
    generation    uuid NOT NULL,
    seats         integer NOT NULL,
    layout_config jsonb NOT NULL,
    created_at    timestamptz NOT NULL
);

-- A hold is locked_by + lock_expires_at + fencing_token. The token only grows, over the whole life
-- of the seat: whoever presents an older one has lost it (law `fenced`). No index holds a column that a hold changes, and pages keep
-- room, so that every hold and sale is a heap-only update; hence no (event_id, status) index.
CREATE TABLE seats (
    id              uuid PRIMARY KEY,
    event_id        uuid NOT NULL REFERENCES seatings (event_id) ON DELETE CASCADE,
    ordinal         integer NOT NULL,
    section         text NOT NULL CHECK (char_length(section) BETWEEN 1 AND 50),
    row_number      integer NOT NULL,
    seat_number     integer NOT NULL,
    seat_label      text NOT NULL CHECK (char_length(seat_label) <= 80),
    grade           text,
    price           bigint NOT NULL CHECK (price >= 0),
    status          text NOT NULL DEFAULT 'available' CHECK (status IN ('available', 'locked', 'reserved')),
    version         integer NOT NULL DEFAULT 0,
    fencing_token   bigint NOT NULL DEFAULT 0,
    locked_by       uuid,
    lock_expires_at timestamptz,
    updated_at      timestamptz NOT NULL,
    UNIQUE (event_id, section, row_number, seat_number),
    UNIQUE (event_id, ordinal),
    CHECK ((status = 'available') = (locked_by IS NULL)),
    CHECK ((status = 'locked') = (lock_expires_at IS NOT NULL))
) WITH (fillfactor = 60);

CREATE TABLE ticket_types (
    id                 uuid PRIMARY KEY,
    event_id           uuid NOT NULL,
    name               text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    description        text,
    price              bigint NOT NULL CHECK (price >= 0),
    total_quantity     integer NOT NULL CHECK (total_quantity >= 0),
    available_quantity integer NOT NULL CHECK (available_quantity BETWEEN 0 AND total_quantity),
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL
);
CREATE INDEX ticket_types_by_event ON ticket_types (event_id);

CREATE TABLE reservations (
    id                 uuid PRIMARY KEY,
    user_id            uuid NOT NULL,
    event_id           uuid NOT NULL,
    reservation_number text NOT NULL UNIQUE CHECK (char_length(reservation_number) <= 50),
    total_amount       bigint NOT NULL CHECK (total_amount >= 0),
    status             text NOT NULL CHECK (status IN ('pending', 'confirmed', 'cancelled', 'expired')),
    payment_status     text NOT NULL DEFAULT 'pending'
                       CHECK (payment_status IN ('pending', 'completed', 'refunded', 'refund_requested')),
    payment_method     text CHECK (char_length(payment_method) <= 50),
    expires_at         timestamptz NOT NULL,
    operation          text NOT NULL,
    idempotency_key    text CHECK (char_length(idempotency_key) <= 255),
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    -- R-BOOK-06: one result per user, operation and key. Keyless rows are not compared (NULLs differ).
    UNIQUE (user_id, operation, idempotency_key)
);
CREATE INDEX reservations_of_user ON reservations (user_id, status);
CREATE INDEX reservations_of_event ON reservations (event_id, status);
CREATE INDEX reservations_due ON reservations (expires_at) WHERE status = 'pending';

CREATE TABLE reservation_items (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    reservation_id uuid NOT NULL REFERENCES reservations (id) ON DELETE CASCADE,
    ticket_type_id uuid REFERENCES ticket_types (id),
    seat_id        uuid REFERENCES seats (id) ON DELETE SET NULL,
    quantity       integer NOT NULL CHECK (quantity > 0),
    unit_price     bigint NOT NULL,
    subtotal       bigint NOT NULL,
    label          text NOT NULL,
    grade          text,
    fencing_token  bigint,
    -- A seat's token is issued to one reservation only; also how a hold is found by its seat.
    UNIQUE (seat_id, fencing_token),
    CHECK (seat_id IS NULL OR fencing_token IS NOT NULL)
);
CREATE INDEX reservation_items_of ON reservation_items (reservation_id);

-- Tickets a user has in hand for an event (pending and confirmed). A row of its own because only a
-- guarded write can keep two parallel holds of one user within the limit (R-BOOK-04).
CREATE TABLE ticket_quotas (
    user_id  uuid NOT NULL,
    event_id uuid NOT NULL,
    tickets  integer NOT NULL CHECK (tickets >= 0),
    PRIMARY KEY (user_id, event_id)
) WITH (fillfactor = 70);

CREATE TABLE artist_memberships (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL,
    artist_id  uuid NOT NULL,
    tier       text NOT NULL DEFAULT 'SILVER',
    points     integer NOT NULL DEFAULT 0,
    status     text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'active', 'expired')),
    joined_at  timestamptz,
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (user_id, artist_id)
);

CREATE TABLE membership_point_logs (
    id            uuid PRIMARY KEY,
    membership_id uuid NOT NULL REFERENCES artist_memberships (id) ON DELETE CASCADE,
    action_type   text NOT NULL CHECK (char_length(action_type) <= 50),
    points        integer NOT NULL,
    description   text,
    reference_id  uuid,
    created_at    timestamptz NOT NULL
);
CREATE INDEX membership_point_logs_of ON membership_point_logs (membership_id, created_at);

CREATE TABLE ticket_transfers (
    id                   uuid PRIMARY KEY,
    reservation_id       uuid NOT NULL REFERENCES reservations (id),
    seller_id            uuid NOT NULL,
    buyer_id             uuid,
    artist_id            uuid,
    original_price       bigint NOT NULL,
    transfer_fee         bigint NOT NULL,
    transfer_fee_percent integer NOT NULL,
    total_price          bigint NOT NULL,
    status               text NOT NULL DEFAULT 'listed' CHECK (status IN ('listed', 'completed', 'cancelled')),
    created_at           timestamptz NOT NULL,
    completed_at         timestamptz,
    updated_at           timestamptz NOT NULL
);
-- R-TRF-01: one open listing per reservation.
CREATE UNIQUE INDEX ticket_transfers_open ON ticket_transfers (reservation_id) WHERE status = 'listed';

-- Every statement here is fixed and found by key: planning it anew for each call (1 ms, as the
-- planner prefers for arrays) would cost more than running it. A role may set this for itself.
ALTER ROLE CURRENT_USER SET plan_cache_mode = force_generic_plan;
