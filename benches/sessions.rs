//! What a verification costs that asks the database, beside the same statement by hand, and what a
//! session costs in the cache.
//!
//! SQLite always; PostgreSQL where `POSTGRES_URL` names a server.
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
use std::time::{Duration, Instant};

use clearance::session::MemorySessionStore;
use clearance::{
    Key, RequestContext, Sessions, SourceError, Subject, Viewer, ViewerSource, async_trait,
};
use http::{HeaderMap, HeaderValue};
use sqlx::Row as _;

use engines::{Engine, TestPool};
use support::{Comparison, Judged, Report, is_measured};

#[derive(Debug, Clone, Viewer)]
struct Member {
    id: i64,
}

struct Members;

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        Ok(subject.parse().ok().map(|id| Member { id }))
    }
}

const SUBJECTS: i64 = 10_000;
const COLUMNS: &str = "id, secret_hash, subject, created_at, authenticated_at, assurance, \
    last_seen_at, idle_expires_at, expires_at, persistent, address, agent, claims";

/// What the row by hand comes to.
type Found = (
    String,
    Vec<u8>,
    String,
    [i64; 6],
    Option<String>,
    Option<String>,
    Vec<u8>,
);

macro_rules! by_hand {
    ($pool:expr, $sql:expr, $id:expr, $now:expr) => {{
        let row = sqlx::query($sql)
            .bind($id)
            .bind($now)
            .bind($now)
            .fetch_optional(&*$pool)
            .await
            .unwrap()
            .unwrap();
        let instants = [3, 4, 6, 7, 8, 9].map(|column| row.get::<i64, usize>(column));
        let found: Found = (
            row.get(0),
            row.get(1),
            row.get(2),
            instants,
            row.get(10),
            row.get(11),
            row.get::<String, usize>(12).into_bytes(),
        );
        found
    }};
}

fn cookie(sessions: &Sessions<Member>, runtime: &tokio::runtime::Runtime, id: i64) -> HeaderMap {
    let session = runtime.block_on(sessions.create(Subject::new(id))).unwrap();
    let cookie = session.into_set_cookies().remove(0);
    let pair = cookie
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let mut headers = HeaderMap::new();
    headers.insert("cookie", HeaderValue::from_str(&pair).unwrap());
    headers
}

fn verify(engine: Engine, runtime: &tokio::runtime::Runtime, report: &mut Report) {
    const OPERATIONS: u32 = 20;

    let database = runtime.block_on(engines::database_on(engine, ""));
    runtime.block_on(database.db.migrate()).unwrap();
    let sessions = Sessions::builder(
        Key::generate().unwrap(),
        database.db.session_store(),
        Members,
    )
    .app_url("https://app.example")
    .cache_bound(Duration::ZERO)
    .build()
    .unwrap();
    for id in 1..SUBJECTS {
        let _ = runtime.block_on(sessions.create(Subject::new(id))).unwrap();
    }
    let session = runtime.block_on(sessions.create(Subject::new(0))).unwrap();
    let id = session.id().to_string();
    let headers = cookie(&sessions, runtime, 0);
    let now = chrono::Utc::now().timestamp_micros();
    let sql: &'static str = match engine {
        Engine::Postgres => format!(
            "SELECT {COLUMNS} FROM clearance_sessions WHERE id = $1 AND idle_expires_at > $2 AND expires_at > $3"
        ),
        Engine::Sqlite | Engine::Mysql => format!(
            "SELECT {COLUMNS} FROM clearance_sessions WHERE id = ? AND idle_expires_at > ? AND expires_at > ?"
        ),
    }
    .leak();
    report.compare(
        Comparison {
            name: match engine {
                Engine::Sqlite => "verify, nothing cached: SQLite",
                Engine::Postgres => "verify, nothing cached: PostgreSQL",
                Engine::Mysql => "verify, nothing cached: MariaDB",
            },
            target: Some(1.10),
            judged: Judged::Best,
            rounds: 200,
            operations: OPERATIONS,
        },
        || {
            let began = Instant::now();
            runtime.block_on(async {
                for _ in 0..OPERATIONS {
                    let request = RequestContext::new(&sessions, &headers);
                    black_box(request.verify_session::<Member>().await.unwrap());
                }
            });
            began.elapsed()
        },
        || {
            let began = Instant::now();
            runtime.block_on(async {
                for _ in 0..OPERATIONS {
                    let found = match &database.pool {
                        TestPool::Sqlite(pool) => by_hand!(pool, sql, &id, now),
                        TestPool::Postgres(pool) => by_hand!(pool, sql, &id, now),
                        TestPool::Mysql(_) => unreachable!(),
                    };
                    black_box(found);
                }
            });
            began.elapsed()
        },
    );
}

/// Bytes of memory that the process holds.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// A million sessions, each seen once: by a cache that holds them all, and by one that holds a tenth.
fn cached(runtime: &tokio::runtime::Runtime) {
    let sessions: u64 = if is_measured() { 1_000_000 } else { 1_000 };
    for capacity in [2 * sessions, sessions / 10] {
        let all = Sessions::builder(Key::generate().unwrap(), MemorySessionStore::new(), Members)
            .app_url("https://app.example")
            .cache_bound(Duration::from_secs(3_600))
            .cache_capacity(capacity)
            .build()
            .unwrap();
        let headers: Vec<HeaderMap> = (0..sessions)
            .map(|id| cookie(&all, runtime, i64::try_from(id).unwrap()))
            .collect();
        let before = resident();
        for headers in &headers {
            let request = RequestContext::new(&all, headers);
            let _ = runtime
                .block_on(request.verify_session::<Member>())
                .unwrap();
        }
        let grown = resident().saturating_sub(before);
        println!(
            "cache of {capacity} after {sessions} sessions: {} MiB more, {} bytes for each session seen",
            grown >> 20,
            grown / sessions,
        );
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut report = Report::default();
    verify(Engine::Sqlite, &runtime, &mut report);
    if std::env::var_os("POSTGRES_URL").is_some() {
        verify(Engine::Postgres, &runtime, &mut report);
    }
    println!("{report}");
    cached(&runtime);
}
