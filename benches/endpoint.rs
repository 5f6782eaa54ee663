//! A guarded endpoint over real HTTP, beside one that is written by hand: 50 rows of 100,000 from
//! PostgreSQL, for a viewer whom a cache of sessions knows, and for one who is looked up each time.
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

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::{constant_time, digest};
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use clearance::{
    Db, Dto, Entity, Field, Key, Result, SessionLayer, Sessions, SourceError, Subject, Viewer,
    ViewerSource, async_trait, repository,
};
use futures_util::future::join_all;
use serde::Serialize;
use sqlx::{PgExecutor, PgPool, Row as _};
use tokio::runtime::Runtime;

use engines::{Database, Engine, TestPool};
use support::{Comparison, Judged, Report, is_measured};

const SCHEMA: &str = "
    CREATE TABLE items (id INTEGER PRIMARY KEY, team KEYTEXT NOT NULL, name TEXT NOT NULL,
        note TEXT, cost INTEGER NOT NULL);
    CREATE INDEX items_team ON items (team, id)";

/// A handler by hand may take as long as this part of ours at most.
const CACHED: f64 = 1.0 / 0.95;
const LOOKED_UP: f64 = 1.0 / 0.97;

#[derive(Debug, Clone, Viewer)]
struct Member {
    id: i64,
    team: String,
}

impl Member {
    fn of(id: i64) -> Self {
        let team = format!("team{id}");
        Self { id, team }
    }
}

struct Members;

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        Ok(subject.parse().ok().map(Member::of))
    }
}

#[derive(Entity)]
#[entity(table = "items", viewer = Member, read_if(row.team == viewer.team))]
struct Item {
    #[entity(key)]
    id: i64,
    team: String,
    name: String,
    note: Option<String>,
    cost: i64,
}

#[derive(Dto)]
#[dto(entity = Item, default = visible)]
struct ItemRow {
    id: i64,
    name: String,
    note: Option<String>,
    #[visible_if(viewer.id > 0)]
    cost: Field<i64>,
}

#[derive(Clone)]
struct Items {
    db: Db,
}

#[repository(viewer = Member)]
impl Items {
    #[authenticated(access)]
    async fn list(&self) -> Result<Vec<ItemRow>> {
        let query = ItemRow::select().order(ItemRow::ID.asc()).limit(50);
        self.db.reader(&access).all(query).await
    }
}

async fn list(State(items): State<Items>) -> Result<Json<Vec<ItemRow>>> {
    items.list().await.map(Json)
}

/// What a competent engineer writes.
mod by_hand {
    use super::*;

    #[derive(Clone)]
    pub struct App {
        pub pool: PgPool,
        /// Without it each request looks its session up.
        pub sessions: Option<moka::future::Cache<[u8; 32], Arc<Member>>>,
        /// Which row that is; the cookie would say so.
        pub session: String,
    }

    #[derive(Serialize)]
    pub struct Row {
        id: i64,
        name: String,
        note: Option<String>,
        cost: i64,
    }

    impl sqlx::FromRow<'_, sqlx::postgres::PgRow> for Row {
        fn from_row(row: &sqlx::postgres::PgRow) -> sqlx::Result<Self> {
            Ok(Self {
                id: row.try_get(0)?,
                name: row.try_get(1)?,
                note: row.try_get(2)?,
                cost: row.try_get(3)?,
            })
        }
    }

    impl App {
        async fn member(
            &self,
            headers: &HeaderMap,
            database: impl PgExecutor<'_>,
        ) -> Option<Arc<Member>> {
            let cookie = headers.get("cookie")?.as_bytes();
            let secret = fingerprint(cookie);
            if let Some(sessions) = &self.sessions {
                return sessions.get(&secret).await;
            }
            let now = chrono::Utc::now().timestamp_micros();
            let sql = "SELECT id, secret_hash, subject, created_at, authenticated_at, assurance, last_seen_at, \
                idle_expires_at, expires_at, persistent, address, agent, claims FROM clearance_sessions \
                WHERE id = $1 AND idle_expires_at > $2 AND expires_at > $2";
            let row = sqlx::query(sql).bind(&self.session).bind(now);
            let row = row.fetch_optional(database).await.ok()??;
            constant_time::verify_slices_are_equal(row.get(1), &secret).ok()?;
            let subject: String = row.get(2);
            Some(Arc::new(Member::of(subject.parse().ok()?)))
        }
    }

    pub fn fingerprint(cookie: &[u8]) -> [u8; 32] {
        digest::digest(&digest::SHA256, cookie)
            .as_ref()
            .try_into()
            .unwrap()
    }

    type Answer = Result<([(HeaderName, &'static str); 1], Json<Vec<Row>>), StatusCode>;

    /// Hands the pool to each statement, as handlers mostly do.
    pub async fn list(State(app): State<App>, headers: HeaderMap) -> Answer {
        let member = app.member(&headers, &app.pool).await;
        rows(member, &app.pool).await
    }

    /// Has one connection for both statements.
    pub async fn list_on_one_connection(State(app): State<App>, headers: HeaderMap) -> Answer {
        let mut connection = app.pool.acquire().await.map_err(unavailable)?;
        let member = app.member(&headers, &mut *connection).await;
        rows(member, &mut *connection).await
    }

    async fn rows(member: Option<Arc<Member>>, database: impl PgExecutor<'_>) -> Answer {
        let member = member.ok_or(StatusCode::UNAUTHORIZED)?;
        let sql = "SELECT id, name, note, cost FROM items WHERE team = $1 ORDER BY id LIMIT 50";
        let rows = sqlx::query_as(sql).bind(&member.team).fetch_all(database);
        let rows = rows.await.map_err(unavailable)?;
        Ok(([(CACHE_CONTROL, "private, no-store")], Json(rows)))
    }

    fn unavailable(_: sqlx::Error) -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn serve(runtime: &Runtime, app: Router) -> SocketAddr {
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    })
}

const CLIENTS: u32 = 4;
const REQUESTS: u32 = 25;

/// As many requests as one sample holds, over connections that stay.
fn ask(runtime: &Runtime, client: &reqwest::Client, address: SocketAddr, cookie: &str) -> Duration {
    let url = format!("http://{address}/items");
    let began = Instant::now();
    runtime.block_on(join_all((0..CLIENTS).map(|_| async {
        for _ in 0..REQUESTS {
            let response = client
                .get(&url)
                .header("cookie", cookie)
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 200);
            let body = response.bytes().await.unwrap();
            assert!(body.len() > 50 * 30, "{body:?}");
        }
    })));
    began.elapsed()
}

/// One application in each way, over a database of their own.
struct Servers {
    ours: SocketAddr,
    by_hand: SocketAddr,
    on_one_connection: SocketAddr,
    cookie: String,
    _database: Database,
}

/// Where memory and connections happen to lie makes some 2 % either way, so that is done anew.
const SET_UPS: usize = 5;
/// In a row over each of them.
const ROUNDS: usize = 40;

fn set_up(runtime: &Runtime, bound: Duration) -> Servers {
    let database = runtime.block_on(engines::database_on(Engine::Postgres, SCHEMA));
    let TestPool::Postgres(pool) = &database.pool else {
        unreachable!()
    };
    runtime.block_on(async {
        database.db.migrate().await.unwrap();
        let rows = "INSERT INTO items SELECT i, 'team' || (i % 200), 'item ' || i, 'a note of some length', i \
            FROM generate_series(1, 100000) AS i";
        sqlx::query(rows).execute(pool).await.unwrap();
        sqlx::query("ANALYZE").execute(pool).await.unwrap();
    });
    // The same pool: with more connections the server has more to switch between.
    let db = Db::unguarded_pool(pool.clone(), "the pool of what is written by hand");
    let store = db.session_store();
    let sessions = Sessions::builder(Key::generate().unwrap(), store, Members)
        .app_url("https://app.example")
        .cache_bound(bound)
        .build()
        .unwrap();
    let session = runtime.block_on(sessions.create(Subject::new(7))).unwrap();
    let id = session.id().to_string();
    let cookie = session.into_set_cookies().remove(0);
    let cookie = cookie
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let ours = Router::new()
        .route("/items", get(list))
        .with_state(Items { db })
        .layer(SessionLayer::new(sessions));
    // A session of its own, whose secret is all of the cookie.
    let theirs = "f".repeat(32);
    let copy = "INSERT INTO clearance_sessions (id, secret_hash, subject, created_at, authenticated_at, assurance, \
        last_seen_at, idle_expires_at, expires_at, persistent, address, agent, claims) \
        SELECT $1, $2, subject, created_at, authenticated_at, assurance, \
        last_seen_at, idle_expires_at, expires_at, persistent, address, agent, claims FROM clearance_sessions WHERE id = $3";
    let secret = by_hand::fingerprint(cookie.as_bytes());
    let copy = sqlx::query(copy).bind(&theirs).bind(&secret[..]).bind(&id);
    runtime.block_on(copy.execute(pool)).unwrap();
    let cache = (!bound.is_zero()).then(|| {
        let cache = moka::future::Cache::builder().max_capacity(10_000).build();
        runtime.block_on(cache.insert(secret, Arc::new(Member::of(7))));
        cache
    });
    let app = by_hand::App {
        pool: pool.clone(),
        sessions: cache,
        session: theirs,
    };
    let theirs = Router::new()
        .route("/items", get(by_hand::list))
        .with_state(app.clone());
    let on_one_connection = Router::new()
        .route("/items", get(by_hand::list_on_one_connection))
        .with_state(app);
    Servers {
        ours: serve(runtime, ours),
        by_hand: serve(runtime, theirs),
        on_one_connection: serve(runtime, on_one_connection),
        cookie,
        _database: database,
    }
}

fn compare(runtime: &Runtime, report: &mut Report, bound: Duration) {
    let set_ups = if is_measured() { SET_UPS } else { 1 };
    let servers: Vec<_> = (0..set_ups).map(|_| set_up(runtime, bound)).collect();
    let client = reqwest::Client::new();
    let in_turn = |address: fn(&Servers) -> SocketAddr| {
        let (servers, client) = (&servers, &client);
        let mut calls = 0;
        move || {
            let server = &servers[calls / ROUNDS % servers.len()];
            calls += 1;
            ask(runtime, client, address(server), &server.cookie)
        }
    };
    let mut beside = |name, target, by_hand: fn(&Servers) -> SocketAddr| {
        let comparison = Comparison {
            name,
            target,
            judged: Judged::Median,
            rounds: ROUNDS * SET_UPS,
            operations: CLIENTS * REQUESTS,
        };
        report.compare(
            comparison,
            in_turn(|servers| servers.ours),
            in_turn(by_hand),
        );
    };
    if bound.is_zero() {
        let name = "50 of 100,000 over HTTP, session looked up";
        beside(name, Some(LOOKED_UP), |servers| servers.by_hand);
        let name = "the same, by hand on one connection";
        beside(name, None, |servers| servers.on_one_connection);
    } else {
        let name = "50 of 100,000 over HTTP, session cached";
        beside(name, Some(CACHED), |servers| servers.by_hand);
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
    compare(&runtime, &mut report, Duration::from_secs(60));
    compare(&runtime, &mut report, Duration::ZERO);
    println!("{report}");
    println!("{}", report.rates());
}
