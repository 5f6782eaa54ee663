//! Guarded queries on each engine, beside the same statements by hand through sqlx.
//!
//! SQLite always; PostgreSQL and MySQL where `POSTGRES_URL` and `MYSQL_URL` name a server.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::disallowed_methods,
    unreachable_pub,
    dead_code,
    reason = "a benchmark that fails has nothing to report, and by hand means by sqlx"
)]

#[path = "../tests/support/engines.rs"]
mod engines;
mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use clearance::{Access, Db, Dto, Entity, Field, Read, Viewer, testing};
use sqlx::Row as _;

use engines::{Database, Engine, TestPool};
use support::{Comparison, Judged, Report, is_measured};

#[derive(Debug, Clone, Viewer)]
struct Member {
    id: i64,
    admin: bool,
    team: Option<String>,
}

#[derive(Entity)]
#[entity(table = "staff", viewer = Member, rows = open, reason = "a benchmark")]
#[entity(has_many(notes: Note, by = staff_id))]
struct Staff {
    #[entity(key)]
    id: i64,
    bucket: i64,
    name: String,
    team: Option<String>,
    phone: Option<String>,
    salary: i64,
}

#[derive(Entity)]
#[entity(table = "notes", viewer = Member, rows = open, reason = "a benchmark")]
struct Note {
    #[entity(key)]
    id: i64,
    staff_id: i64,
    text: String,
}

#[derive(Dto)]
#[dto(entity = Staff, default = visible)]
struct StaffRow {
    id: i64,
    bucket: i64,
    name: String,
    #[visible_if(viewer.admin || same(viewer.team, row.team))]
    phone: Field<Option<String>>,
    #[visible_if(viewer.admin)]
    salary: Field<i64>,
}

#[derive(Dto)]
#[dto(entity = Note, default = visible)]
struct NoteRow {
    id: i64,
    text: String,
}

#[derive(Dto)]
#[dto(entity = Staff, default = visible)]
struct WithNotes {
    id: i64,
    bucket: i64,
    name: String,
    #[dto(related)]
    notes: Vec<NoteRow>,
}

/// A field that depends on the row, with an index.
#[derive(Dto)]
#[dto(entity = Staff, default = visible)]
struct ByPhone {
    id: i64,
    #[visible_if(same(viewer.team, row.team))]
    phone: Field<Option<String>>,
}

/// What a competent engineer reads a row into.
struct ByHand {
    id: i64,
    bucket: i64,
    name: String,
    phone: Option<Option<String>>,
    salary: Option<i64>,
}

const SCHEMA: &str = "
    CREATE TABLE staff (id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, name TEXT NOT NULL,
        team KEYTEXT, phone KEYTEXT, salary INTEGER NOT NULL);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, staff_id INTEGER NOT NULL, text TEXT NOT NULL)";

async fn fill(database: &Database, engine: Engine, rows: u32) {
    let numbers = |to: u32| match engine {
        Engine::Sqlite => format!(
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {to}) SELECT i FROM n)"
        ),
        Engine::Postgres => format!("(SELECT i FROM generate_series(1, {to}) AS i)"),
        Engine::Mysql => format!("(SELECT seq AS i FROM seq_1_to_{to})"),
    };
    let text = |prefix: &str| match engine {
        Engine::Mysql => format!("CONCAT('{prefix}', i)"),
        Engine::Sqlite | Engine::Postgres => format!("'{prefix}' || i"),
    };
    let notes = rows.min(100_000);
    for sql in [
        format!(
            "INSERT INTO staff SELECT i, i % 100, {}, CASE WHEN i % 3 = 0 THEN 'red' ELSE 'blue' END, {}, i FROM {} AS many",
            text("name "),
            text("+49 30 "),
            numbers(rows)
        ),
        // Twenty notes for each of the first staff.
        format!(
            "INSERT INTO notes SELECT i, (i - 1) / 20 + 1, {} FROM {} AS many",
            text("note "),
            numbers(notes)
        )
        .replace(
            "(i - 1) / 20",
            if engine == Engine::Mysql {
                "(i - 1) DIV 20"
            } else {
                "(i - 1) / 20"
            },
        ),
        "CREATE INDEX staff_by_bucket ON staff (bucket)".to_owned(),
        "CREATE INDEX staff_by_phone ON staff (phone)".to_owned(),
        "CREATE INDEX notes_by_staff ON notes (staff_id)".to_owned(),
        match engine {
            Engine::Mysql => "ANALYZE TABLE staff, notes".to_owned(),
            Engine::Sqlite | Engine::Postgres => "ANALYZE".to_owned(),
        },
    ] {
        database.pool.execute(&sql).await;
    }
}

/// The statement in the engine's own quotes, placeholders and bytes.
fn dialect(engine: Engine, sql: &str) -> String {
    match engine {
        Engine::Sqlite => sql
            .replace("BYTES(team)", "team COLLATE BINARY")
            .replace("BYTES(phone)", "phone COLLATE BINARY"),
        Engine::Mysql => sql
            .replace("BYTES(team)", "CAST(team AS BINARY)")
            .replace("BYTES(phone)", "CAST(phone AS BINARY)"),
        Engine::Postgres => {
            let sql = sql
                .replace("BYTES(team)", "team COLLATE \"C\"")
                .replace("BYTES(phone)", "phone COLLATE \"C\"");
            let mut parts = sql.split('?');
            let first = parts.next().unwrap().to_owned();
            parts.enumerate().fold(first, |text, (index, part)| {
                format!("{text}${}{part}", index + 1)
            })
        }
    }
}

const ADMIN: &str = "SELECT id, bucket, name, phone, salary FROM staff WHERE bucket = ?";
const MATE: &str = "SELECT id, bucket, name, CASE WHEN (team = ? AND BYTES(team) = ?) THEN phone END, \
    (team = ? AND BYTES(team) = ?) FROM staff WHERE bucket = ?";
const OUTER: &str = "SELECT id, bucket, name FROM staff WHERE bucket = ? AND id <= ? ORDER BY id";
const PHONE: &str = "SELECT id, phone FROM staff WHERE phone = ?";

/// Runs a statement on whichever pool there is, and reads each row as `query_as` does.
macro_rules! by_hand {
    ($pool:expr, $sql:expr, [$($value:expr),*], |$row:ident| $read:expr) => {
        match $pool {
            TestPool::Sqlite(pool) => {
                let query = sqlx::query(sqlx::AssertSqlSafe($sql))$(.bind($value))*;
                query.map(|$row: sqlx::sqlite::SqliteRow| $read).fetch_all(pool).await.unwrap()
            }
            TestPool::Postgres(pool) => {
                let query = sqlx::query(sqlx::AssertSqlSafe($sql))$(.bind($value))*;
                query.map(|$row: sqlx::postgres::PgRow| $read).fetch_all(pool).await.unwrap()
            }
            TestPool::Mysql(pool) => {
                let query = sqlx::query(sqlx::AssertSqlSafe($sql))$(.bind($value))*;
                query.map(|$row: sqlx::mysql::MySqlRow| $read).fetch_all(pool).await.unwrap()
            }
        }
    };
}

fn viewer(admin: bool) -> Member {
    Member {
        id: 1,
        admin,
        team: Some("red".to_owned()),
    }
}

fn elapsed<T>(start: Instant, rows: Vec<T>) -> Duration {
    let elapsed = start.elapsed();
    black_box(rows);
    elapsed
}

struct Bench<'a> {
    runtime: &'a tokio::runtime::Runtime,
    database: &'a Database,
    engine: Engine,
    report: &'a mut Report,
}

impl Bench<'_> {
    fn compare<T, U>(
        &mut self,
        (name, target, rounds): (String, Option<f64>, usize),
        who: &Member,
        library: impl AsyncFn(Access<Read<Member>>, &Db) -> Vec<T>,
        by_hand: impl AsyncFn(&TestPool) -> Vec<U>,
    ) {
        let Self {
            runtime,
            database,
            report,
            ..
        } = self;
        let count = runtime.block_on(async {
            let request = testing::as_viewer(who.clone());
            let ours = request
                .scope(async {
                    let access = Access::<Read<Member>>::authenticated().await.unwrap();
                    library(access, &database.db).await.len()
                })
                .await;
            (ours, by_hand(&database.pool).await.len())
        });
        assert_eq!(count.0, count.1, "{name}");
        report.compare(
            Comparison {
                name: Box::leak(name.into_boxed_str()),
                target,
                judged: Judged::Median,
                rounds,
                operations: 1,
            },
            || {
                let request = testing::as_viewer(who.clone());
                runtime.block_on(async {
                    let start = Instant::now();
                    let rows = request
                        .scope(async {
                            let access = Access::<Read<Member>>::authenticated().await.unwrap();
                            library(access, &database.db).await
                        })
                        .await;
                    elapsed(start, rows)
                })
            },
            || {
                runtime.block_on(async {
                    let start = Instant::now();
                    let rows = by_hand(&database.pool).await;
                    elapsed(start, rows)
                })
            },
        );
    }

    fn select(&mut self) {
        let engine = self.engine;
        let admin = dialect(engine, ADMIN);
        self.compare(
            (
                format!("{engine:?}: 1,000 of 100,000 rows, viewer rules"),
                Some(1.10),
                200,
            ),
            &viewer(true),
            async |access, db| {
                let query = StaffRow::select().filter(StaffRow::BUCKET.eq(7));
                db.reader(&access).all(query).await.unwrap()
            },
            async |pool| {
                by_hand!(pool, admin.clone(), [7_i64], |row| ByHand {
                    id: row.get(0),
                    bucket: row.get(1),
                    name: row.get(2),
                    phone: Some(row.get(3)),
                    salary: Some(row.get(4)),
                })
            },
        );
        let mate = dialect(engine, MATE);
        self.compare(
            (
                format!("{engine:?}: 1,000 of 100,000 rows, row rules"),
                Some(1.15),
                200,
            ),
            &viewer(false),
            async |access, db| {
                let query = StaffRow::select().filter(StaffRow::BUCKET.eq(7));
                db.reader(&access).all(query).await.unwrap()
            },
            async |pool| {
                by_hand!(
                    pool,
                    mate.clone(),
                    ["red", "red", "red", "red", 7_i64],
                    |row| {
                        let seen: Option<bool> = row.get(4);
                        ByHand {
                            id: row.get(0),
                            bucket: row.get(1),
                            name: row.get(2),
                            phone: if seen == Some(true) {
                                Some(row.get(3))
                            } else {
                                None
                            },
                            salary: None,
                        }
                    }
                )
            },
        );
    }

    fn nested(&mut self) {
        let engine = self.engine;
        let outer = dialect(engine, OUTER);
        self.compare(
            (format!("{engine:?}: 50 rows with 20 nested each"), Some(1.20), 200),
            &viewer(false),
            async |access, db| {
                let filter = WithNotes::BUCKET.eq(7).and(WithNotes::ID.le(4_907));
                let query = WithNotes::select().filter(filter).order(WithNotes::ID.asc());
                db.reader(&access).all(query).await.unwrap()
            },
            async |pool| {
                let people: Vec<(i64, i64, String)> =
                    by_hand!(pool, outer.clone(), [7_i64, 4_907_i64], |row| {
                        (row.get(0), row.get(1), row.get(2))
                    });
                let marks = vec!["?"; people.len()].join(", ");
                let inner = dialect(
                    engine,
                    &format!("SELECT id, text, staff_id FROM notes WHERE staff_id IN ({marks}) ORDER BY id"),
                );
                let ids: Vec<i64> = people.iter().map(|person| person.0).collect();
                let notes: Vec<(i64, String, i64)> = match pool {
                    TestPool::Sqlite(pool) => {
                        let mut query = sqlx::query(sqlx::AssertSqlSafe(inner));
                        for id in &ids {
                            query = query.bind(id);
                        }
                        let rows = query.fetch_all(pool).await.unwrap();
                        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
                    }
                    TestPool::Postgres(pool) => {
                        let mut query = sqlx::query(sqlx::AssertSqlSafe(inner));
                        for id in &ids {
                            query = query.bind(id);
                        }
                        let rows = query.fetch_all(pool).await.unwrap();
                        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
                    }
                    TestPool::Mysql(pool) => {
                        let mut query = sqlx::query(sqlx::AssertSqlSafe(inner));
                        for id in &ids {
                            query = query.bind(id);
                        }
                        let rows = query.fetch_all(pool).await.unwrap();
                        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
                    }
                };
                let mut of: std::collections::HashMap<i64, Vec<(i64, String)>> =
                    std::collections::HashMap::new();
                for (id, text, staff) in notes {
                    of.entry(staff).or_default().push((id, text));
                }
                people
                    .into_iter()
                    .map(|(id, bucket, name)| (id, bucket, name, of.remove(&id).unwrap_or_default()))
                    .collect::<Vec<_>>()
            },
        );
    }

    fn filter(&mut self, rows: u32) {
        let engine = self.engine;
        let phone = dialect(engine, PHONE);
        let wanted = "+49 30 300000";
        self.compare(
            (
                format!("{engine:?}: a filter on a hidden field, {rows} rows"),
                Some(1.50),
                300,
            ),
            &viewer(false),
            async |access, db| {
                let query = ByPhone::select().filter(ByPhone::PHONE.eq(wanted));
                db.reader(&access).all(query).await.unwrap()
            },
            async |pool| {
                by_hand!(pool, phone.clone(), [wanted], |row| {
                    let id: i64 = row.get(0);
                    let phone: Option<String> = row.get(1);
                    (id, phone)
                })
            },
        );
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut report = Report::default();
    for (engine, variable) in [
        (Engine::Sqlite, None),
        (Engine::Postgres, Some("POSTGRES_URL")),
        (Engine::Mysql, Some("MYSQL_URL")),
    ] {
        if let Some(variable) = variable
            && std::env::var(variable).is_err()
        {
            println!("{engine:?}: left out, {variable} is not set");
            continue;
        }
        let small = if is_measured() { 100_000 } else { 10_000 };
        let database = runtime.block_on(async {
            let database = engines::database_on(engine, SCHEMA).await;
            fill(&database, engine, small).await;
            database
        });
        let mut bench = Bench {
            runtime: &runtime,
            database: &database,
            engine,
            report: &mut report,
        };
        bench.select();
        bench.nested();
        drop(database);
        if engine == Engine::Postgres && is_measured() {
            let database = runtime.block_on(async {
                let database = engines::database_on(engine, SCHEMA).await;
                fill(&database, engine, 500_000).await;
                database
            });
            let mut bench = Bench {
                runtime: &runtime,
                database: &database,
                engine,
                report: &mut report,
            };
            bench.filter(500_000);
        }
    }
    println!("{report}");
}
