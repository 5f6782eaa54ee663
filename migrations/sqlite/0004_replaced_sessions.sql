-- A session that goes on under another id keeps the first one that it had as its line.
ALTER TABLE clearance_sessions ADD COLUMN line TEXT;

CREATE INDEX clearance_sessions_by_line ON clearance_sessions (line) WHERE line IS NOT NULL;

-- What led to a session before another id took its place, so that whoever signs out with it ends the
-- session under the id that it has now. It is never asked for by who uses a session.
CREATE TABLE clearance_replaced_sessions (
    id          TEXT    NOT NULL PRIMARY KEY,
    secret_hash BLOB    NOT NULL,
    line        TEXT    NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX clearance_replaced_sessions_by_expiry ON clearance_replaced_sessions (expires_at);
