//! The keys of the store in Redis: how many sessions one step goes through, and what becomes of sessions
//! when a key is gone, as by an eviction, or is not what it should be.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::num::NonZeroU32;

use chrono::{DateTime, TimeDelta, Utc};
use clearance::Subject;
use clearance::session::{
    Created, DataKept, RedisSessionStore, Replaced, SessionLimit, SessionRecord, SessionStore as _,
    StoreError,
};

use crate::redis_server::RedisServer;
use crate::support::{id, living, record, start};

/// A server of one test, the store in it, and a connection past the store.
struct Rig {
    store: RedisSessionStore,
    past: redis::Connection,
    server: RedisServer,
}

impl Rig {
    async fn start() -> Self {
        let server = RedisServer::start();
        let client = redis::Client::open(server.url()).unwrap();
        Self {
            store: RedisSessionStore::connect(&server.url()).await.unwrap(),
            past: client.get_connection().unwrap(),
            server,
        }
    }

    fn do_it(&mut self, command: &str) {
        let mut words = command.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        words.for_each(|word| {
            command.arg(word);
        });
        command.exec(&mut self.past).unwrap();
    }

    /// All that is stored.
    fn everything(&mut self) -> BTreeMap<String, Vec<u8>> {
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut self.past).unwrap();
        let dump = |key: String| {
            let value = redis::cmd("DUMP").arg(&key).query(&mut self.past).unwrap();
            (key, value)
        };
        keys.into_iter().map(dump).collect()
    }
}

fn ada() -> Subject {
    Subject::new("ada")
}

fn now() -> DateTime<Utc> {
    start() + TimeDelta::seconds(1)
}

/// What each script did since, as the server tells of it: the sessions that it went through.
struct Watched {
    lines: BufReader<TcpStream>,
}

impl Watched {
    fn start(server: &RedisServer) -> Self {
        let address = server.url();
        let address = address.trim_start_matches("redis://").trim_end_matches('/');
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(b"MONITOR\r\n").unwrap();
        let mut lines = BufReader::new(socket);
        let mut greeting = String::new();
        lines.read_line(&mut greeting).unwrap();
        assert_eq!(greeting, "+OK\r\n");
        Self { lines }
    }

    /// The largest number of sessions of one script, up to the command `PING <mark>`.
    fn most_until(self, mark: &str) -> usize {
        let mut of_script: BTreeSet<String> = BTreeSet::new();
        let mut most = 0;
        for line in self.lines.lines() {
            let line = line.unwrap();
            if !line.contains(" lua] ") {
                most = most.max(of_script.len());
                of_script.clear();
                if line.contains(mark) {
                    break;
                }
            }
            let keys = line
                .split('"')
                .filter_map(|word| word.split_once("session:"));
            of_script.extend(keys.map(|(_, id)| id.to_owned()));
        }
        most
    }
}

#[tokio::test]
async fn av_32_however_many_sessions_a_subject_has_redis_is_not_kept_busy_by_them() {
    const MANY: u64 = 1_203;

    let mut rig = Rig::start().await;
    let watched = Watched::start(&rig.server);
    let fill = async |first: u64| {
        for number in first..first + MANY {
            let record = record(number, "ada");
            rig.store.create(&record, None).await.unwrap();
        }
    };
    fill(0).await;
    assert_eq!(living(&rig.store, "ada").await.len(), 1_203);
    // A limit that was not there before.
    let limit = |most| NonZeroU32::new(most).unwrap();
    let newest = record(MANY, "ada");
    let limited = Some(SessionLimit::EvictOldest(limit(2)));
    let Ok(Created::Stored(mut ended)) = rig.store.create(&newest, limited).await else {
        panic!("it was not stored");
    };
    ended.sort();
    assert!(
        ended.into_iter().eq((0..MANY - 1).map(id)),
        "the oldest ones"
    );
    assert_eq!(
        living(&rig.store, "ada").await,
        [newest.id, id(MANY - 1)],
        "the last ones"
    );
    assert_eq!(rig.store.delete_all(&ada(), None).await, Ok(2));
    fill(10_000).await;
    let refused = Some(SessionLimit::Reject(limit(1_203)));
    let created = rig.store.create(&newest, refused).await;
    assert_eq!(created, Ok(Created::LimitReached));
    let ended = rig.store.delete_all(&ada(), Some(id(10_000))).await;
    assert_eq!(ended, Ok(1_202));
    assert_eq!(living(&rig.store, "ada").await, [id(10_000)]);
    fill(20_000).await;
    assert_eq!(rig.store.delete_everyone().await, Ok(1_204));
    fill(30_000).await;
    let end = record(0, "ada").expires_at;
    assert_eq!(rig.store.sweep(end).await, Ok(1_203));
    rig.do_it("PING all-done");
    assert_eq!(
        watched.most_until("all-done"),
        101,
        "a hundred and the new one"
    );
    assert!(rig.everything().is_empty(), "{:?}", rig.everything());
}

/// What whoever holds a session that is over gets.
async fn is_over(store: &RedisSessionStore, record: &SessionRecord, new: u64) {
    assert_eq!(store.load(record.id, now()).await, Ok(None));
    assert_eq!(store.data(record.id, now()).await, Ok(None));
    let kept = store.set_data(record.id, now(), Some(b"x"), None).await;
    assert_eq!(kept, Ok(DataKept::Gone));
    assert_eq!(store.touch(record).await, Ok(false));
    let next = crate::support::record(new, "ada");
    assert_eq!(
        store.replace(record, &next, now()).await,
        Ok(Replaced::Gone)
    );
    let created = store.create_instead_of(record, &next, None).await;
    assert_eq!(created, Ok(Created::OldGone));
}

#[tokio::test]
async fn rf_45_where_a_key_was_evicted_no_session_outlives_its_end() {
    for gone in ["sessions-of:ada", "ends-of:ada", "sessions", "session:"] {
        for everyone in [false, true] {
            let mut rig = Rig::start().await;
            let (first, one, two) = (record(1, "ada"), record(2, "ada"), record(3, "ada"));
            let eve = record(4, "eve");
            for record in [&first, &two, &eve] {
                rig.store.create(record, None).await.unwrap();
            }
            // What led to a session before finds it no more either.
            let replaced = rig.store.replace(&first, &one, now()).await;
            assert_eq!(replaced, Ok(Replaced::Done));
            let key = match gone {
                "session:" => format!("session:{}", one.id),
                _ => gone.to_owned(),
            };
            rig.do_it(&format!("DEL clearance:{key}"));
            if everyone {
                rig.store.delete_everyone().await.unwrap();
                is_over(&rig.store, &eve, 5).await;
            } else {
                rig.store.delete_all(&ada(), None).await.unwrap();
            }
            for record in [&one, &two] {
                is_over(&rig.store, record, 6).await;
            }
            let successor = rig
                .store
                .successor(first.id, first.secret_hash, now())
                .await;
            assert_eq!(successor, Ok(None));
            assert!(living(&rig.store, "ada").await.is_empty());
            // And she can sign in again, with a limit too.
            let limit = Some(SessionLimit::Reject(NonZeroU32::MIN));
            let created = rig.store.create(&record(7, "ada"), limit).await;
            assert_eq!(created, Ok(Created::Stored(Vec::new())), "{gone}");
            assert_eq!(living(&rig.store, "ada").await, [id(7)], "{gone}");
        }
    }
}

/// Everything that writes, by number.
async fn write(store: &RedisSessionStore, number: usize) -> Option<Result<(), StoreError>> {
    let (one, two, new) = (record(1, "ada"), record(2, "ada"), record(9, "ada"));
    let limit = |limit: fn(NonZeroU32) -> SessionLimit| Some(limit(NonZeroU32::MIN));
    let until = start() + TimeDelta::days(2);
    Some(match number {
        0 => store.create(&new, None).await.map(drop),
        1 => store
            .create(&new, limit(SessionLimit::Reject))
            .await
            .map(drop),
        2 => {
            let limit = limit(SessionLimit::EvictOldest);
            store.create(&new, limit).await.map(drop)
        }
        3 => store.create_instead_of(&one, &new, None).await.map(drop),
        4 => {
            let limit = limit(SessionLimit::EvictOldest);
            store.create_instead_of(&one, &new, limit).await.map(drop)
        }
        5 => store.touch(&one).await.map(drop),
        6 => store.replace(&two, &new, now()).await.map(drop),
        7 => store
            .set_data(one.id, now(), Some(b"x"), None)
            .await
            .map(drop),
        8 => store.delete(one.id, &one.subject).await.map(drop),
        9 => store.delete_all(&ada(), None).await.map(drop),
        10 => store.delete_all(&ada(), Some(one.id)).await.map(drop),
        11 => store.delete_everyone().await.map(drop),
        12 => store.deny(one.id, &ada(), until).await.map(drop),
        13 => store.generations(&ada(), 7).await.map(drop),
        14 => store.raise_generation(Some(&ada()), 1).await,
        15 => store.raise_generation(None, 1).await,
        16 => store.raise_generation_from(&ada(), 0, 1).await.map(drop),
        17 => store.cut_off(Some(&ada()), now(), until).await,
        18 => store.sweep(start()).await.map(drop),
        _ => return None,
    })
}

#[tokio::test]
async fn rf_46_a_key_of_another_type_leaves_nothing_half_written() {
    let (one, two) = (record(1, "ada").id, record(2, "ada").id);
    let keys = [
        "sessions-of:ada".to_owned(),
        "ends-of:ada".to_owned(),
        "sessions".to_owned(),
        format!("session:{one}"),
        format!("session:{two}"),
        format!("replaced:{two}"),
        format!("line:{two}"),
        "replaced-ends".to_owned(),
        "ended-sets".to_owned(),
        "cut-offs".to_owned(),
        "cut-off-ends".to_owned(),
        "denials".to_owned(),
        "generations".to_owned(),
    ];
    let mut rig = Rig::start().await;
    let mut failed = 0;
    for key in &keys {
        for number in 0.. {
            rig.do_it("FLUSHALL");
            for record in [record(1, "ada"), record(2, "ada"), record(3, "ada")] {
                rig.store.create(&record, None).await.unwrap();
            }
            rig.do_it(&format!("DEL clearance:{key}"));
            rig.do_it(&format!("XADD clearance:{key} * not ours"));
            let before = rig.everything();
            match write(&rig.store, number).await {
                None => break,
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    assert_eq!(error, StoreError::malformed(), "{key} {number}");
                    assert_eq!(rig.everything(), before, "{key} {number}");
                    failed += 1;
                }
            }
        }
    }
    assert!(failed > keys.len(), "{failed}");
    // A version that is no number is one, too.
    rig.do_it("FLUSHALL");
    rig.store.create(&record(1, "ada"), None).await.unwrap();
    rig.do_it(&format!("HSET clearance:session:{one} data_version x"));
    let before = rig.everything();
    let kept = rig.store.set_data(one, now(), Some(b"x"), None).await;
    assert_eq!(kept, Err(StoreError::malformed()));
    assert_eq!(rig.everything(), before);
}

/// A program that is killed while it removes what it ended leaves the rest to the next sweep.
#[tokio::test]
async fn rf_47_what_was_ended_and_not_removed_is_swept() {
    let mut rig = Rig::start().await;
    for number in 0..150 {
        rig.store
            .create(&record(number, "ada"), None)
            .await
            .unwrap();
    }
    // As the first step of ending them leaves it.
    rig.do_it("SADD clearance:ended-sets name");
    rig.do_it("RENAME clearance:sessions-of:ada clearance:ended:name");
    assert_eq!(rig.store.load(id(0), now()).await, Ok(None));
    assert!(living(&rig.store, "ada").await.is_empty());
    assert_eq!(rig.store.sweep(start()).await, Ok(150));
    assert!(rig.everything().is_empty());
}

#[tokio::test]
async fn rf_48_what_is_kept_when_all_are_ended_goes_on() {
    let rig = Rig::start().await;
    for keep in [Some(1), Some(2), Some(5), Some(9), None] {
        for number in 0..3 {
            rig.store
                .create(&record(number, "ada"), None)
                .await
                .unwrap();
        }
        // Somebody else's, which is nothing that could be kept.
        rig.store.create(&record(5, "eve"), None).await.unwrap();
        let kept: Vec<_> = keep.filter(|keep| *keep < 3).map(id).into_iter().collect();
        let ended = rig.store.delete_all(&ada(), keep.map(id)).await.unwrap();
        assert_eq!(ended, 3 - kept.len() as u64, "{keep:?}");
        assert_eq!(living(&rig.store, "ada").await, kept);
        assert_eq!(living(&rig.store, "eve").await, [id(5)]);
        for kept in kept {
            assert!(rig.store.load(kept, now()).await.unwrap().is_some());
            // Alone it is not ended, and counts.
            assert_eq!(rig.store.delete_all(&ada(), Some(kept)).await, Ok(0));
            let limit = Some(SessionLimit::Reject(NonZeroU32::MIN));
            let created = rig.store.create(&record(7, "ada"), limit).await;
            assert_eq!(created, Ok(Created::LimitReached));
        }
        rig.store.delete_everyone().await.unwrap();
    }
}
