-- A session that goes on under another id keeps the first one that it had as its line.
ALTER TABLE clearance_sessions
    ADD COLUMN line VARBINARY(64),
    ADD INDEX clearance_sessions_by_line (line);

-- What led to a session before another id took its place, so that whoever signs out with it ends the
-- session under the id that it has now. It is never asked for by who uses a session.
CREATE TABLE clearance_replaced_sessions (
    id          VARBINARY(64) NOT NULL PRIMARY KEY,
    secret_hash VARBINARY(32) NOT NULL,
    line        VARBINARY(64) NOT NULL,
    expires_at  BIGINT        NOT NULL,
    INDEX clearance_replaced_sessions_by_expiry (expires_at)
);
