-- Links that a person waits for are sent before notices, and limits count them by what
-- they are for.

ALTER TABLE outbox ADD COLUMN purpose TEXT NOT NULL DEFAULT '';   -- of a link: 'password_reset', 'address' or 'sign_up'
CREATE INDEX outbox_kind ON outbox (kind, next_attempt_at) WHERE finished_at IS NULL;

-- The login page counts and lists those that people can sign in through; what it asks of
-- them is in the index.
CREATE INDEX identity_providers_choices ON identity_providers (name, id, enabled, kind)
 WHERE enabled = 1 AND kind IN ('oidc', 'oauth2');
