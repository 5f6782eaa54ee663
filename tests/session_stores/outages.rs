//! A server that goes away while it is asked is an outage, never an answer.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use clearance::session::{RedisSessionStore, SessionStore, StoreError};
use futures_util::future::join_all;
use sqlx::AssertSqlSafe;

use crate::engines::{Database, TestPool};
use crate::redis_server::RedisServer;
use crate::stores::{is_redis, store};
use crate::support::{record, start};

const OUTAGE: StoreError = StoreError::outage();

/// Callers that ask for the session of number 1 again and again, until each has met an outage.
struct Callers {
    answered: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Callers {
    fn ask(store: &Arc<dyn SessionStore>, over: &Arc<AtomicBool>) -> Self {
        let answered = Arc::new(AtomicU64::new(0));
        let tasks = (0..8).map(|caller| {
            let (store, answered) = (Arc::clone(store), Arc::clone(&answered));
            let over = Arc::clone(over);
            tokio::spawn(async move {
                let session = record(1, "ada");
                while !over.load(Ordering::SeqCst) {
                    let outcome = if caller % 2 == 0 {
                        let found = store.load(session.id, start()).await;
                        found.map(|found| found.as_ref() == Some(&session))
                    } else {
                        store.touch(&session).await
                    };
                    match outcome {
                        Ok(is_there) => assert!(is_there, "an outage was taken for an answer"),
                        Err(error) => {
                            assert_eq!(error, OUTAGE);
                            over.store(true, Ordering::SeqCst);
                        }
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            })
        });
        Self {
            tasks: tasks.collect(),
            answered,
            over: Arc::clone(over),
        }
    }

    /// Returns in the middle of their calls, or when they are over.
    async fn are_at_it(&self) {
        let wanted = self.answered.load(Ordering::SeqCst) + 20;
        let is_over = || self.over.load(Ordering::SeqCst);
        while self.answered.load(Ordering::SeqCst) < wanted && !is_over() {
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

/// Ends every connection to the database but the one that does it.
#[expect(clippy::disallowed_methods, reason = "a test ends connections")]
async fn cut(database: &Database) {
    match &database.pool {
        TestPool::Sqlite(_) => database.db.close().await,
        TestPool::Postgres(pool) => {
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
            let _ = sqlx::query(cut).execute(pool).await;
        }
        TestPool::Mysql(pool) => {
            let open = "SELECT id FROM information_schema.processlist \
                        WHERE db = database() AND id <> connection_id()";
            let open: Vec<i64> = sqlx::query_scalar(open)
                .fetch_all(pool)
                .await
                .unwrap_or_default();
            for id in open {
                let kill = AssertSqlSafe(format!("KILL {id}"));
                let _ = sqlx::raw_sql(kill).execute(pool).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_6_connections_that_are_cut_in_the_middle_of_calls_are_an_outage() {
    let session = record(1, "ada");
    let over = Arc::new(AtomicBool::new(false));
    if is_redis() {
        let mut server = RedisServer::start();
        let store = RedisSessionStore::connect(&server.url()).await.unwrap();
        let store: Arc<dyn SessionStore> = Arc::new(store);
        store.create(&session, None).await.unwrap();
        let callers = Callers::ask(&store, &over);
        callers.are_at_it().await;
        server.kill();
        callers.end().await;
        assert_eq!(store.load(session.id, start()).await, Err(OUTAGE));
        assert_eq!(store.create(&record(2, "ada"), None).await, Err(OUTAGE));
        assert!(server.start_again());
        assert_eq!(store.load(session.id, start()).await, Ok(Some(session)));
        return assert!(store.touch(&record(1, "ada")).await.unwrap());
    }
    let fresh = store().await;
    let database = fresh.database.as_ref().unwrap();
    fresh.store.create(&session, None).await.unwrap();
    let callers = Callers::ask(&fresh.store, &over);
    while !over.load(Ordering::SeqCst) {
        callers.are_at_it().await;
        cut(database).await;
    }
    callers.end().await;
    match &database.pool {
        // A file has no connection that could be had again.
        TestPool::Sqlite(_) => {
            assert_eq!(fresh.store.load(session.id, start()).await, Err(OUTAGE));
        }
        TestPool::Postgres(_) | TestPool::Mysql(_) => {
            // A connection that was cut while it was idle is found out by whoever takes it.
            while fresh.store.load(session.id, start()).await == Err(OUTAGE) {}
            let found = fresh.store.load(session.id, start()).await;
            assert_eq!(found, Ok(Some(session)));
        }
    }
}

#[tokio::test]
async fn rf_6_connections_that_are_cut_while_nobody_asks_are_noticed_by_nobody() {
    let session = record(1, "ada");
    if is_redis() {
        let mut server = RedisServer::start();
        let store = RedisSessionStore::connect(&server.url()).await.unwrap();
        store.create(&session, None).await.unwrap();
        server.kill();
        assert!(server.start_again());
        return assert_eq!(store.load(session.id, start()).await, Ok(Some(session)));
    }
    let fresh = store().await;
    fresh.store.create(&session, None).await.unwrap();
    let database = fresh.database.as_ref().unwrap();
    if let TestPool::Postgres(_) | TestPool::Mysql(_) = database.pool {
        database.pool.rest().await;
        cut(database).await;
    }
    let found = fresh.store.load(session.id, start()).await;
    assert_eq!(found, Ok(Some(session)));
}

#[tokio::test]
async fn rf_6_a_redis_that_falls_silent_is_an_outage_after_two_seconds() {
    let server = SilentServer::start();
    let store = RedisSessionStore::connect(&server.url).await.unwrap();
    server.is_silent.store(true, Ordering::SeqCst);
    // Time in which nobody has anything to do passes at once.
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    let calls = (0..20).map(|_| store.load(record(1, "ada").id, start()));
    for answer in join_all(calls).await {
        assert_eq!(answer, Err(OUTAGE));
    }
    assert_eq!(before.elapsed().as_secs(), 2);
    tokio::time::resume();
    // It is not waited for on the connection that fell silent: whoever comes next has another one.
    server.is_silent.store(false, Ordering::SeqCst);
    let malformed = store.load(record(1, "ada").id, start()).await;
    assert_eq!(malformed, Err(StoreError::malformed()));
}

/// Greets as Redis does, and says nothing else that makes sense.
struct SilentServer {
    url: String,
    is_silent: Arc<AtomicBool>,
}

impl SilentServer {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("redis://{}/", listener.local_addr().unwrap());
        let is_silent = Arc::new(AtomicBool::new(false));
        let silent = Arc::clone(&is_silent);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let silent = Arc::clone(&silent);
                std::thread::spawn(move || answer(&connection.unwrap(), &silent));
            }
        });
        Self { url, is_silent }
    }
}

/// Answers each command, which is an array and so begins with a line of `*`. A connection on which
/// it once was silent stays so.
fn answer(mut connection: &TcpStream, is_silent: &AtomicBool) {
    let mut lines = BufReader::new(connection).lines();
    while let Some(Ok(line)) = lines.next() {
        if line.starts_with('*') {
            if is_silent.load(Ordering::SeqCst) {
                return lines.for_each(drop);
            }
            // Whoever asked may have gone.
            drop(connection.write_all(b"+PONG\r\n"));
        }
    }
}
