-- Instants are microseconds since 1970, in UTC. `idle_expires_at` is never after `expires_at`.
-- Text is kept as bytes: every text collation of this engine overlooks something.
CREATE TABLE clearance_sessions (
    id              VARBINARY(64)   NOT NULL PRIMARY KEY,
    secret_hash     VARBINARY(32)   NOT NULL,
    subject         VARBINARY(1024) NOT NULL,
    created_at      BIGINT          NOT NULL,
    last_seen_at    BIGINT          NOT NULL,
    idle_expires_at BIGINT          NOT NULL,
    expires_at      BIGINT          NOT NULL,
    INDEX clearance_sessions_by_subject (subject, created_at),
    INDEX clearance_sessions_by_idle_expiry (idle_expires_at),
    INDEX clearance_sessions_by_expiry (expires_at)
);
