-- What the server itself keeps: settings fixed at the first start, keys, leases of
-- background jobs, failure counters, and the audit trail.
-- Types: UUID, BYTEA, BIGINT, TEXT. Times are microseconds since 1970; booleans 0 or 1.

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Symmetric keys, sealed with the master key: rotation of refresh tokens, form tokens.
CREATE TABLE secret_keys (
    name       TEXT NOT NULL PRIMARY KEY,
    sealed     BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE signing_keys (
    id             UUID NOT NULL PRIMARY KEY,
    kind           TEXT NOT NULL,             -- 'RSA' or 'EC'
    public_first   TEXT NOT NULL,             -- n or x, base64url
    public_second  TEXT NOT NULL,             -- e or y, base64url
    sealed_private BYTEA NOT NULL,
    publish_at     BIGINT NOT NULL,
    sign_from      BIGINT NOT NULL,
    retire_at      BIGINT,
    created_at     BIGINT NOT NULL
);

CREATE TABLE leases (
    name         TEXT NOT NULL PRIMARY KEY,
    holder       UUID NOT NULL,
    leased_until BIGINT NOT NULL
);

-- Failed attempts, per account and for the whole system; shared by all nodes.
CREATE TABLE failure_counters (
    name           TEXT NOT NULL PRIMARY KEY,
    failures       BIGINT NOT NULL,
    blocked_until  BIGINT NOT NULL,
    last_failed_at BIGINT NOT NULL
);
CREATE INDEX failure_counters_age ON failure_counters (last_failed_at);

-- Append-only; no foreign keys, so that the record outlives what it tells of.
CREATE TABLE audit_events (
    id            UUID NOT NULL PRIMARY KEY,
    happened_at   BIGINT NOT NULL,
    action        TEXT NOT NULL,
    actor_kind    TEXT NOT NULL,              -- 'identity', 'client', 'operator', 'system'
    actor_id      UUID,
    resource_kind TEXT NOT NULL,
    resource_id   TEXT NOT NULL,
    address       TEXT,
    request_id    TEXT,
    detail        TEXT NOT NULL               -- JSON, never holding a secret
);
CREATE INDEX audit_events_time ON audit_events (happened_at, id);
CREATE INDEX audit_events_resource ON audit_events (resource_kind, resource_id, happened_at);
CREATE INDEX audit_events_actor ON audit_events (actor_id, happened_at);
