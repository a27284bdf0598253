-- Projects, clients with their credentials, scopes with their dependencies, policies.

CREATE TABLE projects (
    id              UUID NOT NULL PRIMARY KEY,
    display_name    TEXT NOT NULL,
    contact_email   TEXT NOT NULL,
    admin_group_ids TEXT NOT NULL,            -- JSON list; stored and echoed (no Groups service)
    admin_policy_id UUID,                     -- the generated policy of the session gate
    created_at      BIGINT NOT NULL
);

CREATE TABLE project_admins (
    project_id  UUID NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    identity_id UUID NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    PRIMARY KEY (project_id, identity_id)
);
CREATE INDEX project_admins_identity ON project_admins (identity_id);

CREATE TABLE clients (
    id                                UUID NOT NULL PRIMARY KEY,
    name                              TEXT NOT NULL,
    project_id                        UUID REFERENCES projects (id),
    parent_client_id                  UUID,   -- parent of a child, or template of an instance
    client_type                       TEXT NOT NULL,
    is_template                       BIGINT NOT NULL,
    is_instance                       BIGINT NOT NULL,
    device_name                       TEXT,   -- what an instance called itself
    grant_types                       TEXT NOT NULL,   -- space separated
    visibility                        TEXT NOT NULL,
    redirect_uris                     TEXT NOT NULL,   -- JSON list
    terms_and_conditions              TEXT,
    privacy_policy                    TEXT,
    required_idp                      UUID,
    preselect_idp                     UUID,
    requested_scopes                  TEXT NOT NULL,   -- JSON list of scope ids set by PUT
    userinfo_from_effective_identity  BIGINT NOT NULL,
    prompt_for_named_grant            BIGINT NOT NULL,
    id_token_algorithm                TEXT,   -- null: the server's default
    resource_server                   TEXT,   -- name in token answers; null: the client id
    enabled                           BIGINT NOT NULL,
    created_at                        BIGINT NOT NULL,
    first_used_at                     BIGINT  -- null: an instance that nobody logged in with yet
);
CREATE INDEX clients_project ON clients (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX clients_parent ON clients (parent_client_id) WHERE parent_client_id IS NOT NULL;
CREATE INDEX clients_resource_server ON clients (resource_server) WHERE resource_server IS NOT NULL;
CREATE INDEX clients_unused_instances ON clients (created_at) WHERE is_instance = 1 AND first_used_at IS NULL;

CREATE TABLE client_credentials (
    id         UUID NOT NULL PRIMARY KEY,
    client_id  UUID NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    hash       BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX client_credentials_client ON client_credentials (client_id);

CREATE TABLE client_fqdns (
    fqdn      TEXT NOT NULL PRIMARY KEY,
    client_id UUID NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    added_at  BIGINT NOT NULL
);
CREATE INDEX client_fqdns_client ON client_fqdns (client_id);

CREATE TABLE scopes (
    id                   UUID NOT NULL PRIMARY KEY,
    client_id            UUID NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scope_string         TEXT NOT NULL,       -- the canonical spelling
    suffix               TEXT,                -- null for built-in scopes with names of their own
    name                 TEXT NOT NULL,
    description          TEXT NOT NULL,
    advertised           BIGINT NOT NULL,
    allows_refresh_token BIGINT NOT NULL,
    required_domains     TEXT NOT NULL,       -- JSON list
    created_at           BIGINT NOT NULL
);
CREATE INDEX scopes_client ON scopes (client_id);

-- Every spelling of a scope: the canonical one and one for each FQDN of its client.
CREATE TABLE scope_strings (
    scope_string TEXT NOT NULL PRIMARY KEY,
    scope_id     UUID NOT NULL REFERENCES scopes (id) ON DELETE CASCADE,
    fqdn         TEXT
);
CREATE INDEX scope_strings_scope ON scope_strings (scope_id);

CREATE TABLE scope_dependencies (
    scope_id               UUID NOT NULL REFERENCES scopes (id) ON DELETE CASCADE,
    dependent_scope_id     UUID NOT NULL REFERENCES scopes (id) ON DELETE CASCADE,
    optional               BIGINT NOT NULL,
    requires_refresh_token BIGINT NOT NULL,
    PRIMARY KEY (scope_id, dependent_scope_id)
);
CREATE INDEX scope_dependencies_dependent ON scope_dependencies (dependent_scope_id);

CREATE TABLE policies (
    id                                UUID NOT NULL PRIMARY KEY,
    project_id                        UUID NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    display_name                      TEXT NOT NULL,
    description                       TEXT NOT NULL,
    high_assurance                    BIGINT NOT NULL,
    authentication_assurance_timeout  BIGINT, -- seconds
    required_mfa                      BIGINT NOT NULL,
    domain_constraints_include        TEXT,   -- JSON list or null
    domain_constraints_exclude        TEXT,
    unlisted                          BIGINT NOT NULL, -- generated for the session gate
    created_at                        BIGINT NOT NULL
);
CREATE INDEX policies_project ON policies (project_id);
