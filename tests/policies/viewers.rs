//! Viewers that are rows of a table, found together with their sessions where both are in one database.

use std::fmt::Display;
use std::time::Duration;

use clearance::repository::TableViewers;
use clearance::{
    Db, Dto, Entity, Key, RequestContext, Result, Sessions, SourceError, Subject, Viewer,
    ViewerSource, async_trait,
};
use uuid::Uuid;

use crate::engines::{Database, TestPool, database};
use crate::signed_in::headers_of;
use crate::support::Statements;

const SCHEMA: &str = "
    CREATE TABLE numbered (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    INSERT INTO numbered VALUES (7, 'ada'), (8, 'suspended'), (-3, 'eve'), (0, 'nil');
    CREATE TABLE marked (id ID16 PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE named (id KEYTEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL);
    INSERT INTO named VALUES ('ada', 'Ada');";

const REASON: &str = "a session's viewer is loaded before there is one";

#[derive(Debug, Viewer)]
struct Reader {
    #[viewer(subject)]
    id: String,
    name: String,
}

impl Reader {
    fn of(id: impl Display, name: String) -> Option<Self> {
        let id = id.to_string();
        (name != "suspended").then_some(Self { id, name })
    }
}

#[derive(Entity)]
#[entity(table = "numbered", viewer = Reader, read_if(row.name == viewer.name))]
struct Numbered {
    #[entity(key)]
    id: i64,
    name: String,
}

#[derive(Dto)]
#[dto(entity = Numbered, default = visible)]
struct Number {
    name: String,
    #[visible_if(viewer.name == "nobody")]
    id: clearance::Field<i64>,
}

#[derive(Entity)]
#[entity(table = "marked", viewer = Reader, read_if(row.name == viewer.name))]
struct Marked {
    #[entity(key)]
    id: Uuid,
    name: String,
}

#[derive(Dto)]
#[dto(entity = Marked, default = visible)]
struct Mark {
    id: Uuid,
    name: String,
}

#[derive(Entity)]
#[entity(table = "named", viewer = Reader, read_if(row.name == viewer.name))]
struct Named {
    #[entity(key)]
    id: String,
    name: String,
}

#[derive(Dto)]
#[dto(entity = Named, default = visible)]
struct Name {
    id: String,
    name: String,
}

fn numbers(db: &Db) -> TableViewers<Reader, Number, i64> {
    db.viewers(Numbered::ID, REASON, |found: Number| {
        Reader::of(found.id.visible()?, found.name)
    })
}

fn marks(db: &Db) -> TableViewers<Reader, Mark, Uuid> {
    db.viewers(Marked::ID, REASON, |found: Mark| {
        Reader::of(found.id, found.name)
    })
}

fn names(db: &Db) -> TableViewers<Reader, Name, String> {
    db.viewers(Named::ID, REASON, |found: Name| {
        Reader::of(found.id, found.name)
    })
}

/// The same viewers, found by a statement of their own.
struct Apart<S>(S);

#[async_trait]
impl<S: ViewerSource<Reader>> ViewerSource<Reader> for Apart<S> {
    async fn load(&self, subject: &Subject) -> Result<Option<Reader>, SourceError> {
        self.0.load(subject).await
    }
}

async fn ready() -> Database {
    let database = database(SCHEMA).await;
    database.db.migrate().await.unwrap();
    database
}

fn sessions(store: &Db, key: &Key, viewers: impl ViewerSource<Reader>) -> Sessions<Reader> {
    Sessions::builder(key.clone(), store.session_store(), viewers)
        .app_url("https://app.example")
        .cache_bound(Duration::ZERO)
        .build()
        .unwrap()
}

/// Who a request of `subject` is, and how many statements told.
async fn asked(sessions: &Sessions<Reader>, subject: &str) -> (Result<String, String>, usize) {
    let created = sessions.create(Subject::new(subject)).await.unwrap();
    let request = RequestContext::new(sessions, &headers_of(created));
    answered(&request).await
}

async fn answered(request: &RequestContext) -> (Result<String, String>, usize) {
    let (statements, _guard) = Statements::listen();
    let found = request.verify_session::<Reader>().await;
    let found = found.map(|found| found.viewer().name.clone());
    (
        found.map_err(|error| error.to_string()),
        statements.take().len(),
    )
}

/// Both ways answer alike; tells whom they found.
async fn alike<S: ViewerSource<Reader> + Clone>(
    db: &Db,
    viewers: S,
    subject: &str,
) -> Result<String, String> {
    let key = Key::generate().unwrap();
    let (together, statements) = asked(&sessions(db, &key, viewers.clone()), subject).await;
    let (apart, more) = asked(&sessions(db, &key, Apart(viewers)), subject).await;
    assert_eq!(together, apart, "{subject:?}");
    if together.is_ok() {
        assert_eq!((statements, more), (1, 2), "{subject:?}");
    }
    together
}

#[tokio::test]
async fn vs_02_a_session_and_its_viewer_are_found_in_one_statement() {
    let Database { db, .. } = &ready().await;
    for (subject, name) in [("7", "ada"), ("-3", "eve"), ("0", "nil")] {
        assert_eq!(alike(db, numbers(db), subject).await.unwrap(), name);
    }
    for nobody in [
        "8",
        "9",
        "007",
        "+7",
        "-0",
        "7 ",
        " 7",
        "7x",
        "x",
        "-",
        "7.0",
        "7e0",
        "0x7",
        "\u{0667}",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "999999999999999999999999",
    ] {
        alike(db, numbers(db), nobody).await.unwrap_err();
    }
}

#[tokio::test]
async fn vs_02_a_viewer_whose_key_is_a_uuid_is_found_with_the_session() {
    let Database { db, pool, .. } = &ready().await;
    let id = Uuid::from_u128(0x018f_3c5e_7a10_7000_8000_0000_00ab_cdef);
    let hex = id.simple();
    let literal = match pool {
        TestPool::Postgres(_) => format!("'{id}'"),
        _ => format!("X'{hex}'"),
    };
    pool.execute(&format!("INSERT INTO marked VALUES ({literal}, 'ada')"))
        .await;
    assert_eq!(alike(db, marks(db), &id.to_string()).await.unwrap(), "ada");
    let text = id.to_string();
    for nobody in [
        Uuid::from_u128(1).to_string(),
        text.to_uppercase(),
        hex.to_string(),
        format!("{{{text}}}"),
        format!("urn:uuid:{text}"),
        text[1..].to_owned(),
        format!("{text}0"),
        "ada".to_owned(),
    ] {
        alike(db, marks(db), &nobody).await.unwrap_err();
    }
}

/// Engines do not compare text of two columns alike.
#[tokio::test]
async fn vs_02_a_viewer_whose_key_is_text_is_found_after_the_session() {
    let Database { db, .. } = &ready().await;
    let sessions = sessions(db, &Key::generate().unwrap(), names(db));
    assert_eq!(asked(&sessions, "ada").await, (Ok("Ada".to_owned()), 2));
    asked(&sessions, "ADA").await.0.unwrap_err();
}

#[tokio::test]
async fn vs_02_sessions_of_another_database_have_a_statement_of_their_own() {
    let (here, elsewhere) = (ready().await, ready().await);
    elsewhere
        .pool
        .execute("UPDATE numbered SET name = 'mallory' WHERE id = 7")
        .await;
    let key = Key::generate().unwrap();
    let sessions = sessions(&elsewhere.db, &key, numbers(&here.db));
    assert_eq!(asked(&sessions, "7").await, (Ok("ada".to_owned()), 2));
}

#[tokio::test]
async fn vs_02_a_session_that_is_over_has_no_viewer() {
    let Database { db, pool, .. } = &ready().await;
    let sessions = sessions(db, &Key::generate().unwrap(), numbers(db));
    let created = sessions.create(Subject::new(7)).await.unwrap();
    let headers = headers_of(created);
    let request = || RequestContext::new(&sessions, &headers);
    assert_eq!(answered(&request()).await.0.unwrap(), "ada");

    pool.execute("UPDATE numbered SET name = 'suspended' WHERE id = 7")
        .await;
    answered(&request()).await.0.unwrap_err();
    pool.execute("UPDATE numbered SET name = 'ada' WHERE id = 7")
        .await;
    assert_eq!(answered(&request()).await.0.unwrap(), "ada");

    // The secret of another session: only the id is that of this one.
    let stolen = match pool {
        TestPool::Postgres(_) => "'\\x00'",
        _ => "X'00'",
    };
    let secret = "UPDATE clearance_sessions SET secret_hash = ";
    let other = format!("{secret}{}", stolen.replace("00", &"00".repeat(32)));
    pool.execute(&other).await;
    answered(&request()).await.0.unwrap_err();

    let headers = headers_of(sessions.create(Subject::new(7)).await.unwrap());
    let request = || RequestContext::new(&sessions, &headers);
    assert_eq!(answered(&request()).await.0.unwrap(), "ada");
    sessions.revoke_all(&Subject::new(7)).await.unwrap();
    answered(&request()).await.0.unwrap_err();
}

#[tokio::test]
async fn vs_02_a_table_of_viewers_that_is_gone_is_an_outage_and_signs_nobody_out() {
    let Database { db, pool, .. } = &ready().await;
    pool.execute("DROP TABLE numbered").await;
    let key = Key::generate().unwrap();
    for sessions in [
        sessions(db, &key, numbers(db)),
        sessions(db, &key, Apart(numbers(db))),
    ] {
        let created = sessions.create(Subject::new(7)).await.unwrap();
        let request = RequestContext::new(&sessions, &headers_of(created));
        let error = request.verify_session::<Reader>().await.unwrap_err();
        assert!(error.is_unavailable(), "{error}");
    }
}
