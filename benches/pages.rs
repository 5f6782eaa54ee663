//! Lists and pages on PostgreSQL, beside the fastest of two ways to write them by hand: with the number of
//! rows in the text, and bound. Each way gives the same bytes, and how the server would answer is printed.
//!
//! Where `POSTGRES_URL` names a server.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::disallowed_methods,
    unreachable_pub,
    dead_code,
    reason = "a benchmark that fails has nothing to report, and by hand means by sqlx"
)]

#[path = "../tests/support/engines.rs"]
mod engines;
mod support;

use std::hint::black_box;
use std::time::Instant;

use clearance::repository::{Cursor, Page, Select};
use clearance::{Access, Db, Dto, Entity, Field, Read, Result, Viewer, testing};
use serde::Serialize;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, Row as _};
use tokio::runtime::Runtime;

use engines::{Database, Engine, TestPool};
use support::{Comparison, Judged, Report, is_measured};

const SCHEMA: &str = "
    CREATE TABLE entries (id INTEGER PRIMARY KEY, team KEYTEXT NOT NULL, title TEXT NOT NULL, rank INTEGER);
    CREATE INDEX entries_by_team ON entries (team, id)";

#[derive(Debug, Clone, Viewer)]
struct Member {
    id: i64,
    team: String,
}

#[derive(Entity)]
#[entity(table = "entries", viewer = Member, rows = open, reason = "a benchmark")]
struct Entry {
    #[entity(key)]
    id: i64,
    team: String,
    title: String,
    rank: Option<i64>,
}

#[derive(Dto)]
#[dto(entity = Entry, default = visible)]
struct EntryRow {
    id: i64,
    team: String,
    title: String,
    #[visible_if(row.team == viewer.team)]
    rank: Field<Option<i64>>,
}

/// A row as a competent engineer reads it.
#[derive(Serialize)]
struct ByHand {
    id: i64,
    team: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rank: Option<Option<i64>>,
}

impl ByHand {
    fn read(row: &PgRow) -> Self {
        Self {
            id: row.get(0),
            team: row.get(1),
            title: row.get(2),
            rank: row.get::<bool, _>(4).then(|| row.get(3)),
        }
    }
}

const TEAM: &str = "team7";
const ROWS: u64 = 50;
/// In the middle of the table.
const AFTER: i64 = 50_000;
const COLUMNS: &str = "SELECT id, team, title, \
    CASE WHEN team = $1 AND team COLLATE \"C\" = $1 THEN rank END, \
    team = $1 AND team COLLATE \"C\" = $1 FROM entries";

/// The same rows by hand.
#[derive(Clone)]
struct Statement {
    text: String,
    after: Option<i64>,
    limit: Option<i64>,
}

impl Statement {
    fn new(rest: &str, after: Option<i64>, is_bound: bool) -> Self {
        let most = ROWS + u64::from(after.is_some());
        let limit = match (is_bound, after) {
            (true, Some(_)) => "$3".to_owned(),
            (true, None) => "$2".to_owned(),
            (false, _) => most.to_string(),
        };
        Self {
            text: format!("{COLUMNS} {rest} LIMIT {limit}"),
            after,
            limit: is_bound.then_some(i64::try_from(most).unwrap()),
        }
    }

    async fn rows(&self, pool: &PgPool) -> Vec<ByHand> {
        let mut query = sqlx::query(AssertSqlSafe(self.text.as_str())).bind(TEAM);
        if let Some(after) = self.after {
            query = query.bind(after);
        }
        if let Some(limit) = self.limit {
            query = query.bind(limit);
        }
        let rows = query.map(|row: PgRow| ByHand::read(&row)).fetch_all(pool);
        let mut rows = rows.await.unwrap();
        // One more than is shown says that there is another page.
        rows.truncate(usize::try_from(ROWS).unwrap());
        rows
    }

    async fn plan(&self, pool: &PgPool) -> String {
        let text = self.text.replace("$1", &format!("'{TEAM}'"));
        let text = match self.after {
            Some(after) => text.replace("$2", &after.to_string()),
            None => text,
        };
        let lines = sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN {text}")));
        let lines: Vec<String> = lines.fetch_all(pool).await.unwrap();
        lines.join("\n")
    }
}

/// The queries.
#[derive(Clone, Copy)]
enum Asked {
    List,
    Page,
    Masked,
}

impl Asked {
    fn select(self) -> Select<EntryRow> {
        match self {
            Self::List | Self::Page => EntryRow::select().order(EntryRow::ID.asc()),
            Self::Masked => EntryRow::select().order(EntryRow::RANK.asc()),
        }
    }

    async fn rows(self, db: &Db, cursor: &Cursor) -> Result<Vec<EntryRow>> {
        let access = Access::<Read<Member>>::authenticated().await?;
        let reader = db.reader(&access);
        match self {
            Self::List | Self::Masked => reader.all(self.select().limit(ROWS)).await,
            Self::Page => {
                let page = Page::after(ROWS, cursor);
                Ok(reader.page(self.select(), page).await?.rows)
            }
        }
    }

    fn by_hand(self, is_bound: bool) -> Statement {
        match self {
            Self::List => Statement::new("ORDER BY id", None, is_bound),
            Self::Page => Statement::new("WHERE id > $2 ORDER BY id", Some(AFTER), is_bound),
            Self::Masked => Statement::new(
                "ORDER BY CASE WHEN team = $1 AND team COLLATE \"C\" = $1 THEN rank END \
                    ASC NULLS LAST, id",
                None,
                is_bound,
            ),
        }
    }
}

fn member() -> Member {
    Member {
        id: 1,
        team: TEAM.to_owned(),
    }
}

struct Table {
    database: Database,
    pool: PgPool,
    cursor: Cursor,
}

async fn table(rows: u32) -> Table {
    let database = engines::database_on(Engine::Postgres, SCHEMA).await;
    let TestPool::Postgres(pool) = &database.pool else {
        unreachable!()
    };
    let fill = format!(
        "INSERT INTO entries SELECT i, 'team' || (i % 200), 'title ' || i, \
            CASE WHEN i % 3 > 0 THEN i % 1000 END FROM generate_series(1, {rows}) AS i; VACUUM ANALYZE entries"
    );
    for sql in fill.split("; ") {
        database.pool.execute(sql).await;
    }
    let pool = pool.clone();
    // A cursor belongs to its query, so that it comes from a page of it.
    let cursor = testing::as_viewer(member()).scope(async {
        let access = Access::<Read<Member>>::authenticated().await?;
        let page = Page::first(u64::try_from(AFTER).unwrap());
        let slice = database
            .db
            .reader(&access)
            .page(Asked::Page.select(), page)
            .await?;
        Ok::<_, clearance::Error>(slice.next.unwrap())
    });
    let cursor = cursor.await.unwrap();
    Table {
        database,
        pool,
        cursor,
    }
}

impl Table {
    async fn ours(&self, asked: Asked) -> Vec<EntryRow> {
        let rows = asked.rows(&self.database.db, &self.cursor);
        testing::as_viewer(member()).scope(rows).await.unwrap()
    }

    /// Both ways give the same bytes.
    async fn assert_same(&self, asked: Asked, statement: &Statement) {
        let ours = serde_json::to_string(&self.ours(asked).await).unwrap();
        let by_hand = serde_json::to_string(&statement.rows(&self.pool).await).unwrap();
        assert_eq!(ours, by_hand);
    }

    async fn explain(&self, name: &str, asked: Asked) {
        let ours = testing::as_viewer(member()).scope(async {
            let access = Access::<Read<Member>>::authenticated().await?;
            let select = asked.select().limit(ROWS);
            self.database.db.reader(&access).__explain(select).await
        });
        println!("{name}, the library (without the cursor of a page):");
        println!("{}", ours.await.unwrap().unwrap());
        println!("{name}, by hand:");
        println!("{}\n", asked.by_hand(false).plan(&self.pool).await);
    }
}

fn compare(runtime: &Runtime, report: &mut Report, table: &Table, size: &str) {
    for (asked, what, target, rounds, calls) in [
        (Asked::List, "50 by key", 1.03, 200, 20_u32),
        (Asked::Page, "a page by key", 1.0, 200, 20),
        (Asked::Masked, "50 by a masked field", 1.02, 20, 1),
    ] {
        let ways = [(false, "", Some(target)), (true, ", bound by hand", None)];
        for (is_bound, way, target) in ways {
            let statement = asked.by_hand(is_bound);
            runtime.block_on(table.assert_same(asked, &statement));
            let name = format!("{what} of {size}{way}");
            let calls = if is_measured() { calls } else { 1 };
            report.compare(
                Comparison {
                    name: Box::leak(name.into_boxed_str()),
                    target,
                    judged: Judged::Median,
                    rounds,
                    operations: calls,
                },
                || {
                    let began = Instant::now();
                    for _ in 0..calls {
                        black_box(runtime.block_on(table.ours(asked)));
                    }
                    began.elapsed()
                },
                || {
                    let began = Instant::now();
                    for _ in 0..calls {
                        black_box(runtime.block_on(statement.rows(&table.pool)));
                    }
                    began.elapsed()
                },
            );
        }
        runtime.block_on(table.explain(&format!("{what} of {size}"), asked));
    }
}

fn main() {
    if std::env::var_os("POSTGRES_URL").is_none() {
        println!("POSTGRES_URL names no server, so nothing is measured");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut report = Report::default();
    let sizes: &[(u32, &str)] = if is_measured() {
        &[(100_000, "100,000"), (1_000_000, "1,000,000")]
    } else {
        &[(100_000, "100,000")]
    };
    for (rows, size) in sizes {
        let table = runtime.block_on(table(*rows));
        compare(&runtime, &mut report, &table, size);
    }
    println!("{report}");
}
