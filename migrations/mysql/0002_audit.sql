-- `at` is microseconds since 1970, in UTC. Without a `viewer` it was the program itself, for this
-- `reason`; without a `row_key` it was many rows, or a row that had no key yet.
CREATE TABLE clearance_audit (
    id         BIGINT        NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at         BIGINT        NOT NULL,
    viewer     VARCHAR(1024),
    reason     LONGTEXT,
    action     VARCHAR(16)   NOT NULL,
    outcome    VARCHAR(16)   NOT NULL,
    entity     VARCHAR(255)  NOT NULL,
    table_name VARCHAR(255)  NOT NULL,
    row_key    VARCHAR(255),
    row_count  BIGINT        NOT NULL,
    fields     LONGTEXT      NOT NULL,
    rule       LONGTEXT      NOT NULL,
    request_id VARCHAR(128),
    INDEX clearance_audit_by_row (table_name, row_key, id),
    INDEX clearance_audit_by_viewer (viewer(255), id)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
