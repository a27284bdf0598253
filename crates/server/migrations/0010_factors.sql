-- What an account proves itself with beside its password: authenticator apps, passkeys,
-- recovery codes. And what a sign-in with two steps leaves between them.

CREATE TABLE totp_secrets (
    id           UUID NOT NULL PRIMARY KEY,
    identity_id  UUID NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    sealed_seed  BYTEA NOT NULL,              -- place: totp_secrets/sealed_seed/<id>
    created_at   BIGINT NOT NULL,
    confirmed_at BIGINT,                      -- null: set up, but no code was shown yet; it does not count
    last_step    BIGINT NOT NULL,             -- the last step a code was accepted for; each counts once
    last_used_at BIGINT
);
CREATE INDEX totp_secrets_identity ON totp_secrets (identity_id);
CREATE INDEX totp_secrets_age ON totp_secrets (created_at);

-- What authenticators know an account by: random, so that it tells nothing of the person.
CREATE TABLE webauthn_users (
    identity_id UUID NOT NULL PRIMARY KEY REFERENCES identities (id) ON DELETE CASCADE,
    user_handle BYTEA NOT NULL UNIQUE
);

CREATE TABLE passkeys (
    id              UUID NOT NULL PRIMARY KEY,
    credential_id   BYTEA NOT NULL UNIQUE,
    identity_id     UUID NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    name            TEXT NOT NULL,
    public_key      BYTEA NOT NULL,           -- COSE key
    sign_count      BIGINT NOT NULL,
    discoverable    BIGINT NOT NULL,          -- the browser said that it can be found without a username
    user_verifying  BIGINT NOT NULL,          -- it has checked a PIN or a body part at least once
    backup_eligible BIGINT NOT NULL,          -- may be on several devices; never changes
    backed_up       BIGINT NOT NULL,
    transports      TEXT NOT NULL,            -- JSON list, hints for the browser
    created_at      BIGINT NOT NULL,
    last_used_at    BIGINT
);
CREATE INDEX passkeys_identity ON passkeys (identity_id, created_at);

CREATE TABLE recovery_codes (
    hash        BYTEA NOT NULL PRIMARY KEY,
    identity_id UUID NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    created_at  BIGINT NOT NULL,
    used_at     BIGINT
);
CREATE INDEX recovery_codes_identity ON recovery_codes (identity_id);

-- Challenges are signed by the server and kept nowhere until they are used, so that nobody
-- can fill a table by looking at the login page; here stands which were used.
CREATE TABLE used_challenges (
    hash       BYTEA NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX used_challenges_expiry ON used_challenges (expires_at);

-- Somebody has given the right password, and the second factor is still to come.
CREATE TABLE pending_logins (
    hash        BYTEA NOT NULL PRIMARY KEY,   -- of a secret that only that browser got
    cookie_hash BYTEA NOT NULL,
    identity_id UUID NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    amr         TEXT NOT NULL,                -- JSON list: what was proven so far
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    consumed_at BIGINT
);
CREATE INDEX pending_logins_expiry ON pending_logins (expires_at);
CREATE INDEX pending_logins_identity ON pending_logins (identity_id);
