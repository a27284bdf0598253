-- Browser sessions, the sessions of clients in them, and parked authorization requests.

CREATE TABLE browser_sessions (
    id           UUID NOT NULL PRIMARY KEY,
    cookie_hash  BYTEA NOT NULL UNIQUE,
    created_at   BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,             -- the absolute end
    address      TEXT,
    user_agent   TEXT,
    ended_at     BIGINT
);
CREATE INDEX browser_sessions_age ON browser_sessions (last_seen_at);

CREATE TABLE browser_authentications (
    browser_session_id   UUID NOT NULL REFERENCES browser_sessions (id) ON DELETE CASCADE,
    identity_id          UUID NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    identity_provider_id UUID NOT NULL,
    authenticated_at     BIGINT NOT NULL,
    acr                  TEXT,
    amr                  TEXT,                -- JSON list or null
    PRIMARY KEY (browser_session_id, identity_id)
);
CREATE INDEX browser_authentications_identity ON browser_authentications (identity_id);

-- One client in one browser; the id is what introspection shows as session_id. The row
-- outlives the browser session: tokens name it.
CREATE TABLE app_sessions (
    id                 UUID NOT NULL PRIMARY KEY,
    browser_session_id UUID NOT NULL,
    client_id          UUID NOT NULL,
    created_at         BIGINT NOT NULL,
    token_expires_at   BIGINT NOT NULL,       -- latest end of a token that names it
    UNIQUE (browser_session_id, client_id)
);
CREATE INDEX app_sessions_expiry ON app_sessions (token_expires_at);

CREATE TABLE session_authentications (
    app_session_id       UUID NOT NULL REFERENCES app_sessions (id) ON DELETE CASCADE,
    identity_id          UUID NOT NULL,
    identity_provider_id UUID NOT NULL,
    authenticated_at     BIGINT NOT NULL,
    acr                  TEXT,
    amr                  TEXT,
    PRIMARY KEY (app_session_id, identity_id)
);

CREATE TABLE authorization_requests (
    id                 UUID NOT NULL PRIMARY KEY,
    browser_session_id UUID NOT NULL REFERENCES browser_sessions (id) ON DELETE CASCADE,
    client_id          UUID NOT NULL,         -- looked up again when the request is resumed
    parameters         TEXT NOT NULL,         -- JSON, validated before it is parked
    parked_at          BIGINT NOT NULL,
    authenticated_at   BIGINT,                -- the login that this request asked for has happened
    page_shown         BIGINT NOT NULL,       -- 1: the person has seen a page of this request
    decision           TEXT,                  -- 'allow', 'deny' or 'continue', from a page
    expires_at         BIGINT NOT NULL
);
CREATE INDEX authorization_requests_session ON authorization_requests (browser_session_id, parked_at);
CREATE INDEX authorization_requests_expiry ON authorization_requests (expires_at);
