//! What a query of the application's own sets on its connection.

use clearance::{Access, Dto, Entity, System};

use crate::engines::{Engine, engine};
use crate::support::*;

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "notices",
    viewer = Member,
    rows = open,
    reason = "what is left on connections is under test",
    create_if(true)
)]
struct Notice {
    #[entity(key)]
    id: i64,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Dto)]
#[dto(entity = Notice, default = visible)]
struct NoticeView {
    id: i64,
    text: String,
}

/// A table, another one of the name elsewhere, and a function that changes what decides.
async fn notices() -> Directory {
    let directory = empty_directory(
        "CREATE TABLE notices (id INTEGER PRIMARY KEY, text VARCHAR(10) NOT NULL);
         INSERT INTO notices VALUES (1, 'ours')",
    )
    .await;
    let sql = match engine() {
        Engine::Sqlite => "",
        Engine::Postgres => {
            "CREATE SCHEMA other;
             CREATE TABLE other.notices (id BIGINT PRIMARY KEY, text VARCHAR(10) NOT NULL);
             INSERT INTO other.notices VALUES (1, 'theirs');
             CREATE FUNCTION switch() RETURNS text LANGUAGE plpgsql AS
                'BEGIN RETURN set_config(''search_path'', ''other'', false); END'"
        }
        Engine::Mysql => {
            "CREATE FUNCTION switch() RETURNS TEXT DETERMINISTIC
                BEGIN SET SESSION sql_select_limit = 0; RETURN ''; END"
        }
    };
    if !sql.is_empty() {
        directory.pool.execute(sql).await;
    }
    directory
}

const SWITCH: &str = "SELECT id, switch() AS text FROM notices";

/// Whether statements have the table and the limits that they began with.
async fn is_as_it_was(directory: &Directory, access: &Access<System>) -> bool {
    let found = directory.db.reader(access).one(NoticeView::select()).await;
    let long = Notice {
        id: 2,
        text: "longer than ten".to_owned(),
    };
    let refused = directory.db.writer(access).insert(long).await;
    found.is_ok_and(|found| found.text == "ours") && refused.is_err_and(|error| error.is_invalid())
}

#[tokio::test]
async fn sd_67_a_query_of_the_applications_own_leaves_no_setting_to_the_next_viewer() {
    if engine() == Engine::Sqlite {
        // A query sets nothing there.
        return;
    }
    let directory = notices().await;
    let access = system();
    // As often as the pool has connections.
    for _ in 0..4 {
        let reader = directory.db.reader(&access);
        let own = reader.unguarded_sql::<Notice>("a test", SWITCH);
        let rows: Vec<NoticeView> = own.project().await.unwrap();
        assert_eq!(rows.len(), 1);
    }
    for _ in 0..8 {
        assert!(is_as_it_was(&directory, &access).await);
    }

    let transaction = directory.db.begin(&access).await.unwrap();
    let within = transaction.db();
    let own = within
        .reader(&access)
        .unguarded_sql::<Notice>("a test", SWITCH);
    let _: Vec<NoticeView> = own.project().await.unwrap();
    transaction.commit().await.unwrap();
    for _ in 0..8 {
        assert!(is_as_it_was(&directory, &access).await);
    }
}
