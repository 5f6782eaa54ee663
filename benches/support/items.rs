//! One application in five ways: with no session, with sessions of the library and with those that a
//! competent engineer writes, each with a cache and without.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{constant_time, digest};
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use clearance::{
    Db, Dto, Entity, Field, Key, Result, SessionLayer, Sessions, Subject, Viewer, repository,
};
use serde::Serialize;
use sqlx::{ColumnIndex, Decode, PgPool, SqlitePool, Type};
use tokio::runtime::Runtime;

use crate::engines::{self, Database, Engine};

const SCHEMA: &str = "
    CREATE TABLE members (id INTEGER PRIMARY KEY, team KEYTEXT NOT NULL);
    CREATE TABLE items (id INTEGER PRIMARY KEY, team KEYTEXT NOT NULL, name TEXT NOT NULL,
        note TEXT, cost INTEGER NOT NULL);
    CREATE INDEX items_team ON items (team, id)";

/// How the endpoint knows who asks.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    NoSession,
    Cached,
    CachedByHand,
    LookedUp,
    LookedUpByHand,
}

impl Way {
    pub const ALL: [Self; 5] = [
        Self::NoSession,
        Self::Cached,
        Self::CachedByHand,
        Self::LookedUp,
        Self::LookedUpByHand,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSession => "no session",
            Self::Cached => "cached",
            Self::CachedByHand => "cached, by hand",
            Self::LookedUp => "looked up",
            Self::LookedUpByHand => "looked up, by hand",
        }
    }

    /// The ways that it is held against, and the least part of their requests that it answers.
    pub const fn beside(self) -> &'static [(Self, Option<f64>)] {
        match self {
            Self::Cached => &[
                (Self::NoSession, Some(0.98)),
                (Self::CachedByHand, Some(0.95)),
            ],
            Self::LookedUp => &[
                (Self::NoSession, Some(0.92)),
                (Self::LookedUpByHand, Some(0.97)),
            ],
            Self::CachedByHand | Self::LookedUpByHand => &[(Self::NoSession, None)],
            Self::NoSession => &[],
        }
    }
}

#[derive(Debug, Clone, Viewer)]
struct Member {
    id: i64,
    team: String,
}

#[derive(Entity)]
#[entity(table = "members", viewer = Member, rows = open, reason = "only who signs in is read")]
struct MemberRow {
    #[entity(key)]
    id: i64,
    team: String,
}

#[derive(Dto)]
#[dto(entity = MemberRow, default = visible)]
struct Membership {
    id: i64,
    team: String,
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

/// The pool of the application, which all ways share.
#[derive(Clone)]
enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The endpoint as a competent engineer writes it.
mod by_hand {
    use super::*;

    #[derive(Clone)]
    pub(super) struct App {
        pub(super) pool: Pool,
        pub(super) sessions: Sessions,
    }

    #[derive(Clone)]
    pub(super) enum Sessions {
        /// Everybody is of the seventh team.
        None,
        Cached(moka::future::Cache<[u8; 32], Arc<Member>>),
        /// Read from the store by the id of the session, which the cookie would say.
        LookedUp(String),
    }

    #[derive(Serialize)]
    pub(super) struct Row {
        id: i64,
        name: String,
        note: Option<String>,
        cost: i64,
    }

    impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for Row
    where
        usize: ColumnIndex<R>,
        i64: Decode<'r, R::Database> + Type<R::Database>,
        String: Decode<'r, R::Database> + Type<R::Database>,
        Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    {
        fn from_row(row: &'r R) -> sqlx::Result<Self> {
            Ok(Self {
                id: row.try_get(0)?,
                name: row.try_get(1)?,
                note: row.try_get(2)?,
                cost: row.try_get(3)?,
            })
        }
    }

    const SESSION: &str = "SELECT session.secret_hash, members.id, members.team, session.subject, \
        session.created_at, session.authenticated_at, session.assurance, session.last_seen_at, \
        session.idle_expires_at, session.expires_at, session.claims FROM clearance_sessions AS session \
        JOIN members ON members.id = CAST(session.subject AS BIGINT) \
        WHERE session.id = $1 AND session.idle_expires_at > $2 AND session.expires_at > $2";
    const ROWS: &str =
        "SELECT id, name, note, cost FROM items WHERE team = $1 ORDER BY id LIMIT 50";

    impl App {
        async fn member(&self, headers: &HeaderMap) -> Option<Arc<Member>> {
            let secret = || Some(fingerprint(headers.get("cookie")?.as_bytes()));
            match &self.sessions {
                Sessions::None => Some(Arc::new(Member {
                    id: 7,
                    team: "team7".to_owned(),
                })),
                Sessions::Cached(sessions) => sessions.get(&secret()?).await,
                Sessions::LookedUp(id) => {
                    let now = chrono::Utc::now().timestamp_micros();
                    let (hash, id, team): (Vec<u8>, i64, String) = match &self.pool {
                        Pool::Sqlite(pool) => member(
                            sqlx::query(SESSION)
                                .bind(id)
                                .bind(now)
                                .fetch_optional(pool)
                                .await,
                        ),
                        Pool::Postgres(pool) => member(
                            sqlx::query(SESSION)
                                .bind(id)
                                .bind(now)
                                .fetch_optional(pool)
                                .await,
                        ),
                    }?;
                    constant_time::verify_slices_are_equal(&hash, &secret()?).ok()?;
                    Some(Arc::new(Member { id, team }))
                }
            }
        }
    }

    fn member<R: sqlx::Row>(row: sqlx::Result<Option<R>>) -> Option<(Vec<u8>, i64, String)>
    where
        usize: ColumnIndex<R>,
        for<'d> i64: Decode<'d, R::Database> + Type<R::Database>,
        for<'d> String: Decode<'d, R::Database> + Type<R::Database>,
        for<'d> Vec<u8>: Decode<'d, R::Database> + Type<R::Database>,
    {
        let row = row.unwrap()?;
        Some((row.get(0), row.get(1), row.get(2)))
    }

    pub(super) fn fingerprint(cookie: &[u8]) -> [u8; 32] {
        digest::digest(&digest::SHA256, cookie)
            .as_ref()
            .try_into()
            .unwrap()
    }

    type Answer = Result<([(HeaderName, &'static str); 1], Json<Vec<Row>>), StatusCode>;

    pub(super) async fn list(State(app): State<App>, headers: HeaderMap) -> Answer {
        let member = app.member(&headers).await.ok_or(StatusCode::UNAUTHORIZED)?;
        let rows = match &app.pool {
            Pool::Sqlite(pool) => {
                sqlx::query_as(ROWS)
                    .bind(&member.team)
                    .fetch_all(pool)
                    .await
            }
            Pool::Postgres(pool) => {
                sqlx::query_as(ROWS)
                    .bind(&member.team)
                    .fetch_all(pool)
                    .await
            }
        };
        let rows = rows.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        Ok(([(CACHE_CONTROL, "private, no-store")], Json(rows)))
    }
}

/// The application, served in each way.
pub struct Application {
    addresses: [SocketAddr; 5],
    cookie: String,
    _database: Database,
}

impl Application {
    pub fn of(&self, way: Way) -> (SocketAddr, &str) {
        (self.addresses[way as usize], &self.cookie)
    }
}

pub fn start(runtime: &Runtime, engine: Engine) -> Application {
    let database = runtime.block_on(engines::database_on(engine, SCHEMA));
    runtime.block_on(async {
        database.db.migrate().await.unwrap();
        let numbers = match engine {
            Engine::Sqlite => "WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < 100000)",
            _ => "WITH numbers (i) AS (SELECT generate_series(1, 100000))",
        };
        let rows = "SELECT i, 'team' || (i % 200), 'item ' || i, 'a note of some length', i FROM numbers";
        let members = "SELECT i, 'team' || i FROM numbers";
        let sql = match engine {
            Engine::Sqlite => format!("INSERT INTO items {numbers} {rows}; INSERT INTO members {numbers} {members}"),
            _ => format!("{numbers} INSERT INTO items {rows}; {numbers} INSERT INTO members {members}"),
        };
        database.pool.execute(&sql).await;
        if matches!(engine, Engine::Sqlite) {
            database.pool.execute("PRAGMA journal_mode = WAL").await;
        }
        if !matches!(engine, Engine::Sqlite) { database.pool.execute("ANALYZE").await; }
    });
    // That of a test has hooks of its own.
    let pool = runtime.block_on(async {
        match engine {
            Engine::Sqlite => Pool::Sqlite(SqlitePool::connect(&database.url).await.unwrap()),
            _ => Pool::Postgres(PgPool::connect(&database.url).await.unwrap()),
        }
    });
    let reason = "the pool of what is written by hand";
    let db = match &pool {
        Pool::Sqlite(pool) => Db::unguarded_pool(pool.clone(), reason),
        Pool::Postgres(pool) => Db::unguarded_pool(pool.clone(), reason),
    };
    let key = Key::generate().unwrap();
    let [cached, looked_up] = [Duration::from_secs(60), Duration::ZERO].map(|bound| {
        let members = db.viewers(
            MemberRow::ID,
            "a session's viewer is loaded before there is one",
            |Membership { id, team }| Some(Member { id, team }),
        );
        Sessions::builder(key.clone(), db.session_store(), members)
            .app_url("https://app.example")
            .cache_bound(bound)
            .build()
            .unwrap()
    });
    let session = runtime.block_on(cached.create(Subject::new(7))).unwrap();
    let id = session.id().to_string();
    let cookie = session.into_set_cookies().remove(0);
    let cookie = cookie
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    // A session of its own for by hand, whose secret is all of the cookie.
    let theirs = "f".repeat(32);
    let secret = by_hand::fingerprint(cookie.as_bytes());
    let copy = "INSERT INTO clearance_sessions (id, secret_hash, subject, created_at, authenticated_at, assurance, \
        last_seen_at, idle_expires_at, expires_at, persistent, address, agent, claims) \
        SELECT $1, $2, subject, created_at, authenticated_at, assurance, \
        last_seen_at, idle_expires_at, expires_at, persistent, address, agent, claims FROM clearance_sessions WHERE id = $3";
    runtime
        .block_on(async {
            match &pool {
                Pool::Sqlite(pool) => {
                    let copy = sqlx::query(copy).bind(&theirs).bind(&secret[..]).bind(&id);
                    copy.execute(pool).await.map(drop)
                }
                Pool::Postgres(pool) => {
                    let copy = sqlx::query(copy).bind(&theirs).bind(&secret[..]).bind(&id);
                    copy.execute(pool).await.map(drop)
                }
            }
        })
        .unwrap();
    let cache = moka::future::Cache::builder().max_capacity(10_000).build();
    let member = Arc::new(Member {
        id: 7,
        team: "team7".to_owned(),
    });
    runtime.block_on(cache.insert(secret, member));
    let ours = |sessions| {
        Router::new()
            .route("/items", get(list))
            .with_state(Items { db: db.clone() })
            .layer(SessionLayer::new(sessions))
    };
    let by_hand = |sessions| {
        let pool = pool.clone();
        Router::new()
            .route("/items", get(by_hand::list))
            .with_state(by_hand::App { pool, sessions })
    };
    let routers = [
        by_hand(by_hand::Sessions::None),
        ours(cached),
        by_hand(by_hand::Sessions::Cached(cache)),
        ours(looked_up),
        by_hand(by_hand::Sessions::LookedUp(theirs)),
    ];
    Application {
        addresses: routers.map(|router| serve(runtime, router)),
        cookie,
        _database: database,
    }
}

fn serve(runtime: &Runtime, router: Router) -> SocketAddr {
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    })
}
