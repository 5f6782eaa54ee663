-- `at` is microseconds since 1970, in UTC. Without a `viewer` it was the program itself, for this
-- `reason`; without a `row_key` it was many rows, or a row that had no key yet.
CREATE TABLE clearance_audit (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         BIGINT           NOT NULL,
    viewer     TEXT COLLATE "C",
    reason     TEXT COLLATE "C",
    action     TEXT COLLATE "C" NOT NULL,
    outcome    TEXT COLLATE "C" NOT NULL,
    entity     TEXT COLLATE "C" NOT NULL,
    table_name TEXT COLLATE "C" NOT NULL,
    row_key    TEXT COLLATE "C",
    row_count  BIGINT           NOT NULL,
    fields     TEXT COLLATE "C" NOT NULL,
    rule       TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C"
);

CREATE INDEX clearance_audit_by_row ON clearance_audit (table_name, row_key, id);
CREATE INDEX clearance_audit_by_viewer ON clearance_audit (viewer, id);
