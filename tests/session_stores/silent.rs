//! A database that is silent, and not gone, is an outage after a while.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clearance::Db;
use clearance::session::{Created, SessionLimit, SessionStore, StoreError};
use futures_util::future::join_all;
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;

use crate::engines::TestPool;
use crate::stores::{Fresh, store};
use crate::support::{record, start};

const OUTAGE: StoreError = StoreError::outage();

#[tokio::test]
async fn rf_6_a_database_that_falls_silent_is_an_outage_after_five_seconds() {
    let Some((_fresh, proxy)) = proxy().await else {
        return;
    };
    let (db, pool) = proxy.database().await;
    let limit = SessionLimit::EvictOldest(NonZeroU32::MIN);
    let store = db.session_store();
    let session = record(1, "ada");
    store.create(&session, None).await.unwrap();
    is_back(&pool).await;
    proxy.is_silent.store(true, Ordering::SeqCst);
    // Time in which nobody has anything to do passes at once.
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    // There is one connection: one caller waits for an answer, and the others for that connection.
    let found = (0..10).map(|_| store.load(session.id, start()));
    let found = join_all(found);
    let (other, third) = (record(2, "ada"), record(3, "ada"));
    let created = store.create(&other, None);
    let limited = store.create(&third, Some(limit));
    let touched = store.touch(&session);
    let listed = store.list(&session.subject, start());
    let (found, created, limited, touched, listed) =
        tokio::join!(found, created, limited, touched, listed);
    assert!(found.iter().all(|found| *found == Err(OUTAGE)));
    assert_eq!(created, Err(OUTAGE));
    assert_eq!(limited, Err(OUTAGE));
    assert_eq!(touched, Err(OUTAGE));
    assert_eq!(listed, Err(OUTAGE));
    assert_eq!(before.elapsed().as_secs(), 5);
    tokio::time::resume();
    // The connection that fell silent is not waited for: whoever comes next has another one.
    proxy.is_silent.store(false, Ordering::SeqCst);
    assert_eq!(store.load(session.id, start()).await, Ok(Some(session)));
    let limited = store.create(&third, Some(limit)).await;
    assert!(matches!(limited, Ok(Created::Stored(_))));
}

#[tokio::test]
async fn rf_6_a_transaction_of_a_database_that_falls_silent_is_given_up() {
    let Some((_fresh, proxy)) = proxy().await else {
        return;
    };
    let (db, pool) = proxy.database().await;
    let store = db.session_store().timeout(Duration::from_secs(9));
    let limit = Some(SessionLimit::EvictOldest(NonZeroU32::MIN));
    store.create(&record(1, "ada"), limit).await.unwrap();
    is_back(&pool).await;
    proxy.is_silent.store(true, Ordering::SeqCst);
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    let session = record(2, "ada");
    assert_eq!(store.create(&session, limit).await, Err(OUTAGE));
    assert_eq!(before.elapsed().as_secs(), 9);
    tokio::time::resume();
    proxy.is_silent.store(false, Ordering::SeqCst);
    assert_eq!(store.load(session.id, start()).await, Ok(None));
}

/// A proxy before a fresh database; none before a file, which does not fall silent, and for Redis.
async fn proxy() -> Option<(Fresh, Proxy)> {
    let fresh = store().await;
    let proxy = Proxy::before(&fresh.database.as_ref()?.url)?;
    Some((fresh, proxy))
}

/// How many bytes a ping has, to either server.
const PING: usize = 5;

/// Stands before a database, and can fall silent: it still passes on pings, with which a pool tests
/// a connection, and nothing else. A connection on which it once was silent stays so.
struct Proxy {
    url: String,
    is_silent: Arc<AtomicBool>,
}

impl Proxy {
    fn before(url: &str) -> Option<Self> {
        let (before, rest) = url.split_once('@')?;
        let (server, database) = rest.split_once('/')?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let own = listener.local_addr().unwrap();
        let is_silent = Arc::new(AtomicBool::new(false));
        let (silent, server) = (Arc::clone(&is_silent), server.to_owned());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let asking = connection.unwrap();
                let answering = TcpStream::connect(&server).unwrap();
                let (from, to) = (asking.try_clone().unwrap(), answering.try_clone().unwrap());
                let silent = Arc::clone(&silent);
                std::thread::spawn(move || pass_on(from, to, || silent.load(Ordering::SeqCst)));
                std::thread::spawn(move || pass_on(answering, asking, || false));
            }
        });
        Some(Self {
            url: format!("{before}@{own}/{database}"),
            is_silent,
        })
    }

    /// The database behind it, by one connection.
    async fn database(&self) -> (Db, TestPool) {
        let reason = "a test behind a proxy";
        if self.url.starts_with("postgres") {
            let pool = PgPoolOptions::new().max_connections(1);
            let pool = pool.connect(&self.url).await.unwrap();
            let db = Db::unguarded_pool(pool.clone(), reason);
            (db, TestPool::Postgres(pool))
        } else {
            let pool = MySqlPoolOptions::new().max_connections(1);
            let pool = pool.connect(&self.url).await.unwrap();
            let db = Db::unguarded_pool(pool.clone(), reason);
            (db, TestPool::Mysql(pool))
        }
    }
}

/// Returns when the pool has its connection back: it asks the server something before.
async fn is_back(pool: &TestPool) {
    let idle = || match pool {
        TestPool::Sqlite(pool) => pool.num_idle(),
        TestPool::Postgres(pool) => pool.num_idle(),
        TestPool::Mysql(pool) => pool.num_idle(),
    };
    while idle() == 0 {
        tokio::task::yield_now().await;
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, is_silent: impl Fn() -> bool) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if is_silent() && count > PING {
            while let Ok(1..) = from.read(&mut bytes) {}
            break;
        }
        if to.write_all(bytes.get(..count).unwrap()).is_err() {
            break;
        }
    }
    // Whoever is gone has the other one go too.
    let _ = to.shutdown(Shutdown::Both);
}
