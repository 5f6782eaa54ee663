//! A guarded select from a SQLite file, beside the same statement by hand through sqlx.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a benchmark that fails has nothing to report"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the statement by hand is what the library is compared with"
)]

#[path = "support/directory.rs"]
mod directory;
mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use clearance::{Access, Db, Read, Result, System, testing};
use serde::Serialize;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use directory::{Member, Profile, Role, admin, employees, stranger, team_mate};
use support::{Comparison, Judged, Report};

const ROWS: u32 = 1_000;

const TABLE: &str = "CREATE TABLE employees (
    id BLOB PRIMARY KEY,
    username TEXT NOT NULL,
    display_name TEXT NOT NULL,
    job_title TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    joined_at INTEGER NOT NULL,
    salary INTEGER NOT NULL,
    national_id TEXT NOT NULL,
    review TEXT,
    phone TEXT,
    address TEXT NOT NULL,
    birthday TEXT,
    team TEXT
)";

/// The statement for those who are no admin, with the columns that the library selects too: a
/// hidden value does not leave the database, and a flag tells a hidden value from a null.
const FOR_MEMBERS: &str = r#"SELECT "employees"."id", "employees"."username", "employees"."display_name",
    "employees"."job_title", "employees"."active", "employees"."joined_at",
    (CASE WHEN ("employees"."team" = ?1 AND "employees"."team" COLLATE BINARY = ?1) THEN "employees"."phone" END) AS "phone",
    "employees"."team" = ?1 AND "employees"."team" COLLATE BINARY = ?1 AS "team_mate",
    (CASE WHEN ("employees"."id" = ?2) THEN "employees"."address" END) AS "address",
    (CASE WHEN ("employees"."team" = ?1 AND "employees"."team" COLLATE BINARY = ?1) THEN "employees"."birthday" END) AS "birthday"
    FROM "employees""#;

const FOR_ADMINS: &str = r#"SELECT "id", "username", "display_name", "job_title", "active", "joined_at",
    "salary", "national_id", "review", "phone", "address", "birthday" FROM "employees""#;

/// What a competent engineer writes. The outer `Option` says whether the viewer may see it.
#[derive(Serialize)]
struct ProfileByHand {
    id: Uuid,
    username: String,
    display_name: String,
    job_title: String,
    active: bool,
    joined_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    salary: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    national_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    review: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    birthday: Option<Option<String>>,
}

struct ForMembers(ProfileByHand);

impl<'r> FromRow<'r, SqliteRow> for ForMembers {
    fn from_row(row: &'r SqliteRow) -> sqlx::Result<Self> {
        let team_mate = row.try_get::<Option<bool>, _>(7)?.unwrap_or(false);
        Ok(Self(ProfileByHand {
            id: row.try_get(0)?,
            username: row.try_get(1)?,
            display_name: row.try_get(2)?,
            job_title: row.try_get(3)?,
            active: row.try_get(4)?,
            joined_at: instant(row.try_get(5)?)?,
            salary: None,
            national_id: None,
            review: None,
            phone: if team_mate {
                Some(row.try_get(6)?)
            } else {
                None
            },
            address: row.try_get(8)?,
            birthday: if team_mate {
                Some(row.try_get(9)?)
            } else {
                None
            },
        }))
    }
}

struct ForAdmins(ProfileByHand);

impl<'r> FromRow<'r, SqliteRow> for ForAdmins {
    fn from_row(row: &'r SqliteRow) -> sqlx::Result<Self> {
        Ok(Self(ProfileByHand {
            id: row.try_get(0)?,
            username: row.try_get(1)?,
            display_name: row.try_get(2)?,
            job_title: row.try_get(3)?,
            active: row.try_get(4)?,
            joined_at: instant(row.try_get(5)?)?,
            salary: Some(row.try_get(6)?),
            national_id: Some(row.try_get(7)?),
            review: Some(row.try_get(8)?),
            phone: Some(row.try_get(9)?),
            address: Some(row.try_get(10)?),
            birthday: Some(row.try_get(11)?),
        }))
    }
}

fn instant(micros: i64) -> sqlx::Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
        .ok_or_else(|| sqlx::Error::Decode("an instant is out of range".into()))
}

async fn by_hand(pool: &SqlitePool, viewer: &Member) -> sqlx::Result<Vec<ProfileByHand>> {
    if viewer.role >= Role::Admin {
        let rows: Vec<ForAdmins> = sqlx::query_as(FOR_ADMINS).fetch_all(pool).await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    } else {
        let rows: Vec<ForMembers> = sqlx::query_as(FOR_MEMBERS)
            .bind(viewer.team.as_deref())
            .bind(viewer.id)
            .fetch_all(pool)
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }
}

async fn library(db: &Db) -> Result<Vec<Profile>> {
    let access = Access::<Read<Member>>::authenticated().await?;
    db.reader(&access).all(Profile::select()).await
}

async fn fill(pool: &SqlitePool) {
    sqlx::raw_sql(TABLE).execute(pool).await.unwrap();
    let db = Db::unguarded_pool(pool.clone(), "the benchmark fills its own table");
    let access = Access::<System>::system("fills the table of a benchmark").unwrap();
    let writer = db.writer(&access);
    for employee in employees(ROWS) {
        writer.insert(employee).await.unwrap();
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!(
        "sqlite://{}?mode=rwc",
        folder.path().join("directory.db").display()
    );
    let (pool, db) = runtime.block_on(async {
        let pool = SqlitePoolOptions::new().connect(&url).await.unwrap();
        fill(&pool).await;
        (pool, Db::connect(&url).await.unwrap())
    });
    let mut report = Report::default();
    for (name, viewer) in [
        ("1,000 rows from SQLite for an admin", admin()),
        ("1,000 rows from SQLite for a team mate", team_mate()),
        ("1,000 rows from SQLite for a stranger", stranger()),
    ] {
        let (shown, shown_by_hand) = runtime.block_on(async {
            let request = testing::as_viewer(viewer.clone());
            let shown = request.scope(library(&db)).await.unwrap();
            (shown, by_hand(&pool, &viewer).await.unwrap())
        });
        assert_eq!(shown.len(), ROWS as usize);
        assert!(
            serde_json::to_vec(&shown).unwrap() == serde_json::to_vec(&shown_by_hand).unwrap(),
            "both find the same"
        );
        report.compare(
            Comparison {
                name,
                target: Some(1.15),
                judged: Judged::Median,
                rounds: 300,
                operations: 1,
            },
            || {
                // A new request each time, so that the rules are worked out each time.
                let request = testing::as_viewer(viewer.clone());
                runtime.block_on(async {
                    let start = Instant::now();
                    let rows = request.scope(library(&db)).await.unwrap();
                    elapsed(start, rows)
                })
            },
            || {
                runtime.block_on(async {
                    let start = Instant::now();
                    let rows = by_hand(&pool, &viewer).await.unwrap();
                    elapsed(start, rows)
                })
            },
        );
    }
    println!("{report}");
    runtime.block_on(async {
        pool.close().await;
        db.close().await;
    });
}

fn elapsed<T>(start: Instant, rows: Vec<T>) -> Duration {
    let elapsed = start.elapsed();
    black_box(rows);
    elapsed
}
