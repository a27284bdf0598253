-- What the operator console finds things by, and how apps look on the pages that people
-- see on their way to them.

CREATE INDEX identities_name ON identities (lower(name), id) WHERE name IS NOT NULL;
CREATE INDEX clients_name ON clients (lower(name), id) WHERE is_instance = 0;
CREATE INDEX app_sessions_client ON app_sessions (client_id);

-- Of an app, or of all apps of a project that have none of their own.
CREATE TABLE skins (
    id           UUID NOT NULL PRIMARY KEY,
    client_id    UUID UNIQUE REFERENCES clients (id) ON DELETE CASCADE,
    project_id   UUID UNIQUE REFERENCES projects (id) ON DELETE CASCADE,
    header_text  TEXT,                        -- null: the name of the app
    band         BIGINT NOT NULL,             -- colours as 0xRRGGBB
    band_text    BIGINT NOT NULL,
    background   BIGINT,                      -- null: that of every page
    logo         BYTEA,                       -- PNG, written by this server
    logo_hash    BYTEA,                       -- SHA-256 of it; its address
    logo_width   BIGINT,
    logo_height  BIGINT,
    updated_at   BIGINT NOT NULL
);
CREATE INDEX skins_logo ON skins (logo_hash) WHERE logo_hash IS NOT NULL;
