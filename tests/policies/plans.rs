//! What engines plan, and how often: the texts that queries come to, and the indexes that serve them.

use std::collections::BTreeSet;

use clearance::repository::Page;
use clearance::{Dto, Entity, Result};

use crate::engines::{Engine, TestPool, database, engine};
use crate::support::{Member, Statements, as_viewer, editor, read};

const SCHEMA: &str = "
    CREATE TABLE reports (id INTEGER PRIMARY KEY, title KEYTEXT NOT NULL, rank INTEGER);
    CREATE INDEX reports_by_title ON reports (title)";

#[derive(Entity)]
#[entity(table = "reports", viewer = Member, rows = open, reason = "a test of plans")]
struct Report {
    #[entity(key)]
    id: i64,
    title: String,
    rank: Option<i64>,
}

#[derive(Debug, Dto)]
#[dto(entity = Report, default = visible)]
struct Line {
    id: i64,
    title: String,
    rank: Option<i64>,
}

/// Two thousand reports, of which every third has no rank.
async fn reports() -> crate::engines::Database {
    let database = database(SCHEMA).await;
    let numbers = match engine() {
        Engine::Sqlite => {
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i FROM n) AS n"
        }
        Engine::Postgres => "generate_series(1, 2000) AS n(i)",
        Engine::Mysql => "(SELECT seq AS i FROM seq_1_to_2000) AS n",
    };
    let title = match engine() {
        Engine::Mysql => "CONCAT('report ', i)",
        Engine::Sqlite | Engine::Postgres => "'report ' || i",
    };
    let fill = format!(
        "INSERT INTO reports SELECT i, {title}, CASE WHEN i % 3 = 0 THEN NULL ELSE i % 10 END FROM {numbers}"
    );
    database.pool.execute(&fill).await;
    database
}

/// A number that stands bound in the text has PostgreSQL plan each execution anew, and one that stands
/// in it has a client choose how many texts the server keeps.
#[tokio::test]
async fn r23_queries_that_differ_in_their_limit_share_a_few_texts() -> Result<()> {
    let reports = reports().await;
    as_viewer(editor(), async {
        let access = read().await;
        let reader = reports.db.reader(&access);
        let mut texts = BTreeSet::new();
        for limit in (1..=300).chain([100_000, u64::from(u32::MAX)]) {
            let query = Line::select().order(Line::TITLE.asc()).limit(limit);
            texts.insert(reader.__text(query.clone())?.unwrap());
            if limit % 37 == 0 || limit > 1_000 {
                let rows = reader.all(query).await?;
                assert_eq!(rows.len() as u64, limit.min(2_000));
                assert!(rows.is_sorted_by(|one, other| one.title < other.title));
            }
        }
        let most = match engine() {
            Engine::Sqlite | Engine::Mysql => 1,
            // Each power of two, the numbers up to it, and those that are larger than any plan is worth.
            Engine::Postgres => 9 + 8 + 1,
        };
        assert_eq!(texts.len(), most, "{texts:#?}");
        Ok(())
    })
    .await
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test asks the server what it keeps"
)]
async fn r23_the_plan_of_a_list_and_of_a_page_is_kept() -> Result<()> {
    let reports = reports().await;
    let TestPool::Postgres(_) = &reports.pool else {
        return Ok(());
    };
    // On one connection, so that the server can be asked on the same.
    let one = sqlx::postgres::PgPoolOptions::new().max_connections(1);
    let pool = one.connect(&reports.url).await.unwrap();
    let db = TestPool::Postgres(pool.clone()).db();
    as_viewer(editor(), async {
        let access = read().await;
        let reader = db.reader(&access);
        for limit in 33..=60 {
            reader.all(Line::select().limit(limit)).await?;
            let slice = reader.page(Line::select(), Page::first(limit)).await?;
            let next = slice.next.unwrap();
            reader
                .page(Line::select(), Page::after(limit, &next))
                .await?;
        }
        Ok::<_, clearance::Error>(())
    })
    .await?;
    let plans: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements
         WHERE statement LIKE '%\"reports\"%LIMIT%'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(plans.len(), 3, "{plans:#?}");
    for (statement, generic, custom) in plans {
        assert!(generic > 0 && custom <= 5, "{generic} {custom} {statement}");
    }
    Ok(())
}

/// SQLite plans a statement anew for each value of a limit that it can see, and no catalogue of it tells.
#[tokio::test]
async fn r23_sqlite_cannot_see_the_limit_that_it_would_plan_for_on_sqlite() -> Result<()> {
    let reports = reports().await;
    as_viewer(editor(), async {
        let access = read().await;
        let reader = reports.db.reader(&access);
        let query = Line::select().order(Line::TITLE.asc()).limit(50);
        let text = reader.__text(query.clone())?.unwrap();
        assert!(text.ends_with(" LIMIT (SELECT ?)"), "{text}");
        assert_eq!(reader.all(query).await?.len(), 50);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn t_2_a_page_by_key_asks_for_the_key_once() -> Result<()> {
    let reports = reports().await;
    let (statements, _guard) = Statements::listen();
    as_viewer(editor(), async {
        let access = read().await;
        let reader = reports.db.reader(&access);
        for (query, from) in [
            (Line::select(), r#""id" > ?"#),
            (Line::select().order(Line::ID.asc()), r#""id" > ?"#),
            // Nothing ties behind the key.
            (
                Line::select()
                    .order(Line::ID.desc())
                    .order(Line::TITLE.asc()),
                r#""id" < ?"#,
            ),
        ] {
            let first = reader.page(query.clone(), Page::first(10)).await?;
            let _ = statements.take();
            let next = Page::after(10, &first.next.unwrap());
            let second = reader.page(query, next).await?;
            let text = statements.one();
            let (selected, rest) = text.split_once(" FROM ").unwrap();
            assert_eq!(selected.matches(r#""id" AS"#).count(), 1, "{text}");
            let (conditions, order) = rest.split_once(" ORDER BY ").unwrap();
            assert!(conditions.ends_with(from), "{text}");
            assert_eq!(conditions.matches("\"id\"").count(), 1, "{text}");
            assert_eq!(order.matches("\"id\"").count(), 1, "{text}");
            assert!(!order.contains("title"), "{text}");
            let ids = |rows: &[Line]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
            let (one, other) = (ids(&first.rows), ids(&second.rows));
            assert_eq!(other[0].abs_diff(one[9]), 1);
            assert_eq!(other.len(), 10);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn t_2_nulls_come_last_in_either_order_and_are_no_order_of_their_own() -> Result<()> {
    let reports = reports().await;
    let (statements, _guard) = Statements::listen();
    as_viewer(editor(), async {
        let access = read().await;
        let reader = reports.db.reader(&access);
        for order in [Line::RANK.asc(), Line::RANK.desc()] {
            let rows = reader.all(Line::select().order(order)).await?;
            let text = statements.one();
            if engine() != Engine::Mysql {
                assert!(text.contains("NULLS LAST"), "{text}");
                assert!(!text.contains("IS NULL"), "{text}");
            }
            let ranked = rows.iter().take_while(|row| row.rank.is_some()).count();
            assert_eq!(ranked, 2_000 - 666);
            assert!(rows.iter().skip(ranked).all(|row| row.rank.is_none()));
        }
        Ok(())
    })
    .await
}

/// Under most collations an index orders text otherwise than by its bytes, and serves a prefix only where
/// it was made for patterns.
#[tokio::test]
async fn t_2_a_prefix_is_found_by_an_index_of_patterns() -> Result<()> {
    let reports = reports().await;
    if engine() == Engine::Postgres {
        let other_order = "ALTER TABLE reports ALTER title TYPE text COLLATE \"en-x-icu\"";
        reports.pool.execute(other_order).await;
        reports.pool.execute("ANALYZE reports").await;
    }
    let query = || Line::select().filter(Line::TITLE.starts_with("report 19"));
    as_viewer(editor(), async {
        let access = read().await;
        let reader = reports.db.reader(&access);
        assert_eq!(reader.all(query()).await?.len(), 111);
        if engine() == Engine::Postgres {
            let plan = reader.__explain(query()).await?.unwrap();
            assert!(!plan.contains("reports_by"), "{plan}");
            let index = "CREATE INDEX reports_by_pattern ON reports (title text_pattern_ops)";
            reports.pool.execute(index).await;
            reports.pool.execute("ANALYZE reports").await;
            let plan = reader.__explain(query()).await?.unwrap();
            assert!(plan.contains("reports_by_pattern"), "{plan}");
            assert_eq!(reader.all(query()).await?.len(), 111);
        }
        for (prefix, found) in [("report 20\u{0}", 0), ("report 2000", 1), ("Report", 0)] {
            let query = Line::select().filter(Line::TITLE.starts_with(prefix));
            assert_eq!(reader.all(query).await?.len(), found, "{prefix:?}");
            let query = Line::select().filter(!Line::TITLE.starts_with(prefix));
            assert_eq!(reader.all(query).await?.len(), 2_000 - found, "{prefix:?}");
        }
        Ok(())
    })
    .await
}
