//! The library's own tables.

use sqlx::SqlStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::db::{Db, Engine};
use crate::error::{Error, Result};

/// Beside the application's own migration table, so that neither sees the other's versions.
const TABLE: &str = "clearance_migrations";

#[cfg(feature = "sqlite")]
const SQLITE: [(i64, &str, &str); 2] = [
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
];

#[cfg(feature = "postgres")]
const POSTGRES: [(i64, &str, &str); 2] = [
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
];

#[cfg(feature = "mysql")]
const MYSQL: [(i64, &str, &str); 2] = [
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
];

impl Db {
    /// Creates or updates the library's own tables. All their names start with `clearance_`; the
    /// application's tables and migrations are not touched. Call it at every start: what is done
    /// is not done again.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`] when the database does not answer, [`Error::is_configuration`]
    /// when it was migrated by another version of this library or holds a table of the same name.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the driver's enum grows, and all of the rest says that the versions differ"
    )]
    pub async fn migrate(&self) -> Result<()> {
        let outcome = match self.engine() {
            #[cfg(feature = "sqlite")]
            Engine::Sqlite(pool) => migrator(&SQLITE).run(pool).await,
            #[cfg(feature = "postgres")]
            Engine::Postgres(pool) => migrator(&POSTGRES).run(pool).await,
            #[cfg(feature = "mysql")]
            Engine::Mysql(pool) => migrate_mysql(pool).await,
        };
        outcome.map_err(|error| match error {
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
        })
    }
}

/// Under a lock of our own: the driver asks for one without a limit of time, which MariaDB does
/// not give, and then two programs that start at once would meet.
#[cfg(feature = "mysql")]
async fn migrate_mysql(pool: &sqlx::MySqlPool) -> std::result::Result<(), MigrateError> {
    const SECONDS: i64 = 60;

    let mut connection = pool.acquire().await?;
    let locked: Option<i64> = sqlx::query_scalar("SELECT GET_LOCK(CONCAT(DATABASE(), '.', ?), ?)")
        .bind(TABLE)
        .bind(SECONDS)
        .fetch_one(&mut *connection)
        .await?;
    if locked != Some(1) {
        return Err(MigrateError::Execute(sqlx::Error::PoolTimedOut));
    }
    let outcome = migrator(&MYSQL)
        .set_locking(false)
        .run(&mut *connection)
        .await;
    // The lock also ends with the connection.
    let _ = sqlx::query("SELECT RELEASE_LOCK(CONCAT(DATABASE(), '.', ?))")
        .bind(TABLE)
        .execute(&mut *connection)
        .await;
    outcome
}

fn migrator(migrations: &'static [(i64, &'static str, &'static str)]) -> Migrator {
    let mut migrator = Migrator::with_migrations(
        migrations
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
    migrator.dangerous_set_table_name(TABLE);
    migrator
}
