//! The database: an opaque handle whose pool nobody outside this room can reach.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::template::{Asked, Plan, Templates};
use super::unit::Unit;
use crate::audit::Sink;
use crate::error::{Error, Result};

/// A database that is reached through repositories only.
///
/// It is cheap to clone. It has no query method of its own: a query starts from
/// [`Db::reader`] or [`Db::writer`], which ask for an [`Access`](crate::Access), the proof that
/// a rule allowed the call.
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
    /// The transaction that its statements belong to.
    unit: Option<Unit>,
    /// What records its writes.
    sink: Option<Sink>,
    /// Its statements have a limit of time.
    timed: bool,
}

struct Inner {
    id: DatabaseId,
    pool: Pool,
    templates: Templates,
}

/// How many statements a connection to MySQL keeps prepared. One that leaves the driver's cache
/// is closed by a message of its own, which waits for an acknowledgement: some 40 ms.
#[cfg(feature = "mysql")]
const STATEMENTS: usize = 500;

/// Tells one connected database from another within the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct DatabaseId(u64);

/// The pool of an application, of any engine whose feature is on.
#[derive(Clone)]
pub struct Pool(pub(super) Engine);

#[derive(Clone)]
pub(super) enum Engine {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::SqlitePool),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgPool),
    #[cfg(feature = "mysql")]
    Mysql(sqlx::MySqlPool),
}

#[cfg(feature = "sqlite")]
impl From<sqlx::SqlitePool> for Pool {
    fn from(pool: sqlx::SqlitePool) -> Self {
        Self(Engine::Sqlite(pool))
    }
}

#[cfg(feature = "postgres")]
impl From<sqlx::PgPool> for Pool {
    fn from(pool: sqlx::PgPool) -> Self {
        Self(Engine::Postgres(pool))
    }
}

#[cfg(feature = "mysql")]
impl From<sqlx::MySqlPool> for Pool {
    fn from(pool: sqlx::MySqlPool) -> Self {
        Self(Engine::Mysql(pool))
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

/// A handle equals its clones, audited or not, and no other, though it be to the same file or
/// server. One of a transaction equals those of the same transaction.
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
            "sqlite" => Ok(Self::new(Engine::Sqlite(connect_sqlite(url).await?))),
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => {
                let options = url.parse().map_err(|_| malformed("postgres"))?;
                let pool = sqlx::PgPool::connect_with(options).await;
                Ok(Self::new(Engine::Postgres(
                    pool.map_err(super::failure::classify)?,
                )))
            }
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => {
                let options: sqlx::mysql::MySqlConnectOptions =
                    url.parse().map_err(|_| malformed("mysql"))?;
                let options = options.statement_cache_capacity(STATEMENTS);
                let pool = sqlx::MySqlPool::connect_with(options).await;
                Ok(Self::new(Engine::Mysql(
                    pool.map_err(super::failure::classify)?,
                )))
            }
            _ => Err(Error::configuration(
                "the database URL starts with no known engine: use `sqlite:`, `postgres:` or `mysql:`, and turn the engine's feature on",
            )),
        }
    }

    /// Wraps the pool of an application that has one already.
    ///
    /// The pool stays in the application's hands, so queries on it pass by every rule. `reason`
    /// says why that is acceptable; it is logged, for whoever reviews the program. The pool is one
    /// of sqlx 0.9.
    ///
    /// What verifies a session leaves its connection for the statement that comes right after it, so
    /// `before_acquire` and `after_release` of the pool run once for both. Whatever such a hook sets on a
    /// connection must not depend on the viewer, who is not known yet when it runs.
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
        crate::audit::escape_hatch("unguarded_pool", reason);
        Self::new(pool.into().0)
    }

    fn new(engine: Engine) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            inner: Arc::new(Inner {
                id: DatabaseId(NEXT.fetch_add(1, Ordering::Relaxed)),
                pool: Pool(engine),
                templates: Templates::new(),
            }),
            unit: None,
            sink: None,
            timed: false,
        }
    }

    /// The same database, with every statement in this transaction.
    pub(crate) fn within(&self, unit: Unit) -> Self {
        Self {
            unit: Some(unit),
            ..self.clone()
        }
    }

    /// The same database, with every statement on its own.
    pub(crate) fn without_unit(&self) -> Self {
        Self {
            unit: None,
            ..self.clone()
        }
    }

    /// The same database for a caller that gives statements up after a time: the connection of such
    /// a one is closed, because the pool would wait for the answer as long as nobody else may have
    /// it.
    pub(super) fn timed(&self) -> Self {
        Self {
            timed: true,
            ..self.clone()
        }
    }

    pub(super) const fn is_timed(&self) -> bool {
        self.timed
    }

    pub(crate) fn with_sink(&self, sink: Option<Sink>) -> Self {
        Self {
            sink,
            ..self.clone()
        }
    }

    pub(crate) const fn unit(&self) -> Option<&Unit> {
        self.unit.as_ref()
    }

    pub(crate) const fn sink(&self) -> Option<&Sink> {
        self.sink.as_ref()
    }

    /// Closes every connection; later queries are refused as unavailable.
    pub async fn close(&self) {
        match self.engine() {
            #[cfg(feature = "sqlite")]
            Engine::Sqlite(pool) => pool.close().await,
            #[cfg(feature = "postgres")]
            Engine::Postgres(pool) => pool.close().await,
            #[cfg(feature = "mysql")]
            Engine::Mysql(pool) => pool.close().await,
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
            Engine::Mysql(_) => super::Dialect::Mysql,
        }
    }

    /// The statement that answers what is asked, its text written or remembered.
    pub(crate) fn plan<E: crate::entity::Entity>(&self, asked: &Asked<'_, E>) -> Result<Plan> {
        self.inner.templates.plan(self.dialect(), asked)
    }

    /// The statement that inserts these rows, whose text is kept.
    pub(super) fn rows<E: crate::entity::Entity>(
        &self,
        rows: &[E],
    ) -> Result<super::template::Ready> {
        self.inner.templates.rows(self.dialect(), rows)
    }

    /// The statement of a change, whose text is kept.
    pub(super) fn written(
        &self,
        written: &super::change::Written<'_>,
    ) -> Result<super::template::Ready> {
        self.inner.templates.written(self.dialect(), written)
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.inner.pool.0
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
