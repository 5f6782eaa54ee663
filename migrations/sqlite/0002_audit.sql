-- `at` is microseconds since 1970, in UTC. Without a `viewer` it was the program itself, for this
-- `reason`; without a `row_key` it was many rows, or a row that had no key yet.
CREATE TABLE clearance_audit (
    id         INTEGER NOT NULL PRIMARY KEY,
    at         INTEGER NOT NULL,
    viewer     TEXT,
    reason     TEXT,
    action     TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,
    entity     TEXT    NOT NULL,
    table_name TEXT    NOT NULL,
    row_key    TEXT,
    row_count  INTEGER NOT NULL,
    fields     TEXT    NOT NULL,
    rule       TEXT    NOT NULL,
    request_id TEXT
) STRICT;

CREATE INDEX clearance_audit_by_row ON clearance_audit (table_name, row_key, id);
CREATE INDEX clearance_audit_by_viewer ON clearance_audit (viewer, id);
