-- Instants are microseconds since 1970, in UTC. `idle_expires_at` is never after `expires_at`.
-- Text is kept as bytes: every text collation of this engine overlooks something.
CREATE TABLE clearance_sessions (
    id               VARBINARY(64)   NOT NULL PRIMARY KEY,
    secret_hash      VARBINARY(32)   NOT NULL,
    subject          VARBINARY(1024) NOT NULL,
    created_at       BIGINT          NOT NULL,
    authenticated_at BIGINT          NOT NULL,
    assurance        VARBINARY(16)   NOT NULL,
    last_seen_at     BIGINT          NOT NULL,
    idle_expires_at  BIGINT          NOT NULL,
    expires_at       BIGINT          NOT NULL,
    persistent       BIGINT          NOT NULL,
    address          VARBINARY(64),
    agent            VARBINARY(1024),
    claims           BLOB            NOT NULL,
    data             LONGBLOB,
    INDEX clearance_sessions_by_subject (subject, created_at),
    INDEX clearance_sessions_by_idle_expiry (idle_expires_at),
    INDEX clearance_sessions_by_expiry (expires_at)
);

-- Sessions that are kept in their tokens and were ended one by one. Each is needed until its token
-- is past its time.
CREATE TABLE clearance_session_denials (
    id         VARBINARY(64) NOT NULL PRIMARY KEY,
    expires_at BIGINT        NOT NULL,
    INDEX clearance_session_denials_by_expiry (expires_at)
);

-- Sessions of a subject that are kept in their tokens are over if they began at `cut_off` or before; of
-- everyone where the subject is empty. Its row is also what sign-ins of one subject wait for, where
-- the number of sessions is limited.
CREATE TABLE clearance_session_cut_offs (
    subject    VARBINARY(1024) NOT NULL PRIMARY KEY,
    cut_off    BIGINT          NOT NULL,
    expires_at BIGINT          NOT NULL,
    INDEX clearance_session_cut_offs_by_expiry (expires_at)
);
