-- Sessions of a subject that are kept in their tokens are over if their token names another
-- generation than this; those of everyone where the subject is empty. A subject without a row has the
-- generation 0. Rows are never removed: a number that came back would bring back what it ended.
CREATE TABLE clearance_session_generations (
    subject    VARBINARY(1024) NOT NULL PRIMARY KEY,
    generation BIGINT          NOT NULL
);
