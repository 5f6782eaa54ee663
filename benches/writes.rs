//! Guarded writes on each engine, beside the same statements by hand through sqlx.
//!
//! SQLite always; PostgreSQL and MySQL where `POSTGRES_URL` and `MYSQL_URL` name a server. No
//! commit waits for the disk.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::unreachable,
    clippy::panic,
    clippy::disallowed_methods,
    unreachable_pub,
    dead_code,
    reason = "a benchmark that fails has nothing to report, and by hand means by sqlx"
)]

#[path = "../tests/support/engines.rs"]
mod engines;
mod support;

use std::time::Instant;

use clearance::{
    Access, Entity, Key, RequestContext, Sessions, SourceError, Subject, Viewer, ViewerSource,
    Write, async_trait, testing,
};
use sqlx::{AssertSqlSafe, Row as _};

use engines::{Database, Engine, TestPool};
use support::{Comparison, Judged, Report};

#[derive(Debug, Clone, Viewer)]
struct Member {
    id: i64,
}

#[derive(Entity)]
#[entity(table = "items", viewer = Member, rows = open, reason = "a benchmark")]
#[entity(create_if(row.owner == viewer.id), update_if(row.owner == viewer.id))]
struct Item {
    #[entity(key)]
    id: i64,
    owner: i64,
    name: String,
    rank: i64,
}

struct Members;

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        Ok(subject.parse().ok().map(|id| Member { id }))
    }
}

const SCHEMA: &str = "CREATE TABLE items (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, \
    name TEXT NOT NULL, rank INTEGER NOT NULL)";
const ROWS: i64 = 10_000;
const BATCH: i64 = 1_000;

/// The same check of the session, in the same form. On a server a session that is found has to be kept
/// from being revoked while the statement waits for its row.
const GUARDED: &str = "UPDATE items SET name = ? WHERE id = ? AND owner = ? AND EXISTS (\
    SELECT 1 FROM clearance_sessions WHERE id = ? AND secret_hash = ? \
    AND idle_expires_at > ? AND expires_at > ?LOCK)";
const BARE: &str = "UPDATE items SET name = ? WHERE id = ?";

/// The statement with the engine's placeholders and quotes.
fn dialect(engine: Engine, sql: &str) -> String {
    // A reserved word of MySQL.
    let sql = match engine {
        Engine::Mysql => sql.replace("rank", "`rank`"),
        Engine::Sqlite | Engine::Postgres => sql.to_owned(),
    };
    let sql = match engine {
        Engine::Postgres => sql.replace("LOCK", " FOR KEY SHARE"),
        Engine::Mysql => sql.replace("LOCK", " LOCK IN SHARE MODE"),
        Engine::Sqlite => sql.replace("LOCK", ""),
    };
    if engine != Engine::Postgres {
        return sql;
    }
    let mut parts = sql.split('?');
    let first = parts.next().unwrap().to_owned();
    parts.enumerate().fold(first, |text, (index, part)| {
        format!("{text}${}{part}", index + 1)
    })
}

/// Runs a statement on whichever pool there is, and tells how many rows it touched.
macro_rules! by_hand {
    ($pool:expr, $sql:expr, $query:ident, $bind:expr) => {
        match $pool {
            TestPool::Sqlite(pool) => {
                let $query = sqlx::query(AssertSqlSafe($sql));
                $bind.execute(pool).await.unwrap().rows_affected()
            }
            TestPool::Postgres(pool) => {
                let $query = sqlx::query(AssertSqlSafe($sql));
                $bind.execute(pool).await.unwrap().rows_affected()
            }
            TestPool::Mysql(pool) => {
                let $query = sqlx::query(AssertSqlSafe($sql));
                $bind.execute(pool).await.unwrap().rows_affected()
            }
        }
    };
}

struct Bench<'a> {
    runtime: &'a tokio::runtime::Runtime,
    database: &'a Database,
    engine: Engine,
    report: &'a mut Report,
}

/// What a statement by hand asks of the session.
struct Stored {
    id: String,
    secret_hash: Vec<u8>,
}

async fn stored(pool: &TestPool, engine: Engine) -> Stored {
    let sql = match engine {
        Engine::Mysql => "SELECT CAST(id AS CHAR), secret_hash FROM clearance_sessions",
        Engine::Sqlite | Engine::Postgres => "SELECT id, secret_hash FROM clearance_sessions",
    };
    let (id, secret_hash) = match pool {
        TestPool::Sqlite(pool) => {
            let row = sqlx::query(sql).fetch_one(pool).await.unwrap();
            (row.get(0), row.get(1))
        }
        TestPool::Postgres(pool) => {
            let row = sqlx::query(sql).fetch_one(pool).await.unwrap();
            (row.get(0), row.get(1))
        }
        TestPool::Mysql(pool) => {
            let row = sqlx::query(sql).fetch_one(pool).await.unwrap();
            (row.get(0), row.get(1))
        }
    };
    Stored { id, secret_hash }
}

impl Bench<'_> {
    fn update(&mut self) {
        let Self {
            runtime,
            database,
            engine,
            report,
        } = self;
        let pool = &database.pool;
        let (sessions, cookie) = runtime.block_on(async {
            database.db.migrate().await.unwrap();
            let store = database.db.session_store();
            let sessions = Sessions::builder(Key::generate().unwrap(), store, Members);
            let sessions = sessions.app_url("https://app.example").build().unwrap();
            let session = sessions.create(&Subject::new(7)).await.unwrap();
            let cookie = session
                .into_set_cookies()
                .remove(0)
                .to_str()
                .unwrap()
                .to_owned();
            (sessions, cookie.split(';').next().unwrap().to_owned())
        });
        let stored = runtime.block_on(stored(pool, *engine));
        let mut headers = http::HeaderMap::new();
        headers.insert(http::header::COOKIE, cookie.parse().unwrap());
        let library = || {
            let request = RequestContext::new(&sessions, &headers);
            runtime.block_on(request.scope(async {
                let access = Access::<Write<Member>>::authenticated().await.unwrap();
                let start = Instant::now();
                for id in 1..=20_i64 {
                    let update = database.db.writer(&access).update::<Item>(id * 37);
                    update.set(Item::NAME, "ours").execute().await.unwrap();
                }
                start.elapsed()
            }))
        };
        let guarded = dialect(*engine, GUARDED);
        let by_hand = || {
            runtime.block_on(async {
                let start = Instant::now();
                for id in 1..=20_i64 {
                    let now = chrono::Utc::now().timestamp_micros();
                    let touched = by_hand!(
                        pool,
                        guarded.clone(),
                        query,
                        query
                            .bind("theirs")
                            .bind(id * 37)
                            .bind(7_i64)
                            .bind(&stored.id)
                            .bind(&stored.secret_hash)
                            .bind(now)
                            .bind(now)
                    );
                    assert_eq!(touched, 1);
                }
                start.elapsed()
            })
        };
        report.compare(
            comparison(
                format!("{engine:?}: update by key, ownership rule"),
                Some(1.15),
                20,
            ),
            library,
            by_hand,
        );
        let bare = dialect(*engine, BARE);
        report.compare(
            comparison(format!("{engine:?}: the same to a bare update"), None, 20),
            library,
            || {
                runtime.block_on(async {
                    let start = Instant::now();
                    for id in 1..=20_i64 {
                        let touched = by_hand!(
                            pool,
                            bare.clone(),
                            query,
                            query.bind("theirs").bind(id * 37)
                        );
                        assert_eq!(touched, 1);
                    }
                    start.elapsed()
                })
            },
        );
    }

    fn insert(&mut self) {
        let Self {
            runtime,
            database,
            engine,
            report,
        } = self;
        let pool = &database.pool;
        let names: Vec<String> = (0..BATCH).map(|id| format!("name {id}")).collect();
        let next = std::cell::Cell::new(ROWS);
        let first = || {
            let first = next.get() + 1;
            next.set(first + BATCH);
            first
        };
        let library = || {
            let first = first();
            let rows = (first..).zip(&names).map(|(id, name)| Item {
                id,
                owner: 7,
                name: name.clone(),
                rank: id,
            });
            let rows: Vec<Item> = rows.collect();
            let request = testing::as_viewer(Member { id: 7 });
            runtime.block_on(request.scope(async {
                let access = Access::<Write<Member>>::authenticated().await.unwrap();
                let start = Instant::now();
                let writer = database.db.writer(&access);
                writer.insert_many(rows).await.unwrap();
                start.elapsed()
            }))
        };
        let table = dialect(*engine, "INSERT INTO items (id, owner, name, rank) ");
        let by_hand = || {
            let first = first();
            let rows: Vec<(i64, String)> = (first..).zip(names.iter().cloned()).collect();
            runtime.block_on(async {
                let start = Instant::now();
                let touched = match pool {
                    TestPool::Sqlite(pool) => {
                        let mut query = sqlx::QueryBuilder::new(table.clone());
                        query.push_values(rows, |mut row, (id, name)| {
                            row.push_bind(id)
                                .push_bind(7_i64)
                                .push_bind(name)
                                .push_bind(id);
                        });
                        query.build().execute(pool).await.unwrap().rows_affected()
                    }
                    TestPool::Postgres(pool) => {
                        let mut query = sqlx::QueryBuilder::new(table.clone());
                        query.push_values(rows, |mut row, (id, name)| {
                            row.push_bind(id)
                                .push_bind(7_i64)
                                .push_bind(name)
                                .push_bind(id);
                        });
                        query.build().execute(pool).await.unwrap().rows_affected()
                    }
                    TestPool::Mysql(pool) => {
                        let mut query = sqlx::QueryBuilder::new(table.clone());
                        query.push_values(rows, |mut row, (id, name)| {
                            row.push_bind(id)
                                .push_bind(7_i64)
                                .push_bind(name)
                                .push_bind(id);
                        });
                        query.build().execute(pool).await.unwrap().rows_affected()
                    }
                };
                assert_eq!(touched, 1_000);
                start.elapsed()
            })
        };
        report.compare(
            comparison(format!("{engine:?}: insert of {BATCH} rows"), Some(1.20), 1),
            library,
            by_hand,
        );
    }
}

fn comparison(name: String, target: Option<f64>, operations: u32) -> Comparison {
    Comparison {
        name: Box::leak(name.into_boxed_str()),
        target,
        judged: Judged::Best,
        rounds: 200,
        operations,
    }
}

async fn fill(database: &Database) {
    let access = Access::system("fills the table of a benchmark").unwrap();
    let rows = (1..=ROWS).map(|id| Item {
        id,
        owner: 7,
        name: format!("name {id}"),
        rank: id,
    });
    let writer = database.db.writer(&access);
    writer.insert_many(rows).await.unwrap();
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
        let database = runtime.block_on(async {
            let schema = dialect(engine, SCHEMA);
            let database = engines::database_on(engine, &schema).await;
            fill(&database).await;
            database
        });
        let mut bench = Bench {
            runtime: &runtime,
            database: &database,
            engine,
            report: &mut report,
        };
        bench.update();
        bench.insert();
    }
    println!("{report}");
}
