-- What is answered by mail is answered in the language in which it was asked for.
ALTER TABLE mail_requests ADD COLUMN language TEXT NOT NULL DEFAULT 'en';
