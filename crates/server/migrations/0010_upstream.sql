-- Signing in through other identity providers: logins that are under way, and what the
-- providers can be found by.

CREATE TABLE upstream_logins (
    state_hash           BYTEA NOT NULL PRIMARY KEY,
    identity_provider_id UUID NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
    browser_session_id   UUID NOT NULL REFERENCES browser_sessions (id) ON DELETE CASCADE,
    request_id           UUID,                -- the authorization request that waits
    destination          TEXT NOT NULL,       -- where else signing in leads, as the login page carries it
    max_age              BIGINT,              -- seconds; how old the authentication may be
    started_at           BIGINT NOT NULL,
    expires_at           BIGINT NOT NULL
);
CREATE INDEX upstream_logins_session ON upstream_logins (browser_session_id, started_at);
CREATE INDEX upstream_logins_expiry ON upstream_logins (expires_at);

-- The words of names and domains, for the search on the login page.
CREATE TABLE idp_words (
    word                 TEXT NOT NULL,
    identity_provider_id UUID NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
    PRIMARY KEY (word, identity_provider_id)
);
CREATE INDEX idp_words_provider ON idp_words (identity_provider_id, word);

CREATE INDEX identity_providers_name ON identity_providers (name, id);
