-- Instants are microseconds since 1970, in UTC.
-- `email` is as it was written; addresses that differ in the case of ASCII letters are one.
CREATE TABLE clearance_users (
    id                TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name              TEXT COLLATE "C",
    email             TEXT COLLATE "C",
    email_key         TEXT COLLATE "C" GENERATED ALWAYS AS (lower(email)) STORED UNIQUE,
    email_verified_at BIGINT,
    image             TEXT COLLATE "C",
    role              TEXT COLLATE "C" NOT NULL DEFAULT 'viewer',
    created_at        BIGINT           NOT NULL,
    CONSTRAINT clearance_users_verified_email CHECK (email_verified_at IS NULL OR email IS NOT NULL)
);

-- The three tokens are encrypted.
CREATE TABLE clearance_accounts (
    provider            TEXT COLLATE "C" NOT NULL,
    provider_account_id TEXT COLLATE "C" NOT NULL,
    user_id             TEXT COLLATE "C" NOT NULL REFERENCES clearance_users (id) ON DELETE CASCADE,
    type                TEXT COLLATE "C" NOT NULL,
    access_token        BYTEA,
    refresh_token       BYTEA,
    id_token            BYTEA,
    expires_at          BIGINT,
    token_type          TEXT COLLATE "C",
    scope               TEXT COLLATE "C",
    session_state       TEXT COLLATE "C",
    PRIMARY KEY (provider, provider_account_id)
);

CREATE INDEX clearance_accounts_by_user ON clearance_accounts (user_id);

-- `token_hash` is the SHA-256 of the token, which is kept nowhere.
CREATE TABLE clearance_verification_tokens (
    token_hash BYTEA            NOT NULL PRIMARY KEY,
    identifier TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT           NOT NULL
);

CREATE INDEX clearance_verification_tokens_by_expiry ON clearance_verification_tokens (expires_at);
