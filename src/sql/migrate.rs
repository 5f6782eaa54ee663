//! The library's own tables.

use sqlx::SqlStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::db::{Db, Engine};
use crate::error::{Error, Result};

/// Beside the application's own migration table, so that neither sees the other's versions.
const TABLE: &str = "clearance_migrations";

#[cfg(feature = "sqlite")]
const SQLITE: [(i64, &str, &str); 1] = [(
    1,
    "sessions",
    include_str!("../../migrations/sqlite/0001_sessions.sql"),
)];

#[cfg(feature = "postgres")]
const POSTGRES: [(i64, &str, &str); 1] = [(
    1,
    "sessions",
    include_str!("../../migrations/postgres/0001_sessions.sql"),
)];

#[cfg(feature = "mysql")]
const MYSQL: [(i64, &str, &str); 1] = [(
    1,
    "sessions",
    include_str!("../../migrations/mysql/0001_sessions.sql"),
)];

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
            Engine::Mysql(pool) => migrator(&MYSQL).run(pool).await,
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
