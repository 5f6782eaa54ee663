-- The application's own table. Its tables of sessions are another matter: each program has its own.
CREATE TABLE IF NOT EXISTS users (
    id            BLOB    NOT NULL PRIMARY KEY,
    slug          TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('staff', 'admin')),
    team          TEXT,
    email         TEXT    NOT NULL,
    phone         TEXT,
    salary        INTEGER NOT NULL,
    suspended     INTEGER NOT NULL CHECK (suspended IN (0, 1)),
    password_hash TEXT    NOT NULL
) STRICT;
