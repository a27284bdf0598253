-- Identity providers, identities and the sets that link them, local passwords,
-- and one-time links such as the first administrator's.

CREATE TABLE identity_providers (
    id                UUID NOT NULL PRIMARY KEY,
    name              TEXT NOT NULL,
    short_name        TEXT NOT NULL UNIQUE,
    kind              TEXT NOT NULL,          -- 'local', 'client', 'oidc', 'placeholder'
    alternative_names TEXT NOT NULL,          -- JSON list
    issuer            TEXT,
    configuration     TEXT NOT NULL,          -- JSON object, by kind
    sealed_secret     BYTEA,
    enabled           BIGINT NOT NULL,
    created_at        BIGINT NOT NULL
);

CREATE TABLE idp_domains (
    domain               TEXT NOT NULL PRIMARY KEY,
    identity_provider_id UUID NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE
);
CREATE INDEX idp_domains_provider ON idp_domains (identity_provider_id);

CREATE TABLE identity_sets (
    id         UUID NOT NULL PRIMARY KEY,
    primary_id UUID NOT NULL                  -- no foreign key: set and identity are born together
);

CREATE TABLE identities (
    id                     UUID NOT NULL PRIMARY KEY,
    set_id                 UUID NOT NULL REFERENCES identity_sets (id),
    identity_provider_id   UUID NOT NULL REFERENCES identity_providers (id),
    subject                TEXT,              -- the provider's id; null while unused
    username               TEXT NOT NULL,
    name                   TEXT,
    email                  TEXT,
    organization           TEXT,
    status                 TEXT NOT NULL,     -- 'unused', 'used', 'private', 'closed'
    identity_type          TEXT,              -- 'login', 'link' or null
    enabled                BIGINT NOT NULL,
    generation             BIGINT NOT NULL,   -- raising it ends every token of the identity
    created_at             BIGINT NOT NULL,
    last_authentication_at BIGINT
);
CREATE UNIQUE INDEX identities_subject ON identities (identity_provider_id, subject) WHERE subject IS NOT NULL AND status <> 'closed';
CREATE UNIQUE INDEX identities_username ON identities (username) WHERE status <> 'closed';
CREATE INDEX identities_set ON identities (set_id);

CREATE TABLE passwords (
    identity_id UUID NOT NULL PRIMARY KEY REFERENCES identities (id) ON DELETE CASCADE,
    hash        TEXT NOT NULL,                -- PHC string, argon2id
    changed_at  BIGINT NOT NULL
);

CREATE TABLE administrators (
    identity_id UUID NOT NULL PRIMARY KEY REFERENCES identities (id) ON DELETE CASCADE,
    added_at    BIGINT NOT NULL
);

CREATE TABLE one_time_links (
    hash        BYTEA NOT NULL PRIMARY KEY,
    purpose     TEXT NOT NULL,                -- 'first_administrator'
    identity_id UUID,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    consumed_at BIGINT
);
