-- Charges that booking has said are to go back and of whose return it has not heard (R-JOB-02): what is said once may be
-- lost. Written with the event that tells of it, deleted when the refund is told, asked for again meanwhile.
CREATE TABLE refunds_owed (
    -- What was paid for, as payment keys it: the reservation, or the transfer by which its payer had it.
    target_id   uuid PRIMARY KEY,
    is_transfer boolean NOT NULL,
    -- (~) NULL where a release before this one did not keep it.
    payment_id  uuid,
    user_id     uuid NOT NULL,
    reason      text NOT NULL,
    since       timestamptz NOT NULL,
    asked       integer NOT NULL DEFAULT 0 CHECK (asked >= 0),
    ask_at      timestamptz NOT NULL
);
CREATE INDEX refunds_owed_due ON refunds_owed (ask_at);

-- What is owed already: of tickets that were given up, and to those who sold theirs. What of that went back long ago
-- is found out by asking payment.
INSERT INTO refunds_owed (target_id, is_transfer, payment_id, user_id, reason, since, ask_at)
SELECT coalesce(r.transfer_id, r.id), r.transfer_id IS NOT NULL, p.payment_id, r.user_id, 'CANCELLED', r.updated_at,
       r.updated_at
FROM reservations r
LEFT JOIN purchases p ON p.target_id = r.transfer_id AND p.outcome = 'fulfilled'
WHERE r.payment_status = 'refund_requested' AND r.total_amount > 0
ON CONFLICT DO NOTHING;

INSERT INTO refunds_owed (target_id, is_transfer, payment_id, user_id, reason, since, ask_at)
SELECT coalesce(t.previous, t.reservation_id), t.previous IS NOT NULL, p.payment_id, t.seller_id, 'TICKET_SOLD',
       t.completed_at, t.completed_at
FROM (SELECT *, lag(id) OVER (PARTITION BY reservation_id ORDER BY completed_at, id) AS previous
      FROM ticket_transfers WHERE status = 'completed') t
LEFT JOIN purchases p ON p.target_id = t.previous AND p.outcome = 'fulfilled'
WHERE t.previous IS NULL OR p.payment_id IS NOT NULL
ON CONFLICT DO NOTHING;

-- The sweep of what belongs to shows that were called off looks at these, every half minute.
CREATE INDEX event_copies_called_off ON event_copies (event_id) WHERE status = 'cancelled';
