-- Who proved to be there for a request, and where a person is signed in.

-- Ids of identities, separated by spaces, in the order of their logins.
ALTER TABLE authorization_requests ADD COLUMN logged_in TEXT;

CREATE INDEX session_authentications_identity ON session_authentications (identity_id);
