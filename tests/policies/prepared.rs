//! Statements that a server no longer has prepared as they were, behind the back of the driver that keeps
//! them.

use clearance::{Dto, Entity, Result};
use futures_util::TryStreamExt as _;

use crate::engines::{Database, Engine, TestPool, database, engine};
use crate::support::{Member, as_viewer, editor, write};

const SCHEMA: &str = "CREATE TABLE goods (id INTEGER PRIMARY KEY, pieces INTEGER NOT NULL)";

#[derive(Debug, Entity)]
#[entity(
    table = "goods",
    viewer = Member,
    rows = open,
    reason = "only their columns are under test",
    create_if(true),
    update_if(true)
)]
struct Good {
    #[entity(key)]
    id: i64,
    pieces: i64,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Good, default = visible)]
struct GoodView {
    id: i64,
    pieces: i64,
}

/// The table, and a pool of so many connections.
async fn goods(connections: u32) -> (Database, TestPool) {
    let database = database(SCHEMA).await;
    let url = &database.url;
    let pool = match engine() {
        Engine::Sqlite => TestPool::Sqlite(
            sqlx::sqlite::SqlitePoolOptions::new()
                .max_connections(connections)
                .connect(url)
                .await
                .unwrap(),
        ),
        Engine::Postgres => TestPool::Postgres(
            sqlx::postgres::PgPoolOptions::new()
                .max_connections(connections)
                .connect(url)
                .await
                .unwrap(),
        ),
        Engine::Mysql => TestPool::Mysql(
            sqlx::mysql::MySqlPoolOptions::new()
                .max_connections(connections)
                .connect(url)
                .await
                .unwrap(),
        ),
    };
    (database, pool)
}

async fn all(db: &clearance::Db) -> Result<usize> {
    let access = write().await;
    Ok(db.reader(&access).all(GoodView::select()).await?.len())
}

async fn insert(db: &clearance::Db, id: i64) -> Result<()> {
    let access = write().await;
    db.writer(&access).insert(Good { id, pieces: 1 }).await
}

async fn one(db: &clearance::Db, id: i64) -> Result<GoodView> {
    let access = write().await;
    db.reader(&access)
        .one(GoodView::select().lookup(Good::ID, id))
        .await
}

/// Every kind of statement, of which those that write must have happened once.
async fn everything(db: &clearance::Db, next: i64) -> Result<()> {
    let count = all(db).await?;
    insert(db, next).await?;
    assert_eq!(all(db).await?, count + 1);
    assert_eq!(one(db, next).await?.pieces, 1);
    let access = write().await;
    let writer = db.writer(&access);
    writer
        .update::<Good>(next)
        .set(Good::PIECES, 2)
        .execute()
        .await?;
    let mut rows = db.reader(&access).stream(GoodView::select()).await?;
    let mut streamed = 0;
    while rows.try_next().await?.is_some() {
        streamed += 1;
    }
    assert_eq!(streamed, count + 1);
    Ok(())
}

#[tokio::test]
async fn av_43_a_statement_is_answered_after_a_change_of_its_columns() {
    let (database, pool) = goods(3).await;
    let db = pool.db();
    as_viewer(editor(), async {
        for next in 1..=3 {
            everything(&db, next).await.unwrap();
        }
        // Some on each connection.
        let (a, b, c) = tokio::join!(all(&db), all(&db), all(&db));
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
        let changes: &[&str] = match engine() {
            Engine::Sqlite => &[
                "ALTER TABLE goods ADD COLUMN more TEXT",
                "CREATE INDEX by_pieces ON goods (pieces)",
            ],
            Engine::Postgres => &[
                "ALTER TABLE goods ALTER COLUMN pieces TYPE INT",
                "ALTER TABLE goods ALTER COLUMN pieces TYPE BIGINT, ADD COLUMN more TEXT",
            ],
            Engine::Mysql => &[
                "ALTER TABLE goods MODIFY pieces INT NOT NULL",
                "ALTER TABLE goods MODIFY pieces BIGINT NOT NULL, ADD COLUMN more TEXT",
            ],
        };
        for (change, next) in changes.iter().zip(10..) {
            database.pool.execute(change).await;
            let (a, b, c) = tokio::join!(all(&db), all(&db), one(&db, 1));
            assert_eq!(a.unwrap(), b.unwrap(), "{change}");
            assert_eq!(c.unwrap().id, 1, "{change}");
            everything(&db, next).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn av_43_a_statement_is_answered_after_a_pooler_has_let_it_go() {
    if engine() != Engine::Postgres {
        return;
    }
    // The application's own statement is on the same connection.
    let (_database, pool) = goods(1).await;
    let db = pool.db();
    as_viewer(editor(), async {
        for (round, reset) in (1..).zip(["SELECT 1", "DEALLOCATE ALL", "DISCARD ALL"]) {
            everything(&db, round * 100).await.unwrap();
            for call in 0..4 {
                pool.execute(reset).await;
                match call {
                    0 => assert_eq!(
                        all(&db).await.unwrap(),
                        usize::try_from(round * 2 - 1).unwrap()
                    ),
                    1 => insert(&db, round * 100 + 1).await.unwrap(),
                    2 => assert_eq!(one(&db, round * 100).await.unwrap().pieces, 2),
                    _ => {
                        let access = write().await;
                        let rows = db.reader(&access).stream(GoodView::select()).await.unwrap();
                        let rows: Vec<GoodView> = rows.try_collect().await.unwrap();
                        assert_eq!(rows.len(), usize::try_from(round * 2).unwrap());
                    }
                }
            }
        }
    })
    .await;
}

/// Within a transaction what came before is lost with it, so that all of it is done again, and nothing else.
#[tokio::test]
async fn av_43_a_transaction_whose_statement_is_gone_can_be_tried_again() {
    if engine() != Engine::Postgres {
        return;
    }
    let (_database, pool) = goods(1).await;
    let db = pool.db();
    as_viewer(editor(), async {
        insert(&db, 1).await.unwrap();
        all(&db).await.unwrap();
        pool.execute("DEALLOCATE ALL").await;
        let access = write().await;
        let transaction = db.begin(&access).await.unwrap();
        let error = insert(&transaction.db(), 2).await.unwrap_err();
        assert!(error.is_retryable() && error.is_unavailable(), "{error:?}");
        drop(transaction);
        let transaction = db.begin(&access).await.unwrap();
        insert(&transaction.db(), 2).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(all(&db).await.unwrap(), 2);
    })
    .await;
}

/// MariaDB lets no client take a statement away, so that a trigger says what the server does then.
#[tokio::test]
async fn av_43_a_statement_that_the_server_does_not_know_is_prepared_again() {
    if engine() != Engine::Mysql {
        return;
    }
    let (_database, pool) = goods(1).await;
    let db = pool.db();
    as_viewer(editor(), async {
        for (number, key) in [(1243, 1), (1615, 2)] {
            pool.execute(&format!(
                "SET @times = 0;
                 CREATE OR REPLACE TRIGGER gone BEFORE INSERT ON goods FOR EACH ROW
                 IF @times < 1 THEN
                    SET @times = @times + 1;
                    SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number};
                 END IF"
            ))
            .await;
            insert(&db, key).await.unwrap();
            assert_eq!(all(&db).await.unwrap(), usize::try_from(key).unwrap());
            // In a transaction nothing is done twice.
            pool.execute("SET @times = 0").await;
            let access = write().await;
            let transaction = db.begin(&access).await.unwrap();
            let error = insert(&transaction.db(), 9).await.unwrap_err();
            assert!(error.is_retryable(), "{number} {error:?}");
        }
    })
    .await;
}

/// Where one client takes all that a server keeps prepared, each connection that is refused gives back its own.
#[tokio::test]
async fn av_44_a_server_that_prepares_no_more_is_an_outage_that_ends() {
    let TestPool::Mysql(_) = goods(1).await.1 else {
        return;
    };
    let (_database, pool) = goods(1).await;
    let db = pool.db();
    as_viewer(editor(), async {
        for key in 1..=3 {
            everything(&db, key).await.unwrap();
        }
        pool.execute(
            "CREATE TRIGGER full BEFORE INSERT ON goods FOR EACH ROW
             SIGNAL SQLSTATE '42000' SET MYSQL_ERRNO = 1461",
        )
        .await;
        let before = closed(&pool).await;
        let error = insert(&db, 9).await.unwrap_err();
        assert!(error.is_unavailable() && !error.is_retryable(), "{error:?}");
        let after = closed(&pool).await;
        assert!(after >= before + 4, "{before} {after}");
        assert_eq!(all(&db).await.unwrap(), 3);
    })
    .await;
}

/// How many statements its one connection has let go.
#[expect(
    clippy::disallowed_methods,
    reason = "a test asks the server what it did"
)]
async fn closed(pool: &TestPool) -> i64 {
    use sqlx::Row as _;

    let TestPool::Mysql(pool) = pool else {
        unreachable!("only asked of MariaDB");
    };
    let row = sqlx::raw_sql("SHOW SESSION STATUS LIKE 'Com_stmt_close'");
    let row = row.fetch_one(pool).await.unwrap();
    row.get::<String, _>(1).parse().unwrap()
}
