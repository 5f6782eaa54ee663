//! Servers that answer, and cannot do what they are asked: a standby that only reads, a Redis without room, a MariaDB that
//! prepares no more statements. `cargo xtask faults` names one of them in `FAULTS_CONDITION`.

#![expect(
    clippy::disallowed_methods,
    reason = "the server is asked about itself, past the library"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use clearance::{Access, Db, Dto, Entity, Key, Subject};
use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::load::{Dice, Load};
use crate::tally::{Calls, Phase};
use crate::{Member, RECOVERY, TASKS, beside, every_task, examine, fill, sessions};

/// So many things each task has users do in one state of the server.
const STEPS: usize = 200;

/// Tells whether nothing was wrong.
pub(crate) async fn run(condition: &str, url: &str) -> bool {
    match condition {
        "standby" => {
            let standby = std::env::var("FAULTS_STANDBY_URL");
            standby_that_takes_over(url, &standby.expect("the lane names a standby")).await
        }
        "full" => full(url).await,
        "statements" => statements(url).await,
        condition => panic!("the lane says `{condition}`"),
    }
}

/// Has users do things while the server is so.
async fn step(load: &Arc<Load>, server: &str) -> Calls {
    every_task(|task| {
        let load = Arc::clone(load);
        async move {
            let mut dice = Dice::of(task);
            for _ in 0..STEPS {
                load.step(task, &mut dice).await;
            }
        }
    })
    .await;
    load.tally.report_calls(server)
}

/// Every session that there was is asked for, in the store.
async fn ask_all(load: &Arc<Load>) {
    examine(load).await.report();
    // Those calls are no part of what comes next.
    let _ = load.tally.report_calls("  of these");
}

impl Load {
    fn require(&self, holds: bool, what: &str) {
        if !holds {
            self.tally.wrong(what.to_owned());
        }
    }
}

/// The application is led to the standby of its server, as when that server is gone. It answers with what is
/// there and changes nothing, until it is made the server.
async fn standby_that_takes_over(primary: &str, standby: &str) -> bool {
    let key = Key::generate().unwrap();
    let db = Db::connect(primary).await.unwrap();
    db.migrate().await.unwrap();
    let mut load = Arc::new(Load::new(beside(key.clone(), &db).unwrap()));
    fill(&load).await;
    let _ = step(&load, "the server itself").await;

    let mut primary = sqlx::PgConnection::connect(primary).await.unwrap();
    let written: String = sqlx::query_scalar("SELECT pg_current_wal_lsn()::text")
        .fetch_one(&mut primary)
        .await
        .unwrap();
    let mut other = sqlx::PgConnection::connect(standby).await.unwrap();
    let begun = Instant::now();
    let has_all = "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn";
    while !sqlx::query_scalar::<_, bool>(has_all)
        .bind(&written)
        .fetch_one(&mut other)
        .await
        .unwrap()
    {
        assert!(begun.elapsed() < RECOVERY, "the standby does not follow");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let db = Db::connect(standby).await.unwrap();
    let led = Arc::get_mut(&mut load).expect("nobody is at work");
    led.sessions = beside(key, &db).unwrap();
    let calls = step(&load, "its standby, which only reads").await;
    load.require(
        calls.lookups_unavailable() == 0,
        "a lookup failed where only reading is possible",
    );
    load.require(
        calls.changes_answered() == 0,
        "a change was answered where only reading is possible",
    );
    load.require(calls.changes_unavailable() > 0, "nothing was tried");
    ask_all(&load).await;

    let promoted = sqlx::query_scalar::<_, bool>("SELECT pg_promote(true, 60)");
    assert!(promoted.fetch_one(&mut other).await.unwrap());
    load.tally.enter(Phase::Coming);
    load.tally.enter(Phase::Up);
    let calls = step(&load, "the standby, made the server").await;
    load.require(
        calls.lookups_unavailable() + calls.changes_unavailable() == 0,
        "a call failed after the standby was made the server",
    );
    load.require(calls.changes_answered() > 0, "nothing was changed");
    ask_all(&load).await;
    load.tally.end()
}

/// A Redis that has no room for more: first it takes nothing new, then it removes what it likes.
async fn full(url: &str) -> bool {
    let client = redis::Client::open(url).unwrap();
    let mut server = client.get_multiplexed_async_connection().await.unwrap();
    let mut load = Load::new(sessions(url).await.unwrap());
    load.may_forget = true;
    let load = Arc::new(load);
    fill(&load).await;
    let _ = step(&load, "room enough").await;

    let used = info(&mut server, "memory", "used_memory").await;
    set(&mut server, "maxmemory", &(used / 2).to_string()).await;
    let calls = step(&load, "no room, and nothing may be removed").await;
    load.require(
        calls.lookups_unavailable() == 0,
        "a lookup failed without room",
    );
    load.require(
        calls.changes_unavailable() > 0,
        "there was room for every change",
    );
    set(&mut server, "maxmemory", "0").await;
    ask_all(&load).await;

    set(&mut server, "maxmemory-policy", "allkeys-random").await;
    let used = info(&mut server, "memory", "used_memory").await;
    set(&mut server, "maxmemory", &(used - used / 8).to_string()).await;
    let calls = step(&load, "no room, and anything may be removed").await;
    let removed = info(&mut server, "stats", "evicted_keys").await;
    println!("  removed       {removed} keys by the server");
    load.require(removed > 0, "the server removed nothing");
    load.require(
        calls.lookups_unavailable() == 0,
        "a lookup failed where keys are removed",
    );
    ask_all(&load).await;

    every_task(|task| {
        let load = Arc::clone(&load);
        async move { load.revoke_everything(task, TASKS).await }
    })
    .await;
    let _ = load.tally.report_calls("all sessions of each user ended");
    ask_all(&load).await;
    load.tally.end()
}

async fn info(server: &mut redis::aio::MultiplexedConnection, section: &str, name: &str) -> u64 {
    let text: String = redis::cmd("INFO")
        .arg(section)
        .query_async(server)
        .await
        .unwrap();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap().trim().parse().unwrap()
}

async fn set(server: &mut redis::aio::MultiplexedConnection, name: &str, value: &str) {
    let () = redis::cmd("CONFIG")
        .arg("SET")
        .arg(name)
        .arg(value)
        .query_async(server)
        .await
        .unwrap();
}

#[derive(Entity)]
#[entity(
    table = "fault_items",
    viewer = Member,
    rows = open,
    reason = "the statements are under test"
)]
struct Item {
    #[entity(key)]
    id: i64,
    name: String,
}

#[derive(Dto)]
#[dto(entity = Item, default = visible)]
struct ItemView {
    id: i64,
    name: String,
}

/// As many nodes as an application has.
const NODES: usize = 8;
/// As long as a list in one text gets.
const LONGEST: i64 = 1_000;

/// Clients that ask in any lengths leave the server statements for others. Where another application leaves none,
/// what needs one is an outage, and is over with it.
async fn statements(url: &str) -> bool {
    let load = Arc::new(Load::new(sessions(url).await.unwrap()));
    fill(&load).await;
    let mut server = sqlx::MySqlConnection::connect(url).await.unwrap();
    let table = "CREATE TABLE fault_items (id BIGINT PRIMARY KEY, name VARCHAR(20) NOT NULL)";
    server.execute(table).await.unwrap();
    let most = status(&mut server, "SHOW VARIABLES LIKE 'max_prepared_stmt_count'").await;

    let flood = join_all((0..NODES).map(|_| every_length(url)));
    let (nodes, calls) = tokio::join!(flood, step(&load, "lists of any length from eight nodes"));
    let held = status(&mut server, PREPARED).await;
    println!("  prepared      {held} of {most} statements");
    load.require(
        held < most / 2,
        "a client takes the statements of the server",
    );
    load.require(
        calls.lookups_unavailable() + calls.changes_unavailable() == 0,
        "a call failed beside a client who asks for lists of any length",
    );
    drop(nodes);

    let mut others = Vec::new();
    'taken: loop {
        let options = url.parse::<sqlx::mysql::MySqlConnectOptions>().unwrap();
        let options = options.statement_cache_capacity(usize::MAX);
        let mut other = sqlx::MySqlConnection::connect_with(&options).await.unwrap();
        for number in 0..2_000 {
            let asked = AssertSqlSafe(format!("SELECT {number}"));
            if let Err(error) = sqlx::query(asked).execute(&mut other).await {
                println!("another application has taken what is left: {error}");
                others.push(other);
                break 'taken;
            }
        }
        others.push(other);
    }
    let _ = step(&load, "no statement is left").await;
    // What the connections keep goes on; who comes new has nothing.
    let late = Db::connect(url).await.unwrap();
    let late = beside(Key::generate().unwrap(), &late).unwrap();
    let refused = late.create(&Subject::new("late")).await;
    load.require(
        refused.is_err_and(|error| error.is_unavailable()),
        "where no statement is left a sign-in was no outage",
    );
    for other in others {
        other.close().await.unwrap();
    }
    load.tally.enter(Phase::Coming);
    load.tally.enter(Phase::Up);
    let calls = step(&load, "the other application is gone").await;
    load.require(
        calls.lookups_unavailable() + calls.changes_unavailable() == 0,
        "a call failed after the other application was gone",
    );
    ask_all(&load).await;
    load.tally.end()
}

const PREPARED: &str = "SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'";

async fn status(server: &mut sqlx::MySqlConnection, asked: &'static str) -> u64 {
    let row: (String, String) = sqlx::query_as(asked).fetch_one(server).await.unwrap();
    row.1.parse().unwrap()
}

/// A node that was asked for lists of each length, by as many at once as it has connections.
async fn every_length(url: &str) -> Db {
    let db = Db::connect(url).await.unwrap();
    let access = Access::system("the statements are under test").unwrap();
    let ask = async |first: i64| {
        for length in (first..=LONGEST).step_by(10) {
            let list: Vec<i64> = (0..length).collect();
            let query = ItemView::select().filter(ItemView::ID.is_in(list));
            let _ = db.reader(&access).all(query).await.unwrap();
        }
    };
    let _ = join_all((1..=10).map(ask)).await;
    db
}
