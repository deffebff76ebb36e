-- Terms of membership as booking tells of them (docs/decisions/0027): a row a term, whatever comes twice or backwards, so
-- that the members of an artist are counted and never kept count of.
CREATE TABLE artist_members (
    membership_id uuid PRIMARY KEY,
    artist_id     uuid NOT NULL,
    user_id       uuid NOT NULL,
    expires_at    timestamptz, -- NULL: only its end was heard of yet
    ended_at      timestamptz  -- before its time
);
CREATE INDEX artist_members_of ON artist_members (artist_id, expires_at) WHERE ended_at IS NULL;
COMMENT ON COLUMN artists.member_count IS 'read by releases before this one only; to be dropped by the next';

-- When the music service was asked about an artist last: whoever was never asked about comes first.
ALTER TABLE artists ADD COLUMN looked_up_at timestamptz;
