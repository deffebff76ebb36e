-- Memberships and transfers (docs/decisions/0024).

-- Booking's own copy of what catalog says about an artist (~).
CREATE TABLE artist_copies (
    artist_id        uuid PRIMARY KEY,
    name             text NOT NULL,
    image_url        text,
    membership_price bigint NOT NULL CHECK (membership_price >= 0),
    as_of            timestamptz NOT NULL
);

-- What the present term was offered for. A term is bought once and so has an id of its own: whoever
-- joins again after the end gets the row under a new one, and its points go with it.
ALTER TABLE artist_memberships ADD COLUMN price bigint NOT NULL DEFAULT 30000 CHECK (price > 0);
ALTER TABLE membership_point_logs
    DROP CONSTRAINT membership_point_logs_membership_id_fkey,
    ADD CONSTRAINT membership_point_logs_membership_id_fkey FOREIGN KEY (membership_id)
        REFERENCES artist_memberships (id) ON UPDATE CASCADE ON DELETE CASCADE;
-- One thing earns its points once, however often it is told.
CREATE UNIQUE INDEX membership_points_once
    ON membership_point_logs (membership_id, action_type, reference_id) WHERE reference_id IS NOT NULL;
CREATE INDEX membership_points_for ON membership_point_logs (reference_id) WHERE reference_id IS NOT NULL;

-- The transfer by which the present owner came by it. No key: it would be looked at by every hold.
ALTER TABLE reservations ADD COLUMN transfer_id uuid;

CREATE INDEX ticket_transfers_newest ON ticket_transfers (created_at DESC, id) WHERE status = 'listed';
CREATE INDEX ticket_transfers_of_seller ON ticket_transfers (seller_id, created_at DESC);
CREATE INDEX ticket_transfers_of_reservation ON ticket_transfers (reservation_id);

-- What was decided about a payment (~) for a transfer or membership. The first word stands: the payment
-- service's call, its event and every repeat of either end here.
CREATE TABLE purchases (
    payment_id uuid PRIMARY KEY,
    target_id  uuid NOT NULL,
    outcome    text NOT NULL CHECK (outcome IN ('fulfilled', 'refused', 'refunded')),
    reason     text,
    decided_at timestamptz NOT NULL
);
