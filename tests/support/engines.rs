//! A fresh database for a test, on the engine that this run is about.
//!
//! `CLEARANCE_ENGINE` names it: `sqlite`, which needs nothing, or `postgres` or `mysql`, whose
//! server `POSTGRES_URL` or `MYSQL_URL` names. One set of tests runs on each. What only SQLite can
//! show has a name that ends in `on_sqlite`, so that a run on another engine leaves it out by name.
//! `CLEARANCE_ISOLATION` names the level that connections to a server begin with, as an operator may have
//! set it: `read committed`, `repeatable read` or `serializable`. Without it, it is the server's own.

use std::fmt;

use clearance::Db;
use sqlx::AssertSqlSafe;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
    Mysql,
}

/// The engine of this run.
pub fn engine() -> Engine {
    match std::env::var("CLEARANCE_ENGINE").as_deref() {
        Err(_) | Ok("sqlite") => Engine::Sqlite,
        Ok("postgres") => Engine::Postgres,
        Ok("mysql") => Engine::Mysql,
        Ok(other) => panic!("CLEARANCE_ENGINE names no engine: `{other}`"),
    }
}

/// How much transactions see of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isolation {
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl Isolation {
    fn named() -> Option<Self> {
        let name = std::env::var("CLEARANCE_ISOLATION").ok()?;
        let level = Self::ALL.into_iter().find(|level| level.name() == name);
        Some(level.unwrap_or_else(|| panic!("CLEARANCE_ISOLATION names no level: `{name}`")))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::ReadCommitted => "read committed",
            Self::RepeatableRead => "repeatable read",
            Self::Serializable => "serializable",
        }
    }

    pub const ALL: [Self; 3] = [
        Self::ReadCommitted,
        Self::RepeatableRead,
        Self::Serializable,
    ];

    /// The level of this run.
    #[allow(dead_code, reason = "few tests are about it")]
    pub fn of_this_run() -> Self {
        match engine() {
            Engine::Sqlite => Self::Serializable,
            Engine::Postgres => Self::named().unwrap_or(Self::ReadCommitted),
            Engine::Mysql => Self::named().unwrap_or(Self::RepeatableRead),
        }
    }
}

/// Connections that begin at this level, or at the server's own.
#[expect(
    clippy::disallowed_methods,
    reason = "a test sets what an operator would"
)]
fn postgres_at(level: Option<Isolation>) -> sqlx::postgres::PgPoolOptions {
    let options = sqlx::postgres::PgPoolOptions::new().max_connections(4);
    options.after_connect(move |connection, _| {
        Box::pin(async move {
            let Some(level) = level else { return Ok(()) };
            let set = format!("SET default_transaction_isolation = '{}'", level.name());
            let set = sqlx::raw_sql(AssertSqlSafe(set)).execute(connection);
            set.await.map(|_| ())
        })
    })
}

/// The same on MariaDB.
#[expect(
    clippy::disallowed_methods,
    reason = "a test sets what an operator would"
)]
fn mysql_at(level: Option<Isolation>) -> sqlx::mysql::MySqlPoolOptions {
    let options = sqlx::mysql::MySqlPoolOptions::new().max_connections(4);
    options.after_connect(move |connection, _| {
        Box::pin(async move {
            let Some(level) = level else { return Ok(()) };
            let set = format!("SET SESSION TRANSACTION ISOLATION LEVEL {}", level.name());
            let set = sqlx::raw_sql(AssertSqlSafe(set)).execute(connection);
            set.await.map(|_| ())
        })
    })
}

impl Engine {
    fn server(self) -> String {
        let variable = match self {
            Self::Sqlite => unreachable!("SQLite has no server"),
            Self::Postgres => "POSTGRES_URL",
            Self::Mysql => "MYSQL_URL",
        };
        std::env::var(variable)
            .unwrap_or_else(|_| panic!("{variable} names no server; `cargo xtask test` starts one"))
    }

    /// The server's URL with another database.
    fn url_of(self, database: &str) -> String {
        let server = self.server();
        let (address, rest) = server.rsplit_once('/').unwrap();
        match rest.split_once('?') {
            Some((_, options)) => format!("{address}/{database}?{options}"),
            None => format!("{address}/{database}"),
        }
    }

    /// The schema in the engine's own types. It is written in SQLite's, with INSTANT, BYTES and
    /// ID16 for instants, bytes and UUIDs, KEYTEXT for text that has an index,
    /// KEYTEXT8 for such text with a collation behind it, NOCASE for one that overlooks case, and
    /// AUTOKEY for a primary key that the engine counts up.
    pub fn schema(self, schema: &str) -> String {
        let types: [(&str, &str); 10] = match self {
            Self::Sqlite => [
                ("AUTOKEY", "INTEGER PRIMARY KEY"),
                ("INTEGER", "INTEGER"),
                ("INSTANT", "INTEGER"),
                ("BYTES", "BLOB"),
                ("ID16", "BLOB"),
                ("KEYTEXT", "TEXT"),
                ("FLOAT8", "REAL"),
                ("NOCASE", "NOCASE"),
                ("KEYTEXT8", "TEXT"),
                ("TEXT", "TEXT"),
            ],
            Self::Postgres => [
                (
                    "AUTOKEY",
                    "BIGINT GENERATED BY DEFAULT AS IDENTITY (START WITH 1000) PRIMARY KEY",
                ),
                ("INTEGER", "BIGINT"),
                ("INSTANT", "TIMESTAMPTZ"),
                ("BYTES", "BYTEA"),
                ("ID16", "UUID"),
                ("KEYTEXT", "TEXT COLLATE \"C\""),
                ("FLOAT8", "DOUBLE PRECISION"),
                ("NOCASE", "nocase"),
                ("KEYTEXT8", "TEXT"),
                ("TEXT", "TEXT"),
            ],
            Self::Mysql => [
                ("AUTOKEY", "BIGINT AUTO_INCREMENT PRIMARY KEY"),
                ("INTEGER", "BIGINT"),
                ("INSTANT", "DATETIME(6)"),
                ("BYTES", "LONGBLOB"),
                ("ID16", "BINARY(16)"),
                ("KEYTEXT", "VARCHAR(191)"),
                ("FLOAT8", "DOUBLE"),
                ("NOCASE", "utf8mb4_general_ci"),
                ("KEYTEXT8", "VARCHAR(191)"),
                ("TEXT", "LONGTEXT"),
            ],
        };
        let mut words = String::with_capacity(schema.len());
        let mut word = String::new();
        for letter in schema.chars().chain(['\n']) {
            if letter.is_ascii_alphanumeric() || letter == '_' {
                word.push(letter);
                continue;
            }
            let known = types.iter().find(|(name, _)| *name == word);
            words.push_str(known.map_or(&word, |(_, engine)| engine));
            word.clear();
            words.push(letter);
        }
        words
    }
}

/// A query of the test's own with a placeholder `?` for each value, as the engine writes them.
pub fn placeholders(sql: &str) -> &'static str {
    let sql: String = match engine() {
        Engine::Sqlite | Engine::Mysql => sql.to_owned(),
        Engine::Postgres => sql
            .split('?')
            .enumerate()
            .map(|(number, part)| match number {
                0 => part.to_owned(),
                _ => format!("${number}{part}"),
            })
            .collect(),
    };
    Box::leak(sql.into_boxed_str())
}

/// Text as the engine can hold it: PostgreSQL has none with a NUL.
pub fn storable(text: &str) -> String {
    match engine() {
        Engine::Sqlite | Engine::Mysql => text.to_owned(),
        Engine::Postgres => text.replace('\0', ""),
    }
}

/// The application's own connections.
#[derive(Clone)]
pub enum TestPool {
    Sqlite(sqlx::SqlitePool),
    Postgres(sqlx::PgPool),
    Mysql(sqlx::MySqlPool),
}

impl TestPool {
    /// The pool of a test that only SQLite can show.
    pub fn sqlite(&self) -> &sqlx::SqlitePool {
        match self {
            Self::Sqlite(pool) => pool,
            Self::Postgres(_) | Self::Mysql(_) => panic!("a test of SQLite ran on another engine"),
        }
    }

    /// Runs statements as an application would on its own pool.
    pub async fn execute(&self, sql: &str) {
        #[expect(
            clippy::disallowed_methods,
            reason = "a test makes and changes tables behind the library's back"
        )]
        match self {
            Self::Sqlite(pool) => {
                let _ = sqlx::raw_sql(AssertSqlSafe(sql))
                    .execute(pool)
                    .await
                    .unwrap();
            }
            Self::Postgres(pool) => {
                let _ = sqlx::raw_sql(AssertSqlSafe(sql))
                    .execute(pool)
                    .await
                    .unwrap();
            }
            Self::Mysql(pool) => {
                let _ = sqlx::raw_sql(AssertSqlSafe(sql))
                    .execute(pool)
                    .await
                    .unwrap();
            }
        }
    }

    /// The same database through connections that begin at this level.
    #[allow(dead_code, reason = "few tests are about it")]
    pub fn at(&self, level: Isolation) -> Self {
        match self {
            Self::Sqlite(pool) => Self::Sqlite(pool.clone()),
            Self::Postgres(pool) => {
                let options = pool.connect_options().as_ref().clone();
                Self::Postgres(postgres_at(Some(level)).connect_lazy_with(options))
            }
            Self::Mysql(pool) => {
                let options = pool.connect_options().as_ref().clone();
                Self::Mysql(mysql_at(Some(level)).connect_lazy_with(options))
            }
        }
    }

    /// Opens every connection that it may have: to open one takes more stack than a small thread has.
    #[allow(dead_code, reason = "few tests have small threads")]
    pub async fn open(&self) {
        match self {
            Self::Sqlite(pool) => open(pool).await,
            Self::Postgres(pool) => open(pool).await,
            Self::Mysql(pool) => open(pool).await,
        }
    }

    /// Waits until every connection is back.
    #[allow(dead_code, reason = "few tests break connections")]
    pub async fn rest(&self) {
        let is_at_rest = || match self {
            Self::Sqlite(pool) => pool.num_idle() == pool.size() as usize,
            Self::Postgres(pool) => pool.num_idle() == pool.size() as usize,
            Self::Mysql(pool) => pool.num_idle() == pool.size() as usize,
        };
        while !is_at_rest() {
            tokio::task::yield_now().await;
        }
    }

    pub fn db(&self) -> Db {
        let reason = "the test makes its own tables";
        match self {
            Self::Sqlite(pool) => Db::unguarded_pool(pool.clone(), reason),
            Self::Postgres(pool) => Db::unguarded_pool(pool.clone(), reason),
            Self::Mysql(pool) => Db::unguarded_pool(pool.clone(), reason),
        }
    }
}

#[allow(dead_code, reason = "as `TestPool::open`")]
async fn open<DB: sqlx::Database>(pool: &sqlx::Pool<DB>) {
    let mut open = Vec::new();
    for _ in 0..pool.options().get_max_connections() {
        open.push(pool.acquire().await.unwrap());
    }
}

/// A database of one test. It is gone when this is dropped.
pub struct Database {
    pub db: Db,
    pub pool: TestPool,
    /// Where another process finds it.
    #[allow(dead_code, reason = "not every test starts one")]
    pub url: String,
    _kept: Kept,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

enum Kept {
    Folder(#[expect(dead_code, reason = "held until the test ends")] tempfile::TempDir),
    Named(Engine, String),
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Self::Named(engine, name) = self else {
            return;
        };
        let (engine, name) = (*engine, name.clone());
        // The test's own runtime may be gone or busy, so a thread with one of its own drops it.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(drop_database(engine, &name));
        });
        let _ = dropped.join();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test makes its own database")]
async fn drop_database(engine: Engine, name: &str) {
    use sqlx::Connection as _;

    match engine {
        Engine::Sqlite => {}
        Engine::Postgres => {
            let sql = format!("DROP DATABASE \"{name}\" WITH (FORCE)");
            if let Ok(mut server) = sqlx::PgConnection::connect(&engine.server()).await {
                let _ = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut server).await;
            }
        }
        Engine::Mysql => {
            let sql = format!("DROP DATABASE `{name}`");
            if let Ok(mut server) = sqlx::MySqlConnection::connect(&engine.server()).await {
                // A transaction that was left open would be waited for.
                let open = "SELECT id FROM information_schema.processlist WHERE db = ?";
                let open: Vec<i64> = sqlx::query_scalar(open)
                    .bind(name)
                    .fetch_all(&mut server)
                    .await
                    .unwrap_or_default();
                for id in open {
                    let kill = AssertSqlSafe(format!("KILL {id}"));
                    let _ = sqlx::raw_sql(kill).execute(&mut server).await;
                }
                let _ = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut server).await;
            }
        }
    }
}

/// A fresh database with the tables of `schema`; see [`Engine::schema`].
pub async fn database(schema: &str) -> Database {
    database_on(engine(), schema).await
}

/// As [`database`], on an engine that is named.
pub async fn database_on(engine: Engine, schema: &str) -> Database {
    let database = empty(engine).await;
    let schema = engine.schema(schema);
    if !schema.trim().is_empty() {
        database.pool.execute(&schema).await;
    }
    database
}

#[expect(clippy::disallowed_methods, reason = "a test makes its own database")]
async fn empty(engine: Engine) -> Database {
    let name = format!("clearance_test_{}", uuid::Uuid::new_v4().simple());
    let (pool, url, kept) = match engine {
        Engine::Sqlite => {
            let folder = tempfile::tempdir().unwrap();
            let options = sqlx::sqlite::SqliteConnectOptions::new()
                .filename(folder.path().join("test.db"))
                .create_if_missing(true)
                .synchronous(sqlx::sqlite::SqliteSynchronous::Off);
            let pool = sqlx::sqlite::SqlitePoolOptions::new()
                // A plan alone does not notice that another connection changed the schema.
                .before_acquire(|connection, _| {
                    Box::pin(async move {
                        let schema = sqlx::query("SELECT 1 FROM sqlite_schema");
                        schema.fetch_all(connection).await.map(|_| true)
                    })
                })
                .connect_with(options)
                .await
                .unwrap();
            let url = format!("sqlite://{}", folder.path().join("test.db").display());
            (TestPool::Sqlite(pool), url, Kept::Folder(folder))
        }
        Engine::Postgres => {
            use sqlx::Connection as _;

            let options: sqlx::postgres::PgConnectOptions = engine.server().parse().unwrap();
            let mut server = sqlx::PgConnection::connect_with(&options).await.unwrap();
            let sql = format!("CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'");
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut server)
                .await
                .unwrap();
            let pool = postgres_at(Isolation::named()).connect_lazy_with(options.database(&name));
            let pool = TestPool::Postgres(pool);
            let collation = "CREATE COLLATION nocase \
                (provider = icu, locale = 'und-u-ks-level2', deterministic = false)";
            pool.execute(collation).await;
            let url = engine.url_of(&name);
            (pool, url, Kept::Named(engine, name))
        }
        Engine::Mysql => {
            use sqlx::Connection as _;

            let options: sqlx::mysql::MySqlConnectOptions = engine.server().parse().unwrap();
            let mut server = sqlx::MySqlConnection::connect_with(&options).await.unwrap();
            let sql = format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4");
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut server)
                .await
                .unwrap();
            let options = options.database(&name);
            let pool = mysql_at(Isolation::named())
                // A statement that leaves the driver's cache costs 40 ms, and random queries are
                // more than its 100; but a server keeps 16,382 of them for all connections.
                .connect_lazy_with(options.statement_cache_capacity(1_500));
            let url = engine.url_of(&name);
            (TestPool::Mysql(pool), url, Kept::Named(engine, name))
        }
    };
    Database {
        db: pool.db(),
        pool,
        url,
        _kept: kept,
    }
}
