-- Accounts are told to others since this release (docs/decisions/0027): those that are there already, once.
INSERT INTO outbox_events (id, topic, aggregate_type, aggregate_id, event_type, payload, created_at)
SELECT told.id, 'account-events', 'account', u.id::text, 'ACCOUNT_OPENED',
       jsonb_build_object(
           'eventId', told.id, 'type', 'ACCOUNT_OPENED', 'aggregateType', 'account',
           'aggregateId', u.id::text, 'version', 1,
           'timestamp', floor(extract(epoch FROM u.created_at) * 1000)::bigint,
           'correlationId', NULL, 'causationId', NULL, 'userId', u.id,
           'payload', jsonb_build_object('userId', u.id, 'role', u.role)),
       u.created_at
FROM users u, LATERAL (SELECT gen_random_uuid() AS id WHERE u.id IS NOT NULL) AS told;
