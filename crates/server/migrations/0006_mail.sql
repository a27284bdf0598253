-- Mail that waits to be sent. A row goes when its message was handed over, or when it has
-- failed for good.

CREATE TABLE outbox (
    id              UUID NOT NULL PRIMARY KEY,
    recipient       TEXT NOT NULL,
    subject         TEXT NOT NULL,
    body            TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    attempts        BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    claimed_until   BIGINT NOT NULL           -- the node that sends it has until then; 0: nobody
);
CREATE INDEX outbox_due ON outbox (next_attempt_at);
