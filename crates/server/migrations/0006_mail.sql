-- Mail that waits to be sent, what was asked for that is answered by mail only, and which
-- addresses their owners have proven.

CREATE TABLE outbox (
    id              UUID NOT NULL PRIMARY KEY,
    kind            TEXT NOT NULL,            -- 'notice' or 'link'
    recipient       TEXT NOT NULL,
    recipient_key   TEXT NOT NULL,            -- the recipient in lower case: limits count by it
    subject         TEXT NOT NULL,
    body            TEXT NOT NULL,
    sealed_link     BYTEA,                    -- a secret link that takes the place of {link} in the body
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,          -- nobody needs the message after this
    attempts        BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    claimed_until   BIGINT NOT NULL,          -- the node that sends it has until then; 0: nobody
    finished_at     BIGINT                    -- handed over or given up; kept a while for the limits
);
CREATE INDEX outbox_due ON outbox (next_attempt_at) WHERE finished_at IS NULL;
CREATE INDEX outbox_recipient ON outbox (recipient_key, created_at);
CREATE INDEX outbox_expiry ON outbox (expires_at);

-- A form was filled in whose answer must not tell whether there is such an account: it is
-- looked up later, by a job.
CREATE TABLE mail_requests (
    id         UUID NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL,                 -- 'password_reset' or 'sign_up'
    typed      TEXT NOT NULL,
    address    TEXT,                          -- of whoever asked
    created_at BIGINT NOT NULL
);
CREATE INDEX mail_requests_age ON mail_requests (created_at);

-- The owner of the identity has opened a link that was sent to this address.
CREATE TABLE verified_addresses (
    identity_id UUID NOT NULL PRIMARY KEY REFERENCES identities (id) ON DELETE CASCADE,
    address     TEXT NOT NULL,
    verified_at BIGINT NOT NULL
);

ALTER TABLE one_time_links ADD COLUMN address TEXT;   -- the address that the link was sent to
CREATE INDEX one_time_links_identity ON one_time_links (identity_id) WHERE identity_id IS NOT NULL;
CREATE INDEX one_time_links_age ON one_time_links (purpose, created_at);
CREATE INDEX identities_email ON identities (lower(email)) WHERE email IS NOT NULL;
