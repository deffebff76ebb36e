-- News by the house, posts and comments by members (requirements.md section 2). Author ids belong to
-- auth; names are snapshots taken when something is written.
CREATE TABLE news (
    id          uuid PRIMARY KEY,
    title       varchar(255) NOT NULL,
    content     text NOT NULL,
    author      varchar(100) NOT NULL,
    author_id   uuid,
    views       bigint NOT NULL DEFAULT 0,
    is_pinned   boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE INDEX news_newest ON news (is_pinned DESC, created_at DESC, id);

CREATE TABLE community_posts (
    id            uuid PRIMARY KEY,
    artist_id     uuid NOT NULL,
    author_id     uuid NOT NULL,
    author_name   varchar(100) NOT NULL,
    title         varchar(255) NOT NULL,
    content       text NOT NULL,
    views         bigint NOT NULL DEFAULT 0,
    comment_count bigint NOT NULL DEFAULT 0,
    is_pinned     boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
CREATE INDEX posts_newest ON community_posts (artist_id, is_pinned DESC, created_at DESC, id);

CREATE TABLE community_comments (
    id          uuid PRIMARY KEY,
    post_id     uuid NOT NULL REFERENCES community_posts (id) ON DELETE CASCADE,
    author_id   uuid NOT NULL,
    author_name varchar(100) NOT NULL,
    content     text NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE INDEX comments_oldest ON community_comments (post_id, created_at, id);
