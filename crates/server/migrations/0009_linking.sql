-- Links of identities that wait: a person stays signed in while the same browser proves to
-- be another identity as well. A browser has one at a time.

CREATE TABLE pending_links (
    id                 UUID NOT NULL PRIMARY KEY,
    browser_session_id UUID NOT NULL UNIQUE REFERENCES browser_sessions (id) ON DELETE CASCADE,
    identity_id        UUID NOT NULL,         -- who was signed in when it began
    other_id           UUID,                  -- who was proven to be the same person; null until then
    proven_at          BIGINT,
    acr                TEXT,
    amr                TEXT,                  -- JSON list or null
    request_id         UUID,                  -- the authorization request that waits for it
    came_from          TEXT NOT NULL,         -- the way back, as a query
    expires_at         BIGINT NOT NULL
);
CREATE INDEX pending_links_identity ON pending_links (identity_id);
CREATE INDEX pending_links_other ON pending_links (other_id);
CREATE INDEX pending_links_expiry ON pending_links (expires_at);
