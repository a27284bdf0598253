-- The developer portal looks for scopes in the order of their names.
CREATE INDEX scopes_name ON scopes (name, id);
