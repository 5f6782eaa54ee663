//! The database handle. Its pool is private to this module.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::connections::Connections;
use super::known_tables::KnownTables;
#[cfg(feature = "mysql")]
use super::packet::Packet;
#[cfg(feature = "mysql")]
use super::settings::MYSQL_MODE;
use super::texts::Texts;
use super::unit::Unit;
use crate::error::{Error, Result};
use crate::events;

/// A database that is accessible through repositories only.
///
/// It is cheap to clone. It has no query method of its own: a query starts from [`Db::reader`] or
/// [`Db::writer`], which require an [`Access`](crate::Access), the proof that a rule allowed the call.
///
/// # Example
///
/// ```
/// use clearance::Db;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> clearance::Result<()> {
/// let db = Db::connect("sqlite::memory:").await?;
/// db.migrate().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
    /// The transaction that its statements run in.
    unit: Option<Unit>,
    /// A value of another room, which its clones carry along.
    companion: Option<Arc<dyn Any + Send + Sync>>,
    /// The time after which its caller abandons a statement.
    limit: Option<Duration>,
    /// Set if its statements may change settings that would apply to the next one on their connection.
    uses_up: bool,
}

struct Inner {
    id: DatabaseId,
    pool: Pool,
    /// Set if it was wrapped without a reason, so that every statement is refused.
    unexplained: bool,
    texts: Texts,
    known_tables: KnownTables,
    #[cfg(feature = "mysql")]
    packet: Packet,
}

/// The maximum number of prepared statements of a connection to MySQL. The driver closes one that leaves
/// its cache by a message of its own, which waits for an acknowledgement: 44 ms, where one that is kept
/// takes 0.2. A server keeps 16,382 for all connections, which is room for 81 of these (decision 68).
#[cfg(feature = "mysql")]
const STATEMENTS: usize = 200;

/// The identity of a connected database within the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct DatabaseId(u64);

/// The pool of an application, of any engine whose feature is on.
#[derive(Clone)]
pub struct Pool(pub(super) Engine);

#[derive(Clone)]
pub(super) enum Engine {
    #[cfg(feature = "sqlite")]
    Sqlite(Arc<Connections<sqlx::Sqlite>>),
    #[cfg(feature = "postgres")]
    Postgres(Arc<Connections<sqlx::Postgres>>),
    #[cfg(feature = "mysql")]
    Mysql(Arc<Connections<sqlx::MySql>>),
}

#[cfg(feature = "sqlite")]
impl From<sqlx::SqlitePool> for Pool {
    fn from(pool: sqlx::SqlitePool) -> Self {
        Self(Engine::Sqlite(Connections::new(pool, true)))
    }
}

#[cfg(feature = "postgres")]
impl From<sqlx::PgPool> for Pool {
    fn from(pool: sqlx::PgPool) -> Self {
        Self(Engine::Postgres(Connections::new(pool, false)))
    }
}

#[cfg(feature = "mysql")]
impl From<sqlx::MySqlPool> for Pool {
    fn from(pool: sqlx::MySqlPool) -> Self {
        Self(Engine::Mysql(Connections::new(pool, false)))
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").finish_non_exhaustive()
    }
}

/// Equates a handle with its clones, audited or not, and with no other one, even to the same file or
/// server. A handle of a transaction equals those of the same transaction.
impl PartialEq for Db {
    fn eq(&self, other: &Self) -> bool {
        self.inner.id == other.inner.id && self.unit == other.unit
    }
}

impl Eq for Db {}

impl Hash for Db {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.id.hash(state);
    }
}

impl Db {
    /// Connects to the database at `url`, for instance `sqlite://app.db`,
    /// `postgres://app@localhost/app` or `mysql://app@localhost/app`.
    ///
    /// A SQLite file must exist unless the URL ends in `?mode=rwc`. `sqlite::memory:` is one
    /// database for as long as the handle lives.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when the URL is malformed or names an engine whose feature is
    /// off, [`Error::is_unavailable`] when the database does not answer. Neither repeats the
    /// URL, which may hold a password.
    pub async fn connect(url: &str) -> Result<Self> {
        let scheme = url.split(':').next().unwrap_or_default();
        match scheme {
            #[cfg(feature = "sqlite")]
            "sqlite" => Ok(Self::new(connect_sqlite(url).await?.into())),
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => {
                let options = url.parse().map_err(|_| malformed("postgres"))?;
                let pool = sqlx::PgPool::connect_with(options).await;
                Ok(Self::new(pool.map_err(super::failure::classify)?.into()))
            }
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => {
                let options: sqlx::mysql::MySqlConnectOptions =
                    url.parse().map_err(|_| malformed("mysql"))?;
                let options = options.statement_cache_capacity(STATEMENTS);
                let pool = sqlx::mysql::MySqlPoolOptions::new()
                    .after_connect(|connection, _| {
                        Box::pin(async move {
                            let mode = sqlx::raw_sql(MYSQL_MODE).execute(connection);
                            mode.await.map(|_| ())
                        })
                    })
                    .connect_with(options)
                    .await;
                Ok(Self::new(pool.map_err(super::failure::classify)?.into()))
            }
            _ => Err(Error::configuration(
                "the database URL starts with no known engine: use `sqlite:`, `postgres:` or `mysql:`, and turn the engine's feature on",
            )),
        }
    }

    /// Wraps an existing pool of the application.
    ///
    /// The pool stays in the application's hands, so queries on it bypass every rule. `reason` says why
    /// that is acceptable; it is logged, for reviews of the program. The pool is one of sqlx 0.9.
    ///
    /// With an empty `reason` every statement is refused, as [`Error::is_misuse`].
    ///
    /// A connection that has finished a statement serves the library's next one for a few milliseconds,
    /// while the pool has others left or a statement of the library waits (decision 62). So
    /// `before_acquire` and `after_release` of the pool run once for several statements, of several
    /// requests: the settings of such a hook must not depend on the viewer.
    ///
    /// # Example
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = sqlx::SqlitePool::connect("sqlite::memory:").await?;
    /// let db = clearance::Db::unguarded_pool(pool, "the report module still has its own queries");
    /// # let _ = db;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn unguarded_pool(pool: impl Into<Pool>, reason: &'static str) -> Self {
        events::escape_hatch("unguarded_pool", reason);
        Self::of(pool.into(), reason.trim().is_empty())
    }

    fn new(pool: Pool) -> Self {
        Self::of(pool, false)
    }

    fn of(pool: Pool, unexplained: bool) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            inner: Arc::new(Inner {
                id: DatabaseId(NEXT.fetch_add(1, Ordering::Relaxed)),
                pool,
                unexplained,
                texts: Texts::new(),
                known_tables: KnownTables::default(),
                #[cfg(feature = "mysql")]
                packet: Packet::default(),
            }),
            unit: None,
            companion: None,
            limit: None,
            uses_up: false,
        }
    }

    /// Returns the handle with every statement in this transaction.
    pub(crate) fn within(&self, unit: Unit) -> Self {
        Self {
            unit: Some(unit),
            ..self.clone()
        }
    }

    /// Returns the handle with every statement outside of a transaction.
    pub(crate) fn without_unit(&self) -> Self {
        Self {
            unit: None,
            ..self.clone()
        }
    }

    /// Returns the handle for a caller that abandons statements after a time limit: the connection of such
    /// a statement is closed, because the pool would wait for its answer, and nobody could use it
    /// meanwhile.
    pub(crate) fn timed(&self, limit: Duration) -> Self {
        Self {
            limit: Some(limit),
            ..self.clone()
        }
    }

    /// Sets another time limit.
    pub(crate) const fn set_limit(&mut self, limit: Duration) {
        self.limit = Some(limit);
    }

    /// Awaits an answer of the database within the time limit, if there is one.
    pub(crate) async fn in_time<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.limit.unwrap_or(Duration::MAX);
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                events::database_failure("timeout", "");
                Err(Error::unavailable("the database"))
            }
        }
    }

    /// Returns the handle for a statement that the library did not write: a function that it calls may
    /// change settings that affect the statements of the next viewer, such as a role or the search path, so
    /// its connection is closed afterwards (decision 74).
    pub(crate) fn for_own_query(&self) -> Self {
        Self {
            uses_up: true,
            ..self.clone()
        }
    }

    pub(super) const fn uses_up(&self) -> bool {
        self.uses_up
    }

    pub(super) const fn is_timed(&self) -> bool {
        self.limit.is_some()
    }

    /// Returns the handle with this value of another room, or with none.
    pub(crate) fn with_companion(&self, companion: Option<Arc<dyn Any + Send + Sync>>) -> Self {
        Self {
            companion,
            ..self.clone()
        }
    }

    pub(crate) const fn unit(&self) -> Option<&Unit> {
        self.unit.as_ref()
    }

    pub(crate) fn companion<T: Any>(&self) -> Option<&T> {
        self.companion.as_ref()?.downcast_ref()
    }

    /// Closes every connection; later queries are refused as unavailable.
    pub async fn close(&self) {
        match self.engine() {
            #[cfg(feature = "sqlite")]
            Engine::Sqlite(of) => of.close().await,
            #[cfg(feature = "postgres")]
            Engine::Postgres(of) => of.close().await,
            #[cfg(feature = "mysql")]
            Engine::Mysql(of) => of.close().await,
        }
    }

    pub(crate) fn id(&self) -> DatabaseId {
        self.inner.id
    }

    pub(crate) fn dialect(&self) -> super::Dialect {
        match self.engine() {
            #[cfg(feature = "sqlite")]
            Engine::Sqlite(_) => super::Dialect::Sqlite,
            #[cfg(feature = "postgres")]
            Engine::Postgres(_) => super::Dialect::Postgres,
            #[cfg(feature = "mysql")]
            Engine::Mysql(_) => super::Dialect::Mysql { exactly: false },
        }
    }

    pub(crate) fn texts(&self) -> &Texts {
        &self.inner.texts
    }

    pub(crate) fn known_tables(&self) -> &KnownTables {
        &self.inner.known_tables
    }

    #[cfg(feature = "mysql")]
    pub(super) fn packet(&self) -> &Packet {
        &self.inner.packet
    }

    fn engine(&self) -> &Engine {
        &self.inner.pool.0
    }

    /// Returns the pool, for any statement.
    ///
    /// INVARIANT (explained): nothing else hands the pool out.
    pub(super) fn explained(&self) -> Result<&Engine> {
        if self.inner.unexplained {
            return Err(Error::misuse(
                "`unguarded_pool` needs a reason, which the log shows to its reviewers",
            ));
        }
        Ok(self.engine())
    }
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
fn malformed(scheme: &str) -> Error {
    Error::configuration(format!(
        "the database URL is malformed: write `{scheme}://user:password@host:port/database`"
    ))
}

#[cfg(feature = "sqlite")]
async fn connect_sqlite(url: &str) -> Result<sqlx::SqlitePool> {
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

    let options: SqliteConnectOptions = url.parse().map_err(|_| {
        Error::configuration("the SQLite URL is malformed: write `sqlite://path/to/file.db`, with `?mode=rwc` to create the file")
    })?;
    let mut pool = SqlitePoolOptions::new();
    if url.contains(":memory:") || url.contains("mode=memory") {
        // A second connection, or a closed idle one, would be another, empty database.
        pool = pool
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None);
    }
    pool.connect_with(options)
        .await
        .map_err(super::failure::classify)
}
