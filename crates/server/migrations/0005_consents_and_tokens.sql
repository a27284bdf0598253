-- Consents, codes and tokens. A token rests on its consents: revoking changes the
-- consent (or client, identity, issuance, family) and never thousands of token rows.

CREATE TABLE consents (
    id                   BIGINT NOT NULL PRIMARY KEY,
    parent_id            BIGINT REFERENCES consents (id) ON DELETE CASCADE, -- null: a root
    root_id              BIGINT NOT NULL,
    path                 TEXT NOT NULL,       -- ids from the root to this one, comma separated
    identity_id          UUID NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    client_id            UUID NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scope_id             UUID NOT NULL REFERENCES scopes (id) ON DELETE CASCADE,
    status               TEXT NOT NULL,       -- 'approved' or 'denied'
    allows_refresh       BIGINT NOT NULL,
    auto_approved        BIGINT NOT NULL,
    atomically_revocable BIGINT NOT NULL,
    label                TEXT,                -- named grant, on roots only
    created_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL,
    last_used_at         BIGINT
);
CREATE UNIQUE INDEX consents_root ON consents (identity_id, client_id, scope_id) WHERE parent_id IS NULL;
CREATE UNIQUE INDEX consents_child ON consents (parent_id, scope_id) WHERE parent_id IS NOT NULL;
CREATE INDEX consents_identity ON consents (identity_id);
CREATE INDEX consents_tree ON consents (root_id);
CREATE INDEX consents_client ON consents (client_id);
CREATE INDEX consents_scope ON consents (scope_id);

-- No foreign keys: a code lives for minutes, whoever redeems it looks client and identity
-- up, and without an index on them every deletion of a client would read all codes.
CREATE TABLE authorization_codes (
    hash                BYTEA NOT NULL PRIMARY KEY,
    client_id           UUID NOT NULL,
    identity_id         UUID NOT NULL,
    identity_generation BIGINT NOT NULL,
    issuance_id         UUID NOT NULL,
    app_session_id      UUID NOT NULL,
    redirect_uri        TEXT NOT NULL,
    code_challenge      TEXT,
    scope               TEXT NOT NULL,        -- requested top-level names in their order
    granted             TEXT NOT NULL,        -- JSON: [[consent id, scope string], ..]
    offline             BIGINT NOT NULL,
    nonce               TEXT,
    state               TEXT,
    auth_time           BIGINT NOT NULL,
    auth_time_requested BIGINT NOT NULL,
    issued_at           BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL,
    consumed_at         BIGINT
);
CREATE INDEX authorization_codes_expiry ON authorization_codes (expires_at);

CREATE TABLE access_tokens (
    hash                BYTEA NOT NULL PRIMARY KEY,
    client_id           UUID NOT NULL,
    identity_id         UUID NOT NULL,
    identity_generation BIGINT NOT NULL,
    resource_server_id  UUID NOT NULL,
    resource_server     TEXT NOT NULL,        -- the name at issue, shown in aud
    issuance_id         UUID NOT NULL,
    family_id           UUID,
    app_session_id      UUID,
    profile             BIGINT NOT NULL,      -- what the issuance granted of openid, profile, email: bits 1, 2, 4, view_identity_set 8
    issued_at           BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL,
    revoked_at          BIGINT
);
CREATE INDEX access_tokens_expiry ON access_tokens (expires_at);

CREATE TABLE refresh_tokens (
    hash                BYTEA NOT NULL PRIMARY KEY,
    family_id           UUID NOT NULL,
    generation          BIGINT NOT NULL,      -- 0 for the first of its family
    client_id           UUID NOT NULL,
    identity_id         UUID NOT NULL,
    identity_generation BIGINT NOT NULL,
    resource_server_id  UUID NOT NULL,
    resource_server     TEXT NOT NULL,
    issuance_id         UUID NOT NULL,
    app_session_id      UUID,
    profile             BIGINT NOT NULL,
    issued_at           BIGINT NOT NULL,      -- of the family's first token
    idle_since          BIGINT NOT NULL,      -- written at most once a day
    expires_at          BIGINT NOT NULL,      -- idle or absolute end, whichever is first
    rotated_at          BIGINT,               -- a successor exists since then
    successor_used_at   BIGINT,               -- the successor was presented: no repetition any more
    revoked_at          BIGINT
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

-- Which consents a token rests on, and the spelling of the scope that was asked for.
CREATE TABLE token_consents (
    token_hash   BYTEA NOT NULL,
    consent_id   BIGINT NOT NULL,
    scope_string TEXT NOT NULL,
    PRIMARY KEY (token_hash, consent_id)
);

-- Issuances, families and app sessions that were ended: every token of theirs is inactive.
CREATE TABLE ended_grants (
    id       UUID NOT NULL PRIMARY KEY,
    ended_at BIGINT NOT NULL
);
CREATE INDEX ended_grants_age ON ended_grants (ended_at);
