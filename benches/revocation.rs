//! How long a revocation takes while sixteen connections write under the session that it ends.
//!
//! SQLite always; PostgreSQL and MySQL where `POSTGRES_URL` and `MYSQL_URL` name a server.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    unreachable_pub,
    dead_code,
    reason = "a benchmark that fails has nothing to report"
)]

#[path = "../tests/support/engines.rs"]
mod engines;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clearance::{
    Access, Db, Entity, Key, RequestContext, Sessions, SourceError, Subject, System, Viewer,
    ViewerSource, Write, async_trait,
};

use engines::{Database, Engine};

#[derive(Debug, Clone, Viewer)]
struct Member {
    id: i64,
}

#[derive(Entity)]
#[entity(table = "items", viewer = Member, rows = open, reason = "a benchmark")]
#[entity(create_if(row.owner == viewer.id), update_if(row.owner == viewer.id))]
struct Item {
    #[entity(key)]
    id: i64,
    owner: i64,
    name: String,
}

struct Members;

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        Ok(subject.parse().ok().map(|id| Member { id }))
    }
}

const SCHEMA: &str =
    "CREATE TABLE items (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, name TEXT NOT NULL)";
const WRITERS: i64 = 16;
const ROUNDS: usize = 20;
/// In milliseconds.
const TARGET: f64 = 50.0;

/// Connections enough for the writers, and for who ends their session.
async fn connected(database: &Database, engine: Engine) -> Db {
    const MOST: u32 = 24;
    let (url, reason) = (&database.url, "a benchmark");
    match engine {
        Engine::Sqlite => {
            let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(MOST);
            Db::unguarded_pool(pool.connect(url).await.unwrap(), reason)
        }
        Engine::Postgres => {
            let pool = sqlx::postgres::PgPoolOptions::new().max_connections(MOST);
            Db::unguarded_pool(pool.connect(url).await.unwrap(), reason)
        }
        Engine::Mysql => {
            let pool = sqlx::mysql::MySqlPoolOptions::new().max_connections(MOST);
            Db::unguarded_pool(pool.connect(url).await.unwrap(), reason)
        }
    }
}

/// Writes until the session is over.
async fn write(db: Db, request: Arc<RequestContext>, id: i64, done: Arc<AtomicU64>) {
    let work = async {
        let access = Access::<Write<Member>>::authenticated().await.unwrap();
        loop {
            let update = db.writer(&access).update::<Item>(id);
            match update.set(Item::NAME, "written").execute().await {
                Ok(()) => {
                    let _ = done.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) if error.is_unauthenticated() => return,
                // Two who wait for each other.
                Err(error) if error.is_retryable() || error.is_unavailable() => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    request.scope(work).await;
}

/// The milliseconds of each round, and how many writes were done in all.
async fn measure(db: &Db) -> (Vec<f64>, u64) {
    let sessions = Sessions::builder(Key::generate().unwrap(), db.session_store(), Members)
        .app_url("https://app.example")
        .build()
        .unwrap();
    let done = Arc::new(AtomicU64::new(0));
    let mut taken = Vec::new();
    for _ in 0..ROUNDS {
        let session = sessions.create(&Subject::new(7)).await.unwrap();
        let cookie = session.into_set_cookies().remove(0);
        let mut headers = http::HeaderMap::new();
        let _ = headers.insert("cookie", cookie);
        let before = done.load(Ordering::Relaxed);
        let writers: Vec<_> = (0..WRITERS)
            .map(|id| {
                let request = Arc::new(RequestContext::new(&sessions, &headers));
                tokio::spawn(write(db.clone(), request, id, Arc::clone(&done)))
            })
            .collect();
        while done.load(Ordering::Relaxed) < before + 200 {
            tokio::task::yield_now().await;
        }
        let begun = Instant::now();
        let ended = sessions.revoke_all(&Subject::new(7)).await.unwrap();
        taken.push(begun.elapsed().as_secs_f64() * 1_000.0);
        assert_eq!(ended, 1);
        for writer in writers {
            writer.await.unwrap();
        }
    }
    (taken, done.load(Ordering::Relaxed))
}

fn main() {
    if !support::is_measured() {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (engine, server) in [
        (Engine::Sqlite, None),
        (Engine::Postgres, Some("POSTGRES_URL")),
        (Engine::Mysql, Some("MYSQL_URL")),
    ] {
        if server.is_some_and(|server| std::env::var(server).is_err()) {
            continue;
        }
        runtime.block_on(async {
            let database = engines::database_on(engine, SCHEMA).await;
            let db = connected(&database, engine).await;
            db.migrate().await.unwrap();
            let access = Access::<System>::system("a benchmark").unwrap();
            let name = || "as it was".to_owned();
            let items = (0..WRITERS).map(|id| Item {
                id,
                owner: 7,
                name: name(),
            });
            db.writer(&access).insert_many(items).await.unwrap();
            let (mut taken, writes) = measure(&db).await;
            taken.sort_by(f64::total_cmp);
            let (median, worst) = (support::median(&taken), taken[taken.len() - 1]);
            let verdict = if worst <= TARGET { "met" } else { "NOT MET" };
            println!(
                "{engine:?}: revoke_all under {WRITERS} writers, {writes} writes: median {median:.1} ms, worst of {ROUNDS} {worst:.1} ms, target {TARGET} ms, {verdict}"
            );
        });
    }
}
