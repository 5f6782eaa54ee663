//! The connection that a session was read over serves the statement that comes after it, and is never
//! kept while anything waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clearance::{
    Access, Db, Dto, Entity, Error, Key, RequestContext, Result, Sessions, SourceError, Subject,
    System, Viewer, ViewerSource, async_trait, repository, verify_session,
};
use futures_util::FutureExt as _;
use http::HeaderMap;
use sqlx::pool::PoolOptions;
use tokio::runtime::Handle;

use crate::engines::{Database, Engine, TestPool, database, engine};
use crate::signed_in::headers_of;

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    INSERT INTO people VALUES (7, 'ada'), (8, 'bob');";

#[derive(Entity)]
#[entity(table = "people", viewer = Reader, rows = open, reason = "a test of connections")]
struct Person {
    #[entity(key)]
    id: i64,
    name: String,
}

#[derive(Dto, Debug, PartialEq)]
#[dto(entity = Person, default = visible)]
struct Name {
    name: String,
}

#[derive(Viewer)]
struct Reader {
    id: i64,
}

/// Finds readers in the table itself.
struct Readers(Db);

#[async_trait]
impl ViewerSource<Reader> for Readers {
    async fn load(&self, subject: &Subject) -> Result<Option<Reader>, SourceError> {
        let id = subject.parse()?;
        let access = Access::<System>::system("the viewer is not known yet")?;
        let found = Name::select().lookup(Person::ID, id);
        let found = self.0.reader(&access).optional(found).await?;
        Ok(found.map(|_| Reader { id }))
    }
}

#[derive(Clone)]
struct People {
    db: Db,
    pool: TestPool,
}

#[repository(viewer = Reader)]
impl People {
    #[authenticated(access)]
    async fn names(&self) -> Result<Vec<String>> {
        let names = Name::select().order(Name::NAME.asc());
        let names = self.db.reader(&access).all(names).await?;
        Ok(names.into_iter().map(|row| row.name).collect())
    }

    /// Before it reads, it has to do with the application's own pool.
    #[authenticated(access)]
    async fn names_later(&self) -> Result<Vec<String>> {
        acquire(&self.pool).await;
        let names = self.db.reader(&access).all(Name::select()).await?;
        Ok(names.into_iter().map(|row| row.name).collect())
    }
}

/// An application whose pool has one connection, and counts how often it is taken from there.
struct Application {
    people: People,
    sessions: Sessions<Reader>,
    headers: HeaderMap,
    taken: Arc<AtomicUsize>,
    _database: Database,
}

impl Application {
    async fn new() -> Self {
        let database = database(SCHEMA).await;
        database.db.migrate().await.unwrap();
        let taken = Arc::default();
        let pool = one_connection(&database.url, &taken).await;
        let db = pool.db();
        let builder = Sessions::builder(
            Key::generate().unwrap(),
            db.session_store(),
            Readers(db.clone()),
        );
        let sessions = builder
            .app_url("https://app.example")
            .cache_bound(Duration::ZERO)
            .build()
            .unwrap();
        let created = sessions.create(Subject::new(7)).await.unwrap();
        Self {
            people: People { db, pool },
            sessions,
            headers: headers_of(created),
            taken,
            _database: database,
        }
    }

    fn request(&self) -> RequestContext {
        RequestContext::new(&self.sessions, &self.headers)
    }
}

async fn one_connection(url: &str, taken: &Arc<AtomicUsize>) -> TestPool {
    match engine() {
        Engine::Sqlite => TestPool::Sqlite(counting(taken).connect(url).await.unwrap()),
        Engine::Postgres => TestPool::Postgres(counting(taken).connect(url).await.unwrap()),
        Engine::Mysql => TestPool::Mysql(counting(taken).connect(url).await.unwrap()),
    }
}

fn counting<DB: sqlx::Database>(taken: &Arc<AtomicUsize>) -> PoolOptions<DB> {
    let taken = Arc::clone(taken);
    PoolOptions::new()
        .max_connections(1)
        // Long enough for any machine; whoever keeps the connection fails the test after it.
        .acquire_timeout(Duration::from_secs(10))
        .before_acquire(move |_, _| {
            taken.fetch_add(1, Ordering::SeqCst);
            async { Ok(true) }.boxed()
        })
}

/// Takes the connection of the application and gives it back.
async fn acquire(pool: &TestPool) {
    match pool {
        TestPool::Sqlite(pool) => drop(pool.acquire().await.unwrap()),
        TestPool::Postgres(pool) => drop(pool.acquire().await.unwrap()),
        TestPool::Mysql(pool) => drop(pool.acquire().await.unwrap()),
    }
}

#[tokio::test]
async fn vs_02_session_viewer_and_rows_are_read_over_one_connection() {
    let application = Application::new().await;
    let before = application.taken.load(Ordering::SeqCst);
    for _ in 0..5 {
        let names = application.request().scope(application.people.names());
        assert_eq!(names.await.unwrap(), ["ada", "bob"]);
    }
    assert_eq!(application.taken.load(Ordering::SeqCst) - before, 5);
    let request = application.request();
    application.people.with(&request).names().await.unwrap();
    assert_eq!(application.taken.load(Ordering::SeqCst) - before, 6);
    let request = application.request();
    let current = request.scope(async {
        request.verify_current::<Reader>().await?;
        application.people.names().await
    });
    current.await.unwrap();
    assert_eq!(application.taken.load(Ordering::SeqCst) - before, 7);
}

#[tokio::test]
async fn vs_02_a_connection_is_not_kept_while_the_request_waits() {
    let application = Application::new().await;
    for _ in 0..3 {
        let names = application
            .request()
            .scope(application.people.names_later());
        assert_eq!(names.await.unwrap().len(), 2);
    }
    let beside = application.request().scope(async {
        let pool = &application.people.pool;
        tokio::join!(verify_session::<Reader>(), acquire(pool), acquire(pool)).0
    });
    beside.await.unwrap();
}

#[tokio::test]
async fn vs_02_a_connection_is_not_kept_when_the_request_ends() {
    let application = Application::new().await;
    let verified = application.request().scope(verify_session::<Reader>());
    assert_eq!(verified.await.unwrap().viewer().id, 7);
    acquire(&application.people.pool).await;
    let panics = application.request().scope(async {
        verify_session::<Reader>().await.unwrap();
        panic!("of the handler");
    });
    let _panic = tokio::spawn(panics).await.unwrap_err();
    acquire(&application.people.pool).await;
}

/// Nobody would give it back there.
#[tokio::test(flavor = "multi_thread")]
async fn vs_02_a_connection_is_not_kept_where_no_request_is_polled() {
    let application = Application::new().await;
    let request = application.request();
    request.verify_session::<Reader>().await.unwrap();
    acquire(&application.people.pool).await;
    let runtime = Handle::current();
    let pool = application.people.pool.clone();
    let blocks = move || {
        runtime.block_on(verify_session::<Reader>()).unwrap();
        runtime.block_on(acquire(&pool));
    };
    let (one, other) = (application.request(), blocks.clone());
    let blocking = tokio::task::spawn_blocking(move || one.sync_scope(other));
    blocking.await.unwrap();
    let in_place = application
        .request()
        .scope(async { tokio::task::block_in_place(blocks) });
    in_place.await;
}

#[tokio::test]
async fn vs_02_a_connection_serves_its_own_database_alone() {
    let application = Application::new().await;
    let other = database(SCHEMA).await;
    other.pool.execute("DELETE FROM people WHERE id = 8").await;
    let elsewhere = People {
        db: other.db.clone(),
        pool: other.pool.clone(),
    };
    let request = application.request();
    let names = request.scope(async {
        let elsewhere = elsewhere.names().await?;
        Ok::<_, Error>((elsewhere, application.people.names().await?))
    });
    let (there, here) = names.await.unwrap();
    assert_eq!(there, ["ada"]);
    assert_eq!(here, ["ada", "bob"]);
}
