-- Links that a person waits for are sent before notices, and limits count them by what
-- they are for.

ALTER TABLE outbox ADD COLUMN purpose TEXT NOT NULL DEFAULT '';   -- of a link: 'password_reset', 'address' or 'sign_up'
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (kind, next_attempt_at) WHERE finished_at IS NULL;
