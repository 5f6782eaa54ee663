-- Instants are microseconds since 1970, in UTC. `idle_expires_at` is never after `expires_at`.
CREATE TABLE clearance_sessions (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    secret_hash     BYTEA            NOT NULL,
    subject         TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT           NOT NULL,
    last_seen_at    BIGINT           NOT NULL,
    idle_expires_at BIGINT           NOT NULL,
    expires_at      BIGINT           NOT NULL
);

CREATE INDEX clearance_sessions_by_subject ON clearance_sessions (subject, created_at);
CREATE INDEX clearance_sessions_by_idle_expiry ON clearance_sessions (idle_expires_at);
CREATE INDEX clearance_sessions_by_expiry ON clearance_sessions (expires_at);
