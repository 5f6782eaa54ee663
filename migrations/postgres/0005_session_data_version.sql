-- Counts the changes of `data`, so that a change of what was read can be told from one of what is there.
ALTER TABLE clearance_sessions ADD COLUMN data_version BIGINT NOT NULL DEFAULT 0;
