-- Instants are microseconds since 1970, in UTC.
-- `email` is as it was written; addresses that differ in the case of ASCII letters are one.
-- The text of users is text, so that entities can read it. What leads to a user is kept as bytes:
-- every text collation of this engine overlooks something.
CREATE TABLE clearance_users (
    id                VARCHAR(64)  NOT NULL PRIMARY KEY,
    name              LONGTEXT,
    email             VARCHAR(254),
    email_key         VARCHAR(254) GENERATED ALWAYS AS (LOWER(email)) STORED UNIQUE,
    email_verified_at BIGINT,
    image             LONGTEXT,
    role              VARCHAR(64)  NOT NULL DEFAULT 'viewer',
    created_at        BIGINT       NOT NULL,
    CONSTRAINT clearance_users_verified_email CHECK (email_verified_at IS NULL OR email IS NOT NULL)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The three tokens are encrypted.
CREATE TABLE clearance_accounts (
    provider            VARBINARY(255) NOT NULL,
    provider_account_id VARBINARY(255) NOT NULL,
    user_id             VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    type                VARBINARY(16)  NOT NULL,
    access_token        LONGBLOB,
    refresh_token       LONGBLOB,
    id_token            LONGBLOB,
    expires_at          BIGINT,
    token_type          LONGBLOB,
    scope               LONGBLOB,
    session_state       LONGBLOB,
    PRIMARY KEY (provider, provider_account_id),
    INDEX clearance_accounts_by_user (user_id),
    CONSTRAINT clearance_accounts_user FOREIGN KEY (user_id) REFERENCES clearance_users (id) ON DELETE CASCADE
);

-- `token_hash` is the SHA-256 of the token, which is kept nowhere.
CREATE TABLE clearance_verification_tokens (
    token_hash VARBINARY(32)   NOT NULL PRIMARY KEY,
    identifier VARBINARY(1024) NOT NULL,
    expires_at BIGINT          NOT NULL,
    INDEX clearance_verification_tokens_by_expiry (expires_at)
);
