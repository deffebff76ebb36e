-- What others hear of since this release (docs/decisions/0027), told once of what is there already: the terms of
-- membership that run, with their end, and the halls. Whoever knows it learns nothing from it.
INSERT INTO outbox_events (id, topic, aggregate_type, aggregate_id, event_type, payload, created_at)
SELECT told.id, 'membership-events', 'membership', m.id::text, 'MEMBERSHIP_ACTIVATED',
       jsonb_build_object(
           'eventId', told.id, 'type', 'MEMBERSHIP_ACTIVATED', 'aggregateType', 'membership',
           'aggregateId', m.id::text, 'version', 1,
           'timestamp', floor(extract(epoch FROM m.updated_at) * 1000)::bigint,
           'correlationId', NULL, 'causationId', NULL, 'userId', m.user_id,
           'payload', jsonb_build_object(
               'membershipId', m.id, 'userId', m.user_id, 'artistId', m.artist_id,
               'expiresAt', floor(extract(epoch FROM m.expires_at) * 1000)::bigint)),
       m.updated_at
FROM artist_memberships m, LATERAL (SELECT gen_random_uuid() AS id WHERE m.id IS NOT NULL) AS told
WHERE m.status = 'active' AND m.expires_at IS NOT NULL;

INSERT INTO outbox_events (id, topic, aggregate_type, aggregate_id, event_type, payload, created_at)
SELECT told.id, 'reservation-events', 'event', s.event_id::text, 'SEATING_CHANGED',
       jsonb_build_object(
           'eventId', told.id, 'type', 'SEATING_CHANGED', 'aggregateType', 'event',
           'aggregateId', s.event_id::text, 'version', 1,
           'timestamp', floor(extract(epoch FROM s.created_at) * 1000)::bigint,
           'correlationId', NULL, 'causationId', NULL, 'userId', NULL,
           'payload', jsonb_build_object('eventId', s.event_id, 'hall', s.layout_config)),
       s.created_at
FROM seatings s, LATERAL (SELECT gen_random_uuid() AS id WHERE s.event_id IS NOT NULL) AS told;
