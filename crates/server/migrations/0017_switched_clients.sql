-- When a client was last switched off or on by whoever administers the server: none of its
-- tokens of before lives, whosever session it came from.

ALTER TABLE clients ADD COLUMN switched_at BIGINT NOT NULL DEFAULT 0;
