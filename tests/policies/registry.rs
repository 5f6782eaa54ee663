//! What an application lists of itself, and the check at start: P13.

use clearance::registry::{Action, Guard};
use clearance::{Db, Dto, Entity, Error, Field, Result, repository};

use crate::support::*;

struct Users {
    db: Db,
}

#[repository(viewer = Member)]
impl Users {
    #[authorize(access, if viewer.role >= Role::Editor)]
    pub async fn names(&self) -> Result<Vec<Profile>> {
        self.db.reader(&access).all(Profile::select()).await
    }

    #[public(access, reason = "the sign-in page counts the people")]
    pub async fn count(&self) -> Result<usize> {
        Ok(self.db.reader(&access).all(Profile::select()).await?.len())
    }

    #[authenticated(access: Write)]
    pub async fn remove(&self, id: i64) -> Result<()> {
        self.db.writer(&access).delete::<Person>(id).await
    }
}

clearance::app! {
    static APP = {
        viewer: Member,
        dtos: [Profile],
        repositories: [Users],
    };
}

#[tokio::test]
async fn p13_a_schema_that_fits_passes_the_check() {
    let directory = directory().await;
    directory.db.check(&APP).await.unwrap();
}

async fn differences(schema: &'static str) -> Error {
    let directory = empty_directory(schema).await;
    let error = directory.db.check(&APP).await.unwrap_err();
    assert!(error.is_configuration());
    error
}

#[tokio::test]
async fn p13_a_missing_table_is_named() {
    let error = differences("CREATE TABLE persons (id INTEGER PRIMARY KEY)").await;
    assert_eq!(
        error.to_string(),
        "configuration: the database schema does not fit the entities:\n\
         - the table `people` of `Person` is missing"
    );
}

#[tokio::test]
async fn p13_every_difference_is_named_at_once_on_sqlite() {
    let error = differences(
        "CREATE TABLE people (
            id INTEGER PRIMARY KEY,
            slug TEXT NOT NULL,
            username BLOB NOT NULL,
            phone TEXT,
            email TEXT,
            salary TEXT NOT NULL,
            status TEXT NOT NULL,
            suspended BOOLEAN,
            published_at DATETIME,
            author INTEGER NOT NULL,
            password_hash TEXT NOT NULL
        )",
    )
    .await;
    insta::assert_snapshot!(error, @r"
    configuration: the database schema does not fit the entities:
    - the column `people.published_at` is declared `DATETIME`, but `Person::published_at` needs INTEGER, microseconds since 1970
    - the column `people.salary` is declared `TEXT`, but `Person::salary` needs INTEGER
    - the column `people.slug` of `Person::slug` is a `lookup` column without a unique index: declare it UNIQUE, or write `lookup(many)` if it only finds lists
    - the column `people.suspended` may be null, but `Person::suspended` is not an Option: declare it NOT NULL
    - the column `people.team` of `Person::team` is missing
    - the column `people.username` is declared `BLOB`, but `Person::username` needs TEXT
    ");
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.path().join("utf-16.db"))
        .create_if_missing(true)
        .pragma("encoding", "'UTF-16'");
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let schema = crate::engines::Engine::Sqlite.schema(SCHEMA);
    TestPool::Sqlite(pool.clone()).execute(&schema).await;
    let db = Db::unguarded_pool(pool, "the test makes its own tables");
    let error = db.check(&APP).await.unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
}

#[test]
fn the_registry_lists_rules_and_guards() {
    let dtos = APP.dtos();
    assert_eq!((dtos[0].name(), dtos[0].entity()), ("Profile", "Person"));
    let phone = &dtos[0].fields()[2];
    assert_eq!(phone.field(), "phone");
    let rule = phone.rules()[0].source();
    assert_eq!(
        rule.text,
        "viewer.role >= Role::Admin || same(viewer.team, row.team)"
    );
    assert!(rule.file.ends_with("support.rs"));

    let users = &APP.repositories()[0];
    assert_eq!(users.name(), "Users");
    let methods: Vec<_> = users
        .methods()
        .iter()
        .map(|method| (method.name(), method.guard(), method.action()))
        .collect();
    assert_eq!(
        methods,
        [
            (
                "names",
                Guard::Authorize("viewer.role >= Role::Editor"),
                Action::Read
            ),
            (
                "count",
                Guard::Public("the sign-in page counts the people"),
                Action::Read
            ),
            ("remove", Guard::Authenticated, Action::Write),
        ]
    );
    assert!(users.methods()[0].location().0.ends_with("registry.rs"));
}

#[tokio::test]
async fn x4_an_entity_without_a_rule_for_an_operation_denies_it() {
    #[derive(Entity)]
    #[entity(table = "notes", viewer = Member, rows = open, reason = "notes are public")]
    struct Note {
        #[entity(key)]
        id: i64,
        text: String,
    }

    #[derive(Debug, Dto)]
    #[dto(entity = Note, default = visible)]
    struct NoteCard {
        id: i64,
        #[visible_if(viewer.role >= Role::Admin)]
        text: Field<String>,
    }

    let directory = empty_directory(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
         INSERT INTO notes VALUES (1, 'hello')",
    )
    .await;
    let (statements, _guard) = Statements::listen();
    as_viewer(admin(), async {
        let access = write().await;
        let writer = directory.db.writer(&access);
        let note = Note {
            id: 2,
            text: "new".into(),
        };
        assert!(writer.insert(note).await.unwrap_err().is_forbidden());
        let update = writer.update::<Note>(1).set(Note::TEXT, "changed");
        assert!(update.execute().await.unwrap_err().is_not_found());
        assert!(writer.delete::<Note>(1).await.unwrap_err().is_not_found());
        assert_eq!(statements.take(), [""; 0]);
        let rows = writer.all(NoteCard::select()).await.unwrap();
        assert_eq!((rows.len(), rows[0].id), (1, 1));
        assert_eq!(rows[0].text, Field::Visible("hello".into()));
    })
    .await;
}
