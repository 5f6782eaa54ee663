-- Instants are microseconds since 1970, in UTC. `idle_expires_at` is never after `expires_at`.
CREATE TABLE clearance_sessions (
    id               TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    secret_hash      BYTEA            NOT NULL,
    subject          TEXT COLLATE "C" NOT NULL,
    created_at       BIGINT           NOT NULL,
    authenticated_at BIGINT           NOT NULL,
    assurance        TEXT COLLATE "C" NOT NULL,
    last_seen_at     BIGINT           NOT NULL,
    idle_expires_at  BIGINT           NOT NULL,
    expires_at       BIGINT           NOT NULL,
    persistent       BIGINT           NOT NULL,
    address          TEXT COLLATE "C",
    agent            TEXT COLLATE "C",
    claims           TEXT COLLATE "C" NOT NULL,
    data             BYTEA
);

CREATE INDEX clearance_sessions_by_subject ON clearance_sessions (subject, created_at);
CREATE INDEX clearance_sessions_by_idle_expiry ON clearance_sessions (idle_expires_at);
CREATE INDEX clearance_sessions_by_expiry ON clearance_sessions (expires_at);

-- Sessions that are kept in their tokens and were ended one by one. Each is needed until its token
-- is past its time.
CREATE TABLE clearance_session_denials (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    expires_at BIGINT           NOT NULL
);

CREATE INDEX clearance_session_denials_by_expiry ON clearance_session_denials (expires_at);

-- Sessions of a subject that are kept in their tokens are over if they began at `cut_off` or before; of
-- everyone where the subject is empty. Its row is also what sign-ins of one subject wait for, where
-- the number of sessions is limited.
CREATE TABLE clearance_session_cut_offs (
    subject    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    cut_off    BIGINT           NOT NULL,
    expires_at BIGINT           NOT NULL
);

CREATE INDEX clearance_session_cut_offs_by_expiry ON clearance_session_cut_offs (expires_at);
