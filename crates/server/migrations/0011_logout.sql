-- What clients want to know of logouts (OpenID Connect RP-Initiated and Back-Channel Logout),
-- and the logout tokens that wait to be delivered.

CREATE TABLE client_logout (
    client_id                           UUID NOT NULL PRIMARY KEY REFERENCES clients (id) ON DELETE CASCADE,
    post_logout_redirect_uris           TEXT NOT NULL,   -- JSON list, compared as strings
    backchannel_logout_uri              TEXT,
    backchannel_logout_session_required BIGINT NOT NULL
);

-- A row is what the token will say; it is signed when it is sent, so that it is fresh.
CREATE TABLE logout_deliveries (
    id              UUID NOT NULL PRIMARY KEY,           -- the jti
    client_id       UUID NOT NULL,
    subject         UUID,
    app_session_id  UUID NOT NULL,
    created_at      BIGINT NOT NULL,
    attempts        BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    claimed_until   BIGINT NOT NULL
);
CREATE INDEX logout_deliveries_due ON logout_deliveries (next_attempt_at);
CREATE INDEX logout_deliveries_client ON logout_deliveries (client_id, next_attempt_at);
CREATE INDEX logout_deliveries_age ON logout_deliveries (created_at);
