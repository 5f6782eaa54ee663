//! The library's tables beside those of the application.

use clearance::Db;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{SqlStr, SqlitePool};

use crate::support::sqlite_url;

/// Migrations of an application, with the same versions as ours.
fn application() -> Migrator {
    let migration = |version, sql| {
        Migration::new(
            version,
            "application".into(),
            MigrationType::Simple,
            SqlStr::from_static(sql),
            false,
        )
    };
    Migrator::with_migrations(vec![
        migration(1, "CREATE TABLE users (id INTEGER PRIMARY KEY)"),
        migration(2, "CREATE TABLE sessions (id INTEGER PRIMARY KEY)"),
    ])
}

#[allow(
    clippy::disallowed_methods,
    reason = "the test looks behind the library"
)]
async fn tables(pool: &SqlitePool) -> Vec<String> {
    sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        .fetch_all(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn sd_01_both_migrations_run_in_either_order_and_again() {
    for ours_first in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let db = Db::connect(&sqlite_url(&directory)).await.unwrap();
        let pool = SqlitePool::connect(&sqlite_url(&directory)).await.unwrap();
        for _ in 0..2 {
            if ours_first {
                db.migrate().await.unwrap();
            }
            application().run(&pool).await.unwrap();
            if !ours_first {
                db.migrate().await.unwrap();
            }
        }
        assert_eq!(
            tables(&pool).await,
            [
                "_sqlx_migrations",
                "clearance_audit",
                "clearance_migrations",
                "clearance_replaced_sessions",
                "clearance_session_cut_offs",
                "clearance_session_denials",
                "clearance_session_generations",
                "clearance_sessions",
                "sessions",
                "users"
            ]
        );
    }
}

#[tokio::test]
async fn sd_01_a_table_of_the_same_name_is_a_configuration_error() {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::connect(&sqlite_url(&directory)).await.unwrap();
    let pool = SqlitePool::connect(&sqlite_url(&directory)).await.unwrap();
    #[allow(
        clippy::disallowed_methods,
        reason = "the test looks behind the library"
    )]
    sqlx::query("CREATE TABLE clearance_sessions (id INTEGER)")
        .execute(&pool)
        .await
        .unwrap();
    assert!(db.migrate().await.unwrap_err().is_configuration());
}
