-- One row per order. The states (requirements.md R-PAY-04; the wire shows fewer, see payment.rs):
--
--   pending ----> confirming ----> confirmed ----> refunding ----> refunded
--      ^              |  ^
--      |              v  |
--      +--(not sent)--+ failed
--
-- `confirming` and `refunding` are promises: a row is put there, committed, BEFORE the provider is
-- called, so that whoever finds it after a crash knows what to ask and what to finish.
CREATE TABLE payments (
    id               uuid PRIMARY KEY,
    order_id         varchar(64)  NOT NULL UNIQUE,
    payment_type     varchar(20)  NOT NULL CHECK (payment_type IN ('reservation', 'transfer', 'membership')),
    reservation_id   uuid,
    reference_id     uuid,
    user_id          uuid         NOT NULL,
    event_id         uuid,
    amount           bigint       NOT NULL CHECK (amount > 0),
    payment_key      varchar(200) UNIQUE,
    method           varchar(50),
    status           varchar(20)  NOT NULL DEFAULT 'pending'
                     CHECK (status IN ('pending', 'confirming', 'confirmed', 'refunding', 'refunded', 'failed')),
    -- How often the provider was asked to charge; part of the idempotency key of the asking.
    attempt          integer      NOT NULL DEFAULT 0,
    confirming_since timestamptz,
    -- When the recovery task looks at the row next; null: nothing is owed.
    next_check_at    timestamptz,
    -- When booking acknowledged the payment (seat sold, transfer done, membership active).
    fulfilled_at     timestamptz,
    toss_status      varchar(40),
    toss_approved_at timestamptz,
    toss_response    jsonb,
    failure_reason   text,
    refund_reason    text,
    paid_at          timestamptz,
    refunded_at      timestamptz,
    created_at       timestamptz  NOT NULL,
    updated_at       timestamptz  NOT NULL,
    CHECK ((payment_type = 'reservation') = (reservation_id IS NOT NULL)),
    CHECK ((payment_type = 'reservation') = (reference_id IS NULL)),
    CHECK (status IN ('pending', 'failed') OR payment_key IS NOT NULL)
);

-- One live order per thing and payer: two tabs that prepare the same reservation share an order,
-- and the provider charges an order once (R-PAY-05). Buyers who compete for a transfer each have
-- their own; booking accepts one and the others are refunded.
CREATE UNIQUE INDEX payments_one_live
    ON payments (COALESCE(reservation_id, reference_id), user_id) WHERE status <> 'refunded';
CREATE INDEX payments_owed ON payments (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX payments_of_user ON payments (user_id, created_at DESC);

-- Every exchange with the provider (R-PAY-10). Never the secret key: only bodies are kept.
CREATE TABLE payment_logs (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id    uuid        NOT NULL REFERENCES payments (id),
    action        varchar(50) NOT NULL,
    request_body  jsonb,
    response_body jsonb,
    created_at    timestamptz NOT NULL
);
CREATE INDEX payment_logs_of_payment ON payment_logs (payment_id);
