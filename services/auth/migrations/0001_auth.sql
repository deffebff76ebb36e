-- Addresses are kept in lower case (C§15.38); the index makes sure of it.
CREATE TABLE users (
    id            uuid PRIMARY KEY,
    email         varchar(255) NOT NULL,
    password_hash varchar(255),
    name          varchar(100) NOT NULL,
    phone         varchar(20),
    role          varchar(20)  NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
    google_id     varchar(255) UNIQUE,
    status        varchar(20)  NOT NULL DEFAULT 'ACTIVE'
                  CHECK (status IN ('ACTIVE', 'INACTIVE', 'DORMANT', 'DELETED')),
    last_login_at timestamptz,
    deleted_at    timestamptz,
    created_at    timestamptz  NOT NULL,
    updated_at    timestamptz  NOT NULL,
    CHECK (email = lower(email))
);
CREATE UNIQUE INDEX users_email ON users (email);

-- A refresh token is kept as its SHA-256 and is good once. `replaced` tells a token that was used
-- from one that was revoked: using either again revokes the family, only the first is an alarm.
CREATE TABLE refresh_tokens (
    id         uuid PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES users (id),
    token_hash varchar(64) NOT NULL UNIQUE,
    family_id  uuid        NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    replaced   boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id) WHERE revoked_at IS NULL;
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

CREATE TABLE login_history (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id        uuid REFERENCES users (id),
    ip_address     varchar(64),
    user_agent     varchar(255),
    login_method   varchar(20) NOT NULL,
    success        boolean     NOT NULL,
    failure_reason varchar(50),
    created_at     timestamptz NOT NULL
);
CREATE INDEX login_history_user ON login_history (user_id, created_at DESC);

CREATE TABLE terms_agreements (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id       uuid        NOT NULL REFERENCES users (id),
    terms_type    varchar(20) NOT NULL CHECK (terms_type IN ('SERVICE', 'PRIVACY', 'MARKETING')),
    agreed        boolean     NOT NULL,
    terms_version varchar(20) NOT NULL,
    agreed_at     timestamptz NOT NULL
);
CREATE INDEX terms_agreements_user ON terms_agreements (user_id);
