//! What is stored is what a rule was asked of, or nothing is.

use clearance::{Access, Db, Dto, Entity, System, TextEnum, Viewer};

use crate::engines::{Database, Engine, TestPool, database, engine};

#[derive(Debug, Clone, Viewer)]
struct Clerk {
    id: i64,
}

/// Nobody takes the name of the office.
#[derive(Debug, Clone, Entity)]
#[entity(
    table = "desks",
    viewer = Clerk,
    rows = open,
    reason = "a test of what is stored",
    create_if(row.name != "admin"),
    update_if(true),
    updated_if(row.name != "admin")
)]
struct Desk {
    #[entity(key)]
    id: i64,
    name: String,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Desk, default = visible)]
struct DeskView {
    id: i64,
    name: String,
}

clearance::app! {
    static APP = { viewer: Clerk, dtos: [DeskView], repositories: [] };
}

/// Room for `admin`, and not for a space behind it.
fn schema() -> &'static str {
    match engine() {
        Engine::Sqlite => "CREATE TABLE desks (id INTEGER PRIMARY KEY, name VARCHAR(5) NOT NULL)",
        Engine::Postgres => {
            "CREATE DOMAIN short AS VARCHAR(5);
             CREATE TABLE desks (id BIGINT PRIMARY KEY, name short NOT NULL)"
        }
        Engine::Mysql => {
            "CREATE TABLE desks (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(5) NOT NULL)"
        }
    }
}

fn system() -> Access<System> {
    Access::system("a test of what is stored").unwrap()
}

fn desk(id: i64, name: &str) -> Desk {
    let name = name.to_owned();
    Desk { id, name }
}

async fn names(db: &Db) -> Vec<String> {
    let access = system();
    let query = DeskView::select().order(DeskView::ID.asc());
    let rows = db.reader(&access).all(query).await.unwrap();
    rows.into_iter().map(|row| row.name).collect()
}

#[tokio::test]
async fn w49_spaces_that_a_column_has_no_room_for_are_not_cut_off_behind_a_rule() {
    let database = database(schema()).await;
    let db = &database.db;
    let access = system();
    let writer = db.writer(&access);
    // What fits is stored with its spaces.
    writer.insert(desk(1, "adm  ")).await.unwrap();
    let kept = engine() == Engine::Sqlite;
    let name = "admin ";
    let outcomes = [
        writer.insert(desk(2, name)).await,
        writer
            .insert_many(vec![desk(3, "other"), desk(4, name)])
            .await,
        writer
            .update::<Desk>(1)
            .set(Desk::NAME, name)
            .execute()
            .await,
    ];
    for outcome in outcomes {
        match outcome {
            // SQLite has no lengths.
            Ok(()) => assert!(kept),
            Err(error) => assert!(!kept && error.is_invalid(), "{error:?}"),
        }
    }
    let expected = if kept {
        vec!["admin ", "admin ", "other", "admin "]
    } else {
        vec!["adm  "]
    };
    assert_eq!(names(db).await, expected);
}

/// The pool of an application whose connections begin in this mode.
#[expect(
    clippy::disallowed_methods,
    reason = "a test sets what an operator would"
)]
fn in_mode(database: &Database, mode: &'static str) -> Option<Db> {
    let TestPool::Mysql(pool) = &database.pool else {
        return None;
    };
    let options = pool.connect_options().as_ref().clone();
    let pool = sqlx::mysql::MySqlPoolOptions::new()
        .max_connections(1)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                let set = sqlx::query("SET SESSION sql_mode = ?").bind(mode);
                set.execute(connection).await.map(|_| ())
            })
        })
        .connect_lazy_with(options);
    Some(Db::unguarded_pool(pool, "a test of modes"))
}

#[tokio::test]
async fn op_43_connections_that_store_something_else_are_refused_at_start() {
    for (mode, refused) in [
        ("", "STRICT_ALL_TABLES"),
        ("NO_ENGINE_SUBSTITUTION", "STRICT_ALL_TABLES"),
        (
            "STRICT_ALL_TABLES,EMPTY_STRING_IS_NULL",
            "EMPTY_STRING_IS_NULL",
        ),
        (
            "STRICT_TRANS_TABLES,HIGH_NOT_PRECEDENCE",
            "HIGH_NOT_PRECEDENCE",
        ),
        ("STRICT_ALL_TABLES,ORACLE", "ORACLE"),
    ] {
        let database = database(schema()).await;
        database.db.check(&APP).await.unwrap();
        let Some(db) = in_mode(&database, mode) else {
            return;
        };
        for error in [db.check(&APP).await, db.migrate().await] {
            let error = error.unwrap_err();
            assert!(error.is_configuration(), "{mode}");
            assert!(error.to_string().contains(refused), "{mode}: {error}");
        }
    }
}

#[tokio::test]
async fn op_43_modes_that_change_nothing_are_taken() {
    for mode in [
        "STRICT_TRANS_TABLES",
        "STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES",
        "STRICT_ALL_TABLES,ANSI_QUOTES,PIPES_AS_CONCAT,IGNORE_SPACE",
        "STRICT_ALL_TABLES,PAD_CHAR_TO_FULL_LENGTH,REAL_AS_FLOAT,NO_UNSIGNED_SUBTRACTION",
    ] {
        let database = database(schema()).await;
        let Some(db) = in_mode(&database, mode) else {
            return;
        };
        db.migrate().await.unwrap();
        db.check(&APP).await.unwrap();
        let access = system();
        let writer = db.writer(&access);
        for (id, name) in [(1, ""), (2, "a\\'b"), (3, "\"`||"), (4, "%_ ")] {
            writer.insert(desk(id, name)).await.unwrap();
            let found = writer.one(DeskView::select().lookup(Desk::ID, id)).await;
            assert_eq!(found.unwrap().name, name, "{mode}");
            let query = DeskView::select().filter(DeskView::NAME.eq(name));
            assert_eq!(writer.all(query).await.unwrap().len(), 1, "{mode}: {name}");
        }
    }
}

#[tokio::test]
async fn op_43_connections_of_our_own_store_what_they_are_given_or_nothing() {
    let database = database(schema()).await;
    let db = Db::connect(&database.url).await.unwrap();
    db.check(&APP).await.unwrap();
    let access = system();
    let writer = db.writer(&access);
    // A server counts a key of 0 up unless its mode says otherwise.
    writer.insert(desk(0, "zero")).await.unwrap();
    let found = writer.one(DeskView::select()).await.unwrap();
    assert_eq!((found.id, &*found.name), (0, "zero"));
    if engine() != Engine::Sqlite {
        let error = writer.insert(desk(1, "administrator")).await.unwrap_err();
        assert!(error.is_invalid());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, TextEnum)]
enum Mood {
    Fine,
}

impl serde::Serialize for Mood {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

#[derive(Debug, Clone, Entity)]
#[entity(table = "events", viewer = Clerk, rows = open, reason = "a test of what is stored")]
struct Event {
    #[entity(key)]
    id: i64,
    at: chrono::DateTime<chrono::Utc>,
    mood: Mood,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Event, default = visible)]
struct EventView {
    id: i64,
    at: chrono::DateTime<chrono::Utc>,
    mood: Mood,
}

clearance::app! {
    static EVENTS = { viewer: Clerk, dtos: [EventView], repositories: [] };
}

#[tokio::test]
async fn op_43_columns_that_keep_another_value_of_the_same_kind_are_refused_at_start() {
    let [instants, names]: [&[&str]; 2] = match engine() {
        Engine::Sqlite => [&["TEXT", "REAL", "NUMERIC"], &["INTEGER", "NUMERIC"]],
        Engine::Postgres => [
            &[
                "TIMESTAMPTZ(0)",
                "TIMESTAMPTZ(5)",
                "TIMESTAMP",
                "DATE",
                "moment",
            ],
            &["CHAR(8)", "NAME"],
        ],
        Engine::Mysql => [
            &["DATETIME", "DATETIME(5)", "TIMESTAMP", "DATE"],
            &["CHAR(8)", "ENUM('fine')", "BINARY(8)"],
        ],
    };
    let good = match engine() {
        Engine::Sqlite => ("INTEGER", "TEXT"),
        Engine::Postgres => ("TIMESTAMPTZ", "TEXT"),
        Engine::Mysql => ("DATETIME(6)", "VARCHAR(8)"),
    };
    let instants = instants.iter().map(|at| (*at, good.1, "`events.at`"));
    let names = names.iter().map(|mood| (good.0, *mood, "`events.mood`"));
    for (at, mood, named) in instants.chain(names).chain([(good.0, good.1, "")]) {
        let domain = if at == "moment" {
            "CREATE DOMAIN moment AS TIMESTAMPTZ(3);"
        } else {
            ""
        };
        let schema = format!(
            "{domain} CREATE TABLE events (id INTEGER PRIMARY KEY, at {at} NOT NULL, mood {mood} NOT NULL)"
        );
        let database = empty().await;
        database.pool.execute(&schema).await;
        match database.db.check(&EVENTS).await {
            Ok(()) => assert_eq!(named, "", "{at} {mood}"),
            Err(error) => {
                let error = error.to_string();
                assert!(
                    !named.is_empty() && error.contains(named),
                    "{at} {mood}: {error}"
                );
            }
        }
    }
}

async fn empty() -> Database {
    database("").await
}
