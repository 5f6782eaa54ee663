-- Instants are microseconds since 1970, in UTC.
-- `email` is as it was written; addresses that differ in the case of ASCII letters are one.
CREATE TABLE clearance_users (
    id                TEXT    NOT NULL PRIMARY KEY,
    name              TEXT,
    email             TEXT,
    email_key         TEXT    GENERATED ALWAYS AS (lower(email)) STORED UNIQUE,
    email_verified_at INTEGER,
    image             TEXT,
    role              TEXT    NOT NULL DEFAULT 'viewer',
    created_at        INTEGER NOT NULL,
    CONSTRAINT clearance_users_verified_email CHECK (email_verified_at IS NULL OR email IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- The three tokens are encrypted.
CREATE TABLE clearance_accounts (
    provider            TEXT NOT NULL,
    provider_account_id TEXT NOT NULL,
    user_id             TEXT NOT NULL REFERENCES clearance_users (id) ON DELETE CASCADE,
    type                TEXT NOT NULL,
    access_token        BLOB,
    refresh_token       BLOB,
    id_token            BLOB,
    expires_at          INTEGER,
    token_type          TEXT,
    scope               TEXT,
    session_state       TEXT,
    PRIMARY KEY (provider, provider_account_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX clearance_accounts_by_user ON clearance_accounts (user_id);

-- `token_hash` is the SHA-256 of the token, which is kept nowhere.
CREATE TABLE clearance_verification_tokens (
    token_hash BLOB    NOT NULL PRIMARY KEY,
    identifier TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX clearance_verification_tokens_by_expiry ON clearance_verification_tokens (expires_at);
