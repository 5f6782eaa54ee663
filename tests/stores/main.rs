//! What the library keeps in a database of its own accord, and what it asks of one, on the engine
//! of this run.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    unreachable_pub,
    dead_code,
    reason = "a test fails by panicking, and shares its support with others"
)]

mod accounts;
#[path = "../support/engines.rs"]
mod engines;
#[path = "../support/logs.rs"]
mod logs;
mod schema;
mod stored;
mod types;

use clearance::testing::check_session_store;

use engines::{Engine, database, engine};

#[tokio::test]
async fn sd_02_sd_17_sd_18_the_store_of_each_engine_keeps_the_contract() {
    let database = database("").await;
    database.db.migrate().await.unwrap();
    let store = database.db.session_store();
    check_session_store(&store).await.unwrap();
}

#[tokio::test]
async fn sd_01_migrations_run_again_and_at_once() {
    let database = database("").await;
    if engine() == Engine::Sqlite {
        database.db.migrate().await.unwrap();
    } else {
        // Two programs that start at the same time; the engines have a lock for it.
        let (one, other) = tokio::join!(database.db.migrate(), database.db.migrate());
        one.unwrap();
        other.unwrap();
    }
    database.db.migrate().await.unwrap();
    let store = database.db.session_store();
    check_session_store(&store).await.unwrap();
}

#[tokio::test]
async fn sd_01_a_table_of_the_same_name_is_a_configuration_error() {
    let database = database("CREATE TABLE clearance_sessions (id INTEGER)").await;
    let error = database.db.migrate().await.unwrap_err();
    assert!(error.is_configuration(), "{error}");
}

#[tokio::test]
async fn a_malformed_url_says_what_is_wrong_and_never_the_password() {
    for url in [
        "postgres://user:hunter2@[",
        "mysql://:hunter2@:x",
        "oracle://hunter2",
    ] {
        let error = clearance::Db::connect(url).await.unwrap_err();
        assert!(error.is_configuration(), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
