//! A connection that has done its statement serves the next one, and the application's own statements on
//! the same pool do not wait for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use clearance::{
    Access, Db, Dto, Entity, Error, Key, RequestContext, Result, Sessions, SourceError, Subject,
    System, Viewer, ViewerSource, async_trait, repository, verify_session,
};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use http::HeaderMap;
use sqlx::pool::{Pool, PoolConnection, PoolOptions};
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

/// An application that counts how often a connection is taken from its pool.
struct Application {
    people: People,
    sessions: Sessions<Reader>,
    headers: HeaderMap,
    taken: Arc<AtomicUsize>,
    _database: Database,
}

impl Application {
    /// One whose pool has one connection.
    async fn new() -> Self {
        Self::with(1, LONG).await
    }

    async fn with(connections: u32, wait: Duration) -> Self {
        let database = database(SCHEMA).await;
        database.db.migrate().await.unwrap();
        let taken: Arc<AtomicUsize> = Arc::default();
        let options = Counting {
            connections,
            wait,
            taken: Arc::clone(&taken),
        };
        let pool = options.connect(&database.url).await;
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

/// Long enough for any machine; whoever keeps a connection fails the test after it.
const LONG: Duration = Duration::from_secs(10);

/// A pool that counts.
struct Counting {
    connections: u32,
    wait: Duration,
    taken: Arc<AtomicUsize>,
}

impl Counting {
    async fn connect(self, url: &str) -> TestPool {
        match engine() {
            Engine::Sqlite => TestPool::Sqlite(self.options().connect(url).await.unwrap()),
            Engine::Postgres => TestPool::Postgres(self.options().connect(url).await.unwrap()),
            Engine::Mysql => TestPool::Mysql(self.options().connect(url).await.unwrap()),
        }
    }

    fn options<DB: sqlx::Database>(self) -> PoolOptions<DB> {
        let taken = self.taken;
        PoolOptions::new()
            .max_connections(self.connections)
            .acquire_timeout(self.wait)
            .before_acquire(move |_, _| {
                taken.fetch_add(1, Ordering::SeqCst);
                async { Ok(true) }.boxed()
            })
    }
}

/// Takes so many connections of the application at once, and gives them back.
async fn all_of(pool: &TestPool, count: usize) {
    match pool {
        TestPool::Sqlite(pool) => taken_at_once(pool, count).await,
        TestPool::Postgres(pool) => taken_at_once(pool, count).await,
        TestPool::Mysql(pool) => taken_at_once(pool, count).await,
    }
}

async fn taken_at_once<DB: sqlx::Database>(pool: &Pool<DB>, count: usize) {
    let taken = join_all((0..count).map(|_| pool.acquire())).await;
    assert!(taken.iter().all(Result::is_ok), "they were kept");
}

/// Takes the connection of the application and gives it back.
async fn acquire(pool: &TestPool) {
    match pool {
        TestPool::Sqlite(pool) => drop(pool.acquire().await.unwrap()),
        TestPool::Postgres(pool) => drop(pool.acquire().await.unwrap()),
        TestPool::Mysql(pool) => drop(pool.acquire().await.unwrap()),
    }
}

/// How many statements a request of these tests has: for its session, its viewer and its rows.
const STATEMENTS: usize = 3;

#[tokio::test]
async fn vs_02_a_connection_that_has_done_its_statement_serves_the_next() {
    const REQUESTS: usize = 20;
    let application = Application::with(2, LONG).await;
    let before = application.taken.load(Ordering::SeqCst);
    for _ in 0..REQUESTS {
        let names = application.request().scope(application.people.names());
        assert_eq!(names.await.unwrap(), ["ada", "bob"]);
    }
    let taken = application.taken.load(Ordering::SeqCst) - before;
    assert!(taken * 4 < REQUESTS * STATEMENTS * 3, "{taken}");
}

#[tokio::test]
async fn vs_02_the_only_connection_of_a_pool_goes_back_after_each_statement() {
    let application = Application::new().await;
    let before = application.taken.load(Ordering::SeqCst);
    for _ in 0..5 {
        let names = application.request().scope(application.people.names());
        assert_eq!(names.await.unwrap(), ["ada", "bob"]);
    }
    let taken = application.taken.load(Ordering::SeqCst) - before;
    assert_eq!(taken, 5 * STATEMENTS);
}

#[tokio::test]
async fn vs_02_the_only_connection_serves_whoever_of_the_library_waits() {
    const REQUESTS: usize = 20;
    let application = Application::new().await;
    let before = application.taken.load(Ordering::SeqCst);
    let names = (0..REQUESTS).map(|_| {
        let request = application.request();
        let people = &application.people;
        async move { request.scope(people.names()).await.unwrap() }
    });
    assert_eq!(join_all(names).await.len(), REQUESTS);
    let taken = application.taken.load(Ordering::SeqCst) - before;
    assert!(taken * 4 < REQUESTS * STATEMENTS * 3, "{taken}");
}

#[tokio::test]
async fn vs_02_the_application_has_its_turn_while_statements_of_the_library_wait() {
    let application = Arc::new(Application::new().await);
    let done = Arc::new(AtomicBool::new(false));
    let asking = (0..8).map(|_| {
        let (application, done) = (Arc::clone(&application), Arc::clone(&done));
        tokio::spawn(async move {
            while !done.load(Ordering::SeqCst) {
                let request = application.request();
                request.scope(application.people.names()).await.unwrap();
            }
        })
    });
    let asking: Vec<_> = asking.collect();
    for _ in 0..3 {
        acquire(&application.people.pool).await;
    }
    done.store(true, Ordering::SeqCst);
    for asking in asking {
        asking.await.unwrap();
    }
}

#[tokio::test]
async fn vs_02_a_connection_that_nobody_wants_goes_back_to_its_pool() {
    let application = Application::with(2, LONG).await;
    let pool = &application.people.pool;
    for _ in 0..5 {
        let names = application.request().scope(application.people.names());
        names.await.unwrap();
        all_of(pool, 2).await;
    }
}

/// Whoever waits for its turn, and whoever waits at the pool.
#[tokio::test]
async fn vs_02_who_waits_longer_than_the_pool_says_is_told_so() {
    let application = Application::with(1, Duration::from_millis(50)).await;
    let access = Access::<System>::system("a test of connections").unwrap();
    let names = || {
        let reader = application.people.db.reader(&access);
        async move { reader.all(Name::select()).await.unwrap_err() }
    };
    let held = match &application.people.pool {
        TestPool::Sqlite(pool) => Held::Sqlite(pool.acquire().await.unwrap()),
        TestPool::Postgres(pool) => Held::Postgres(pool.acquire().await.unwrap()),
        TestPool::Mysql(pool) => Held::Mysql(pool.acquire().await.unwrap()),
    };
    for error in <[_; 3]>::from(tokio::join!(names(), names(), names())) {
        assert!(error.is_unavailable(), "{error:?}");
    }
    drop(held);
    let reader = application.people.db.reader(&access);
    assert_eq!(reader.all(Name::select()).await.unwrap().len(), 2);
}

#[expect(dead_code, reason = "held until the test lets it go")]
enum Held {
    Sqlite(PoolConnection<sqlx::Sqlite>),
    Postgres(PoolConnection<sqlx::Postgres>),
    Mysql(PoolConnection<sqlx::MySql>),
}

/// The way back to a pool is a task, which wants a runtime.
#[test]
fn vs_02_a_database_may_be_dropped_where_no_runtime_is() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let application = runtime.block_on(async {
        let application = Application::with(2, LONG).await;
        let names = application.request().scope(application.people.names());
        names.await.unwrap();
        application
    });
    let Application {
        people, sessions, ..
    } = application;
    drop((people, sessions));
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

#[tokio::test(flavor = "multi_thread")]
async fn vs_02_a_connection_is_not_kept_from_who_blocks_a_thread() {
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
