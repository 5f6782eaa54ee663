//! Migrations of the library's own tables.

use sqlx::SqlStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::db::{Db, Engine};
use crate::error::{Error, Result};

/// The table of applied migrations, separate from the application's, so that neither sees the other's
/// versions.
const TABLE: &str = "clearance_migrations";

/// The version, the name and the statements of a migration.
type Step = (i64, &'static str, &'static str);

/// The table of applied migrations of the account kit, which an application requests by itself. It is
/// separate, because an unknown version would stop [`Db::migrate`].
#[cfg(feature = "accounts")]
const ACCOUNTS_TABLE: &str = "clearance_account_migrations";

#[cfg(feature = "sqlite")]
const SQLITE: [Step; 5] = [
    (
        1,
        "sessions",
        include_str!("../../migrations/sqlite/0001_sessions.sql"),
    ),
    (
        2,
        "audit",
        include_str!("../../migrations/sqlite/0002_audit.sql"),
    ),
    (
        3,
        "generations",
        include_str!("../../migrations/sqlite/0003_generations.sql"),
    ),
    (
        4,
        "replaced sessions",
        include_str!("../../migrations/sqlite/0004_replaced_sessions.sql"),
    ),
    (
        5,
        "session data version",
        include_str!("../../migrations/sqlite/0005_session_data_version.sql"),
    ),
];

#[cfg(feature = "postgres")]
const POSTGRES: [Step; 5] = [
    (
        1,
        "sessions",
        include_str!("../../migrations/postgres/0001_sessions.sql"),
    ),
    (
        2,
        "audit",
        include_str!("../../migrations/postgres/0002_audit.sql"),
    ),
    (
        3,
        "generations",
        include_str!("../../migrations/postgres/0003_generations.sql"),
    ),
    (
        4,
        "replaced sessions",
        include_str!("../../migrations/postgres/0004_replaced_sessions.sql"),
    ),
    (
        5,
        "session data version",
        include_str!("../../migrations/postgres/0005_session_data_version.sql"),
    ),
];

#[cfg(feature = "mysql")]
const MYSQL: [Step; 5] = [
    (
        1,
        "sessions",
        include_str!("../../migrations/mysql/0001_sessions.sql"),
    ),
    (
        2,
        "audit",
        include_str!("../../migrations/mysql/0002_audit.sql"),
    ),
    (
        3,
        "generations",
        include_str!("../../migrations/mysql/0003_generations.sql"),
    ),
    (
        4,
        "replaced sessions",
        include_str!("../../migrations/mysql/0004_replaced_sessions.sql"),
    ),
    (
        5,
        "session data version",
        include_str!("../../migrations/mysql/0005_session_data_version.sql"),
    ),
];

#[cfg(all(feature = "accounts", feature = "sqlite"))]
const SQLITE_ACCOUNTS: [Step; 1] = [(
    1,
    "accounts",
    include_str!("../../migrations/sqlite/accounts/0001_accounts.sql"),
)];

#[cfg(all(feature = "accounts", feature = "postgres"))]
const POSTGRES_ACCOUNTS: [Step; 1] = [(
    1,
    "accounts",
    include_str!("../../migrations/postgres/accounts/0001_accounts.sql"),
)];

#[cfg(all(feature = "accounts", feature = "mysql"))]
const MYSQL_ACCOUNTS: [Step; 1] = [(
    1,
    "accounts",
    include_str!("../../migrations/mysql/accounts/0001_accounts.sql"),
)];

impl Db {
    /// Creates or updates the library's own tables. All their names start with `clearance_`; the
    /// application's tables and migrations are not touched. Call it at every start: applied migrations are
    /// skipped.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`] when the database does not answer, [`Error::is_configuration`]
    /// when it was migrated by another version of this library or holds a table of the same name, or when
    /// connections to MySQL or MariaDB are not strict.
    pub async fn migrate(&self) -> Result<()> {
        self.require_settings().await?;
        let outcome = match self.explained()? {
            #[cfg(feature = "sqlite")]
            Engine::Sqlite(of) => migrator(&SQLITE, TABLE).run(of.pool()).await,
            #[cfg(feature = "postgres")]
            Engine::Postgres(of) => migrate_postgres(of.pool(), &POSTGRES, TABLE).await,
            #[cfg(feature = "mysql")]
            Engine::Mysql(of) => migrate_mysql(of.pool(), &MYSQL, TABLE).await,
        };
        outcome.map_err(failed)
    }

    /// Creates or updates the tables of the account kit, after those of [`Db::migrate`], which need not be
    /// called as well. Call it at every start, too.
    ///
    /// # Errors
    ///
    /// As [`Db::migrate`].
    #[cfg(feature = "accounts")]
    pub async fn migrate_accounts(&self) -> Result<()> {
        self.migrate().await?;
        let table = ACCOUNTS_TABLE;
        let outcome = match self.explained()? {
            #[cfg(feature = "sqlite")]
            Engine::Sqlite(of) => migrator(&SQLITE_ACCOUNTS, table).run(of.pool()).await,
            #[cfg(feature = "postgres")]
            Engine::Postgres(of) => migrate_postgres(of.pool(), &POSTGRES_ACCOUNTS, table).await,
            #[cfg(feature = "mysql")]
            Engine::Mysql(of) => migrate_mysql(of.pool(), &MYSQL_ACCOUNTS, table).await,
        };
        outcome.map_err(failed)
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the driver's enum grows, and all of the rest says that the versions differ"
)]
fn failed(error: MigrateError) -> Error {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            match super::failure::classify(error) {
                outage if outage.is_unavailable() => outage,
                _ => Error::configuration(
                    "the library's tables could not be created: does the database hold tables of another program whose names start with `clearance_`?",
                ),
            }
        }
        _ => Error::configuration(
            "the library's tables were migrated by another version of `clearance`: start the newest version that is in use",
        ),
    }
}

/// Migrates PostgreSQL. The driver keeps its lock when a migration fails, so the connection that holds it
/// is closed; otherwise the next attempt would wait for it.
#[cfg(feature = "postgres")]
async fn migrate_postgres(
    pool: &sqlx::PgPool,
    steps: &'static [Step],
    table: &'static str,
) -> std::result::Result<(), MigrateError> {
    let mut connection = pool.acquire().await?;
    let outcome = migrator(steps, table).run(&mut *connection).await;
    if outcome.is_err() {
        let _ = connection.close().await;
    }
    outcome
}

/// Migrates MySQL or MariaDB under a lock of our own: the driver requests one without a time limit, which
/// MariaDB does not grant, and then two programs that start at once would collide.
#[cfg(feature = "mysql")]
async fn migrate_mysql(
    pool: &sqlx::MySqlPool,
    steps: &'static [Step],
    table: &'static str,
) -> std::result::Result<(), MigrateError> {
    const SECONDS: i64 = 60;

    let mut connection = pool.acquire().await?;
    let locked: Option<i64> = sqlx::query_scalar("SELECT GET_LOCK(CONCAT(DATABASE(), '.', ?), ?)")
        .bind(table)
        .bind(SECONDS)
        .fetch_one(&mut *connection)
        .await?;
    if locked != Some(1) {
        return Err(MigrateError::Execute(sqlx::Error::PoolTimedOut));
    }
    let outcome = migrator(steps, table)
        .set_locking(false)
        .run(&mut *connection)
        .await;
    // The lock also ends with the connection.
    let _ = sqlx::query("SELECT RELEASE_LOCK(CONCAT(DATABASE(), '.', ?))")
        .bind(table)
        .execute(&mut *connection)
        .await;
    outcome
}

fn migrator(steps: &'static [Step], table: &'static str) -> Migrator {
    let mut migrator = Migrator::with_migrations(
        steps
            .iter()
            .map(|(version, description, sql)| {
                Migration::new(
                    *version,
                    (*description).into(),
                    MigrationType::Simple,
                    SqlStr::from_static(sql),
                    false,
                )
            })
            .collect(),
    );
    migrator.dangerous_set_table_name(table);
    migrator
}
