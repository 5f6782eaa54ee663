-- Instants are microseconds since 1970, in UTC. `idle_expires_at` is never after `expires_at`.
CREATE TABLE clearance_sessions (
    id               TEXT    NOT NULL PRIMARY KEY,
    secret_hash      BLOB    NOT NULL,
    subject          TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL,
    assurance        TEXT    NOT NULL,
    last_seen_at     INTEGER NOT NULL,
    idle_expires_at  INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    persistent       INTEGER NOT NULL,
    address          TEXT,
    agent            TEXT,
    claims           TEXT    NOT NULL,
    data             BLOB
) STRICT;

CREATE INDEX clearance_sessions_by_subject ON clearance_sessions (subject, created_at);
CREATE INDEX clearance_sessions_by_idle_expiry ON clearance_sessions (idle_expires_at);
CREATE INDEX clearance_sessions_by_expiry ON clearance_sessions (expires_at);

-- Sessions that are kept in their tokens and were ended one by one. Each is needed until its token
-- is past its time.
CREATE TABLE clearance_session_denials (
    id         TEXT    NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX clearance_session_denials_by_expiry ON clearance_session_denials (expires_at);

-- Sessions of a subject that are kept in their tokens are over if they began at `cut_off` or before; of
-- everyone where the subject is empty. Its row is also what sign-ins of one subject wait for, where
-- the number of sessions is limited.
CREATE TABLE clearance_session_cut_offs (
    subject    TEXT    NOT NULL PRIMARY KEY,
    cut_off    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX clearance_session_cut_offs_by_expiry ON clearance_session_cut_offs (expires_at);
