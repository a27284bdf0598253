-- A sign-in of which nobody knows when it was: its provider did not tell. The time beside it is
-- that of the answer, and it meets no demand for a recent sign-in.

ALTER TABLE browser_authentications ADD COLUMN undated BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pending_links ADD COLUMN undated BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session_authentications ADD COLUMN undated BIGINT NOT NULL DEFAULT 0;
