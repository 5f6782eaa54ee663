//! What the check at start and the access matrix learn of a live schema.

use clearance::{Dto, Entity, Viewer};
use clearance_matrix::Matrix;
use uuid::Uuid;

use crate::engines::{Engine, database, engine};

#[derive(Debug, Clone, Viewer)]
struct Clerk {
    id: i64,
}

#[derive(Debug, Entity)]
#[entity(table = "letters", viewer = Clerk, rows = open, reason = "a test of schemas")]
struct Letter {
    #[entity(key)]
    id: Uuid,
    subject: String,
    pages: i64,
    sent: Option<chrono::DateTime<chrono::Utc>>,
}

#[derive(Debug, Dto)]
#[dto(entity = Letter, default = visible)]
struct LetterView {
    id: Uuid,
    #[visible_if(row.pages == viewer.id)]
    subject: clearance::Field<String>,
    #[visible_if(row.subject < "m")]
    pages: clearance::Field<i64>,
}

clearance::app! {
    static APP = { viewer: Clerk, dtos: [LetterView], repositories: [] };
}

#[tokio::test]
async fn p13_a_schema_that_fits_passes() {
    let database = database(
        "CREATE TABLE letters (id ID16 PRIMARY KEY, subject KEYTEXT NOT NULL, pages INTEGER NOT NULL, sent INSTANT)",
    )
    .await;
    database.db.check(&APP).await.unwrap();
}

#[tokio::test]
async fn p13_every_difference_is_named_in_the_words_of_the_engine() {
    let schema = match engine() {
        Engine::Sqlite => {
            "CREATE TABLE letters (id BLOB PRIMARY KEY, subject BLOB NOT NULL, pages INTEGER, sent TEXT)"
        }
        Engine::Postgres => {
            "CREATE TABLE letters (id TEXT PRIMARY KEY, subject CHAR(20) NOT NULL, pages BIGINT, sent TIMESTAMP)"
        }
        Engine::Mysql => {
            "CREATE TABLE letters (id BINARY(16) PRIMARY KEY, subject VARCHAR(20) CHARACTER SET latin1 NOT NULL, pages BIGINT, sent DATETIME)"
        }
    };
    let database = database(schema).await;
    let error = database.db.check(&APP).await.unwrap_err();
    assert!(error.is_configuration());
    let error = error.to_string();
    assert!(error.contains("`letters.pages` may be null"), "{error}");
    assert!(error.contains("`letters.subject` is declared"), "{error}");
    assert!(error.contains("`letters.sent` is declared"), "{error}");
    let wanted = match engine() {
        Engine::Sqlite => "needs INTEGER, microseconds since 1970",
        Engine::Postgres => "needs TIMESTAMPTZ",
        Engine::Mysql => "needs DATETIME(6)",
    };
    assert!(error.contains(wanted), "{error}");
}

#[tokio::test]
async fn x7_indexes_and_collations_of_the_live_schema_are_linted() {
    let database = database(
        "CREATE TABLE letters (
            id ID16 PRIMARY KEY, subject KEYTEXT8 COLLATE NOCASE NOT NULL, pages INTEGER NOT NULL, sent INSTANT);
         CREATE UNIQUE INDEX letters_by_subject ON letters (subject, pages)",
    )
    .await;
    let schema = database.db.schema(&APP).await.unwrap();
    let clerk = Clerk { id: 1 };
    let matrix = Matrix::of(&APP)
        .viewer("clerk", &clerk)
        .with_schema(&schema);
    let markdown = matrix.build().unwrap().to_markdown();
    // The rule orders text, a field that can be hidden is unique, and another is sorted by
    // without an index that begins with it.
    for lint in ["binary collation", "unique", "without an index"] {
        assert!(markdown.contains(lint), "{lint}: {markdown}");
    }
}
