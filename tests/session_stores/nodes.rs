//! What one node knows of what another one did. The clock stands still unless a test moves it, so
//! that what a node learns meanwhile it learned from its channel.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Once};
use std::time::Duration;

use clearance::session::nodes::{ChannelHealth, NodeChannel as _, RedisChannel};
use clearance::session::{MemorySessionStore, SessionsBuilder, Strategy};
use clearance::token::KeyRing;
use clearance::{Clock as _, Key, Sessions, Subject};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::engines::TestPool;
use crate::node::{BOUND, Cluster, Gate, Member, Members, Node, Passage, channel, key, until};
use crate::redis_server::RedisServer;
use crate::stores::{fresh, is_redis};

const HOUR: Duration = Duration::from_secs(3600);

fn ada() -> Subject {
    Subject::new("ada")
}

#[tokio::test]
async fn rf_4_without_a_channel_a_node_learns_within_the_bound() {
    let cluster = Cluster::new().await;
    let (one, other) = (cluster.node(|it| it), cluster.node(|it| it));
    assert_eq!(other.channel(), ChannelHealth::None);
    assert_eq!(other.sessions.health().bound, BOUND);
    let cookie = one.sign_in("ada").await;
    assert!(other.role(&cookie).await.is_some());
    one.sessions.revoke_all(&ada()).await.unwrap();
    assert_eq!(one.role(&cookie).await, None);
    cluster.clock.advance(BOUND - Duration::from_micros(1));
    assert!(other.role(&cookie).await.is_some());
    cluster.clock.advance(Duration::from_micros(1));
    assert_eq!(other.role(&cookie).await, None);
}

#[tokio::test]
async fn rf_4_with_a_channel_a_node_learns_while_no_time_passes() {
    let cluster = Cluster::new().await;
    let (one, other) = (
        cluster.connected(&Gate::open()).await,
        cluster.connected(&Gate::open()).await,
    );
    let cookie = one.sign_in("ada").await;
    assert_eq!(other.role(&cookie).await.unwrap(), "user");
    let admin = ("ada".to_owned(), "admin".to_owned());
    cluster.members.roles.lock().unwrap().extend([admin]);
    assert_eq!(other.role(&cookie).await.unwrap(), "user");
    one.sessions.viewer_changed(&ada());
    while other.role(&cookie).await.unwrap() == "user" {}
    one.sessions.revoke_all(&ada()).await.unwrap();
    while other.role(&cookie).await.is_some() {}
    assert_eq!(one.role(&cookie).await, None);
}

#[tokio::test]
async fn rf_4_a_node_that_lost_its_channel_falls_back_to_the_bound_and_says_so() {
    Events::collect();
    let cluster = Cluster::new().await;
    let (gate, clock) = (Gate::open(), &cluster.clock);
    let one = cluster.connected(&Gate::open()).await;
    let other = cluster.connected(&gate).await;
    let [ada_cookie, eve_cookie] = [one.sign_in("ada").await, one.sign_in("eve").await];
    for cookie in [&ada_cookie, &eve_cookie] {
        assert!(other.role(cookie).await.is_some());
    }
    Events::clear();

    gate.set(Passage::Broken);
    other.is_lost().await;
    assert_eq!(other.channel(), ChannelHealth::Lost { since: clock.now() });
    assert_eq!(Events::all(), ["channel lost"]);
    one.sessions.revoke_all(&ada()).await.unwrap();
    clock.advance(BOUND - Duration::from_micros(1));
    assert!(other.role(&ada_cookie).await.is_some());
    clock.advance(Duration::from_micros(1));
    assert_eq!(other.role(&ada_cookie).await, None);
    assert!(other.role(&eve_cookie).await.is_some());

    // What is said while nobody listens is made up for by loading everything again.
    one.sessions.revoke_all(&Subject::new("eve")).await.unwrap();
    assert!(other.role(&eve_cookie).await.is_some());
    gate.set(Passage::Open);
    other.is_connected().await;
    assert_eq!(other.role(&eve_cookie).await, None);
    assert!(Events::have("channel connected"));
}

#[tokio::test]
async fn rf_4_what_a_node_could_not_tell_it_tells_when_the_channel_is_back() {
    let cluster = Cluster::new().await;
    let gate = Gate::open();
    let one = cluster.connected(&gate).await;
    let other = cluster.connected(&Gate::open()).await;
    let cookie = one.sign_in("ada").await;
    assert!(other.role(&cookie).await.is_some());
    gate.set(Passage::Mute);
    one.sessions.revoke_all(&ada()).await.unwrap();
    one.is_lost().await;
    assert!(other.role(&cookie).await.is_some());
    gate.set(Passage::Open);
    while other.role(&cookie).await.is_some() {}
}

#[tokio::test]
async fn rf_31_over_every_store_to_end_all_is_seen_by_all_nodes() {
    let cluster = Cluster::new().await;
    let stateless = |builder: SessionsBuilder<Member>| builder.strategy(Strategy::Stateless);
    let (one, other) = (cluster.node(stateless), cluster.node(stateless));
    for everyone in [false, true] {
        let old = other.sign_in("ada").await;
        let eve = other.sign_in("eve").await;
        assert!(one.role(&old).await.is_some());
        if everyone {
            one.sessions.revoke_everyone().await.unwrap();
        } else {
            one.sessions.revoke_all(&ada()).await.unwrap();
        }
        let new = one.sign_in("ada").await;
        assert_eq!(one.role(&old).await, None);
        assert!(other.role(&new).await.is_some());
        cluster.clock.advance(BOUND);
        assert_eq!(other.role(&old).await, None);
        assert!(one.role(&new).await.is_some());
        assert_eq!(other.role(&eve).await.is_some(), !everyone);
    }
}

/// Moves the clock on by steps in which a node hears itself.
async fn pass(cluster: &Cluster, node: &Node, time: Duration) {
    let step = BOUND / 2;
    for _ in 0..time.as_micros() / step.as_micros() {
        cluster.clock.advance(step);
        node.heard_all(&cluster.clock).await;
    }
}

#[tokio::test]
async fn rf_4_a_node_that_hears_all_keeps_what_it_knows_for_as_long_as_it_may() {
    let cluster = Cluster::new().await;
    let gate = Gate::open();
    let other = cluster.node(|builder| {
        let builder = builder.nodes(gate.channel(&cluster.channel));
        builder.connected_bound(BOUND * 10)
    });
    other.is_connected().await;
    assert_eq!(other.sessions.health().bound, BOUND * 10);
    let one = cluster.connected(&Gate::open()).await;
    let cookie = one.sign_in("ada").await;
    assert!(other.role(&cookie).await.is_some());
    let loads = other.loads();
    pass(&cluster, &other, BOUND * 4).await;
    assert!(other.role(&cookie).await.is_some());
    assert_eq!(other.loads(), loads);

    // It hears no more, and is not told so.
    gate.set(Passage::Silent);
    one.sessions.revoke_all(&ada()).await.unwrap();
    cluster.clock.advance(BOUND - Duration::from_micros(1));
    assert!(other.role(&cookie).await.is_some());
    cluster.clock.advance(Duration::from_micros(1));
    assert_eq!(other.sessions.health().bound, BOUND);
    assert_eq!(other.role(&cookie).await, None);
    other.is_lost().await;

    gate.set(Passage::Open);
    other.is_connected().await;
    let cookie = one.sign_in("ada").await;
    assert!(other.role(&cookie).await.is_some());
    let loads = other.loads();
    pass(&cluster, &other, BOUND * 10).await;
    assert!(other.role(&cookie).await.is_some());
    assert_eq!(other.loads(), loads + 1);
}

/// As whoever listens and sends, but has no key: what was heard, changed and sent again.
fn made_up(heard: &[String]) -> Vec<String> {
    let mut texts: Vec<String> = ["", "2:2:a:*", "3:2:1:a:*:0", "no notice"]
        .map(str::to_owned)
        .into();
    texts.push("7".repeat(7_000));
    for notice in heard {
        let (sealed, tags) = notice.rsplit_once(':').unwrap();
        let parts: Vec<_> = sealed.split(':').collect();
        let [version, node, number, keys, what] = parts.try_into().unwrap();
        // What the library said before notices were sealed.
        texts.push(format!("2:{node}:{keys}:*"));
        for (node, number, what) in [
            (node, number, "*"),
            (node, "999999", what),
            ("2", number, what),
            ("2", "999999", "*"),
        ] {
            for tags in [tags, "", "0", "00000000000000000000000000000000"] {
                texts.push(format!("{version}:{node}:{number}:{keys}:{what}:{tags}"));
            }
        }
        texts.push(sealed.to_owned());
        // As it was said.
        texts.push(notice.clone());
    }
    texts
}

#[tokio::test]
async fn rf_50_whoever_writes_to_the_channel_without_a_key_has_nobody_loaded_and_ends_nothing() {
    Events::collect();
    let cluster = Cluster::new().await;
    let gate = Gate::open();
    // Entries of a cache are freed by real time, which none of this is to depend on.
    let node = || {
        cluster.node(|builder| {
            let builder = builder.nodes(gate.channel(&cluster.channel));
            builder.connected_bound(HOUR)
        })
    };
    let (one, other) = (node(), node());
    one.is_connected().await;
    other.is_connected().await;
    let mut listener = cluster.channel.listen().await.unwrap();
    let cookie = other.sign_in("ada").await;
    // A heartbeat of both, and a notice of everybody.
    one.sessions.revoke_everyone().await.unwrap();
    let mut heard = Vec::new();
    while !heard.iter().any(|notice: &String| notice.contains(":*:")) || heard.len() < 4 {
        heard.push(listener.next().await.unwrap());
    }
    drop(listener);
    cluster.clock.advance(Duration::from_micros(1));
    other.heard_all(&cluster.clock).await;
    assert_eq!(other.role(&cookie).await, None);
    let cookie = other.sign_in("ada").await;
    assert!(other.role(&cookie).await.is_some());
    let loads = other.loads();
    Events::clear();
    for text in made_up(&heard[heard.len() - 4..]) {
        cluster.channel.publish(&text).await.unwrap();
    }
    // Whoever hears its own heartbeat heard all of that.
    cluster.clock.advance(Duration::from_micros(1));
    beats(&cluster, 2).await;
    let is_unread = |node: &Node| matches!(node.channel(), ChannelHealth::Unread { .. });
    until(|| is_unread(&one) && is_unread(&other)).await;
    // It is said once by each node.
    assert_eq!(Events::all(), ["notices cannot be read"; 2]);
    assert!(other.role(&cookie).await.is_some());
    assert_eq!(other.loads(), loads);
    // And when it is over nobody is loaded for it.
    for _ in 0..3 {
        cluster.clock.advance(BOUND / 2);
        beats(&cluster, 2).await;
    }
    until(|| !is_unread(&other)).await;
    let cookie = other.sign_in("eve").await;
    assert!(other.role(&cookie).await.is_some());
    let loads = other.loads();
    cluster.channel.publish("noise").await.unwrap();
    until(|| is_unread(&other)).await;
    assert!(other.role(&cookie).await.is_some());
    assert_eq!(other.loads(), loads);
    assert!(!Events::have("channel lost"));
}

#[tokio::test]
async fn rf_49_what_is_no_text_is_dropped_and_the_channel_goes_on() {
    Events::collect();
    let server = RedisServer::start();
    let mut cluster = Cluster::new().await;
    cluster.channel = Arc::new(RedisChannel::connect(&server.url()).await.unwrap());
    let (one, other) = (
        cluster.connected(&Gate::open()).await,
        cluster.connected(&Gate::open()).await,
    );
    let cookie = one.sign_in("ada").await;
    assert!(other.role(&cookie).await.is_some());
    Events::clear();
    let mut past = redis::Client::open(server.url()).unwrap();
    for bytes in [&b"\xff"[..], b"3:\xff\0", b"", b"\0"].repeat(20) {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg("clearance:nodes").arg(bytes);
        publish.exec(&mut past).unwrap();
    }
    one.sessions.revoke_all(&ada()).await.unwrap();
    while other.role(&cookie).await.is_some() {}
    let is_unread = |node: &Node| matches!(node.channel(), ChannelHealth::Unread { .. });
    until(|| {
        assert!(!Events::have("channel lost"));
        is_unread(&one) && is_unread(&other)
    })
    .await;
    assert_eq!(Events::all(), ["notices cannot be read"; 2]);
}

/// PostgreSQL lets any bytes pass where it knows no encoding, and the driver panics over them.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test plays the operator")]
async fn rf_49_a_database_without_an_encoding_has_no_channel_and_says_so() {
    Events::collect();
    let cluster = Cluster::new().await;
    let database = cluster.kept.database.as_ref();
    let Some(TestPool::Postgres(pool)) = database.map(|database| &database.pool) else {
        return;
    };
    let name = format!("ascii_{}", uuid::Uuid::new_v4().simple());
    let create = format!(
        "CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    );
    sqlx::query(sqlx::AssertSqlSafe(create))
        .execute(pool)
        .await
        .unwrap();
    let options = (*pool.connect_options()).clone().database(&name);
    let ascii = sqlx::PgPool::connect_with(options).await.unwrap();
    let db = clearance::Db::unguarded_pool(ascii.clone(), "the database of this test");
    let channel = db.node_channel().unwrap();
    assert!(channel.listen().await.is_err());
    assert!(
        Events::all()
            .iter()
            .any(|event| event.contains("SQL_ASCII"))
    );
    ascii.close().await;
}

/// Two applications in one place do not hear each other where each has a name of its own.
#[tokio::test]
async fn rf_51_channels_of_other_names_are_other_channels() {
    let cluster = Cluster::new().await;
    let here = cluster.connected(&Gate::open()).await;
    let name = fresh("others");
    let beside = channel(&cluster.kept, &name).await;
    let stranger = cluster.node_of(Key::generate().unwrap(), |builder| {
        builder.nodes(Gate::open().channel(&beside))
    });
    stranger.is_connected().await;
    beside.publish("noise").await.unwrap();
    let is_unread = |node: &Node| matches!(node.channel(), ChannelHealth::Unread { .. });
    until(|| is_unread(&stranger)).await;
    cluster.clock.advance(Duration::from_micros(1));
    here.heard_all(&cluster.clock).await;
    if let Some(database) = &cluster.kept.database
        && let TestPool::Postgres(_) = database.pool
    {
        let db = &database.db;
        let channel = || db.node_channel().unwrap();
        for wrong in [String::new(), "a\0b".to_owned(), "\u{e9}".repeat(32)] {
            let error = channel().with_name(wrong).unwrap_err();
            assert!(error.is_configuration(), "{error}");
        }
        let longest = channel().with_name("\u{e9}\"".repeat(21)).unwrap();
        let mut listener = longest.listen().await.unwrap();
        longest.publish("heard").await.unwrap();
        assert_eq!(listener.next().await.unwrap(), "heard");
    }
}

/// The rings of two nodes while a key is changed: it is made known before it seals, or at once.
fn rings() -> [(KeyRing, KeyRing); 3] {
    let (old, new) = (key(1), key(2));
    let before = KeyRing::new(old.clone());
    let known = before.clone().retired(new.clone());
    let changed = KeyRing::new(new.clone()).retired(old);
    [
        (before, changed.clone()),
        (known, changed.clone()),
        (changed, KeyRing::new(new)),
    ]
}

/// A node with this ring on the channel, whose cookies open on any other.
fn ringed(cluster: &Cluster, gate: &Gate, ring: KeyRing) -> Node {
    cluster.node_of(ring, |builder| {
        builder
            .strategy(Strategy::Database)
            .connected_bound(BOUND * 10)
            .nodes(gate.channel(&cluster.channel))
    })
}

#[tokio::test]
async fn rf_36_while_a_key_is_changed_nodes_hear_each_other() {
    for (one, other) in rings() {
        let cluster = Cluster::new().await;
        let gate = Gate::open();
        let nodes = [one, other].map(|ring| ringed(&cluster, &gate, ring));
        for node in &nodes {
            node.is_connected().await;
        }
        for (teller, hearer) in [(&nodes[0], &nodes[1]), (&nodes[1], &nodes[0])] {
            for name in ["ada", "eve", "finn", "gus"] {
                let cookie = teller.sign_in(name).await;
                assert_eq!(hearer.role(&cookie).await.unwrap(), "user");
                let admin = (name.to_owned(), "admin".to_owned());
                cluster.members.roles.lock().unwrap().extend([admin]);
                assert_eq!(hearer.role(&cookie).await.unwrap(), "user");
                teller.sessions.viewer_changed(&Subject::new(name));
                while hearer.role(&cookie).await.unwrap() == "user" {}
                teller
                    .sessions
                    .revoke_all(&Subject::new(name))
                    .await
                    .unwrap();
                while hearer.role(&cookie).await.is_some() {}
                cluster.members.roles.lock().unwrap().clear();
            }
            let cookie = teller.sign_in("ada").await;
            assert!(hearer.role(&cookie).await.is_some());
            teller.sessions.revoke_everyone().await.unwrap();
            while hearer.role(&cookie).await.is_some() {}
        }
        for node in &nodes {
            assert!(matches!(node.channel(), ChannelHealth::Connected { .. }));
        }
    }
}

/// Until each of so many nodes sent three heartbeats, and so heard one of them.
async fn beats(cluster: &Cluster, nodes: usize) {
    let mut listener = cluster.channel.listen().await.unwrap();
    let mut of_nodes: HashMap<String, usize> = HashMap::new();
    while of_nodes.values().filter(|beats| **beats >= 3).count() < nodes {
        let notice = listener.next().await.unwrap();
        let mut parts = notice.split(':').skip(1);
        let Some(node) = parts.next().map(str::to_owned) else {
            continue;
        };
        if parts.nth(2).is_some_and(|what| what.starts_with('h')) {
            *of_nodes.entry(node).or_default() += 1;
        }
    }
}

#[tokio::test]
async fn rf_37_a_node_that_does_not_understand_falls_back_to_the_bound_and_says_so() {
    Events::collect();
    let cluster = Cluster::new().await;
    let gate = Gate::open();
    let ring = || KeyRing::new(cluster.key.clone());
    let here = ringed(&cluster, &Gate::open(), ring());
    let beside = ringed(&cluster, &Gate::open(), ring());
    for node in [&here, &beside] {
        node.is_connected().await;
        assert_eq!(node.sessions.health().bound, BOUND * 10);
    }
    let cookies = [here.sign_in("ada").await, here.sign_in("eve").await];
    for cookie in &cookies {
        assert!(here.role(cookie).await.is_some());
    }
    Events::clear();

    // Its heartbeat is enough.
    let stranger = ringed(&cluster, &gate, Key::generate().unwrap().into());
    let is_unread = |node: &Node| matches!(node.channel(), ChannelHealth::Unread { .. });
    until(|| is_unread(&here) && is_unread(&beside) && is_unread(&stranger)).await;
    let since = cluster.clock.now();
    assert_eq!(here.channel(), ChannelHealth::Unread { since });
    assert_eq!(here.sessions.health().bound, BOUND);
    assert!(Events::have("notices cannot be read"));

    // What it ends is seen within the bound, and what others end at once.
    stranger.sessions.revoke_all(&ada()).await.unwrap();
    cluster.clock.advance(BOUND - Duration::from_micros(1));
    assert!(here.role(&cookies[0]).await.is_some());
    cluster.clock.advance(Duration::from_micros(1));
    assert_eq!(here.role(&cookies[0]).await, None);
    // All three lost the channel for so long a silence, and have it again.
    beats(&cluster, 3).await;
    until(|| is_unread(&here) && is_unread(&beside)).await;

    // When it is gone for a bound, what is cached from its time is forgotten.
    assert!(here.role(&cookies[1]).await.is_some());
    stranger
        .sessions
        .revoke_all(&Subject::new("eve"))
        .await
        .unwrap();
    gate.set(Passage::Mute);
    drop(stranger);
    let cookie = beside.sign_in("finn").await;
    assert!(here.role(&cookie).await.is_some());
    beside
        .sessions
        .revoke_all(&Subject::new("finn"))
        .await
        .unwrap();
    while here.role(&cookie).await.is_some() {}
    Events::clear();
    for _ in 0..2 {
        assert!(here.role(&cookies[1]).await.is_some());
        cluster.clock.advance(BOUND / 2);
        beats(&cluster, 2).await;
    }
    here.is_connected().await;
    assert!(!Events::have("channel lost"));
    assert!(Events::have("notices can be read again"));
    assert_eq!(here.sessions.health().bound, BOUND * 10);
    assert_eq!(here.role(&cookies[1]).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn av_31_whoever_forges_notices_without_end_refuses_nobody() {
    let cluster = Cluster::new().await;
    let other = cluster.connected(&Gate::open()).await;
    let cookie = other.sign_in("ada").await;
    let channel = Arc::clone(&cluster.channel);
    let forger = tokio::spawn(async move {
        loop {
            // A channel that cannot keep up is no answer to the question.
            let _ = channel.publish("1:2:*").await;
            tokio::task::yield_now().await;
        }
    });
    for _ in 0..500 {
        assert_eq!(other.role(&cookie).await.unwrap(), "user");
    }
    // And nobody is answered whose session ended.
    other.sessions.revoke_all(&ada()).await.unwrap();
    for _ in 0..100 {
        assert_eq!(other.role(&cookie).await, None);
    }
    forger.abort();
}

#[tokio::test]
async fn rf_4_a_connection_that_is_killed_is_noticed_and_had_again() {
    Events::collect();
    let mut cluster = Cluster::new().await;
    let gate = Gate::open();
    // One of its own, because others listen on the one that all tests share.
    let mut server = is_redis().then(RedisServer::start);
    if let Some(server) = &server {
        cluster.channel = Arc::new(RedisChannel::connect(&server.url()).await.unwrap());
    }
    let node = cluster.connected(&gate).await;
    Events::clear();
    match &mut server {
        Some(server) => server.kill(),
        None => kill(&cluster, &gate).await,
    }
    until(|| Events::have("channel lost")).await;
    match &mut server {
        Some(server) => assert!(server.start_again()),
        None => gate.set(Passage::Open),
    }
    until(|| Events::have("channel connected")).await;
    node.is_connected().await;
}

/// Kills the connections that listen, on the server; where there is no server, closes the gate.
#[expect(clippy::disallowed_methods, reason = "a test plays the operator")]
async fn kill(cluster: &Cluster, gate: &Gate) {
    match &cluster.kept.database.as_ref().unwrap().pool {
        TestPool::Postgres(pool) => {
            let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE datname = current_database() AND query LIKE 'LISTEN%'";
            let killed = sqlx::query(kill).fetch_all(pool).await.unwrap();
            assert_eq!(killed.len(), 1);
        }
        TestPool::Sqlite(_) | TestPool::Mysql(_) => gate.set(Passage::Broken),
    }
}

#[tokio::test]
async fn rf_4_the_task_ends_with_the_sessions() {
    let cluster = Cluster::new().await;
    let node = cluster.connected(&Gate::open()).await;
    let clone = node.sessions.clone();
    let held = Arc::strong_count(&cluster.channel);
    drop(node);
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&cluster.channel), held);
    drop(clone);
    until(|| Arc::strong_count(&cluster.channel) < held).await;
}

#[tokio::test]
async fn rf_4_the_bounds_are_said_and_must_fit() {
    let cluster = Cluster::new().await;
    let gate = Gate::open();
    let alone = cluster.node(|it| it).sessions.explain();
    assert!(alone.contains("other nodes: no channel"), "{alone}");
    let told = cluster.node(|builder| {
        let builder = builder.nodes(gate.channel(&cluster.channel));
        builder.connected_bound(HOUR)
    });
    let told = told.sessions.explain();
    assert!(told.contains("at most 3600.000 s old while"), "{told}");
    assert!(told.contains("at most 0.200 s while"), "{told}");

    let builder = || {
        let store = MemorySessionStore::new();
        Sessions::builder(Key::generate().unwrap(), store, Members::default())
            .app_url("https://app.example")
    };
    let channel = || gate.channel(&cluster.channel);
    for (wrong, advice) in [
        (builder().connected_bound(HOUR), "without a channel"),
        (
            builder().nodes(channel()).connected_bound(Duration::ZERO),
            "shorter than the cache bound",
        ),
        (
            builder().nodes(channel()).cache_bound(Duration::ZERO),
            "nothing that other nodes invalidate",
        ),
    ] {
        let error = wrong.build().unwrap_err();
        assert!(error.is_configuration());
        assert!(error.to_string().contains(advice), "{error}");
    }
    let outside = builder().nodes(channel());
    let error = std::thread::spawn(|| outside.build().unwrap_err());
    let error = error.join().unwrap();
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}

thread_local! {
    /// The events of nodes on this thread, which is that of one test and its tasks.
    static EVENTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the events of every test. One for each test would miss some: whether an event is wanted is
/// remembered for all threads, as the first one found it.
struct Events;

impl Events {
    fn collect() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let subscriber = tracing_subscriber::registry().with(Self);
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
    }

    fn clear() {
        EVENTS.take();
    }

    fn all() -> Vec<String> {
        EVENTS.with_borrow(Clone::clone)
    }

    fn have(event: &str) -> bool {
        EVENTS.with_borrow(|events| events.iter().any(|it| it == event))
    }
}

impl<S: tracing::Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "clearance::nodes" {
            let mut text = Text::default();
            event.record(&mut text);
            EVENTS.with_borrow_mut(|events| events.push(text.0));
        }
    }
}

#[derive(Default)]
struct Text(String);

impl tracing::field::Visit for Text {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[tokio::test]
async fn sd_66_a_subject_that_is_longer_than_a_store_keeps_is_not_valid() {
    let cluster = Cluster::new().await;
    let sessions = cluster.node(|it| it).sessions;
    let longest = Subject::new("é".repeat(Subject::MAX_BYTES / 2));
    sessions.create(&longest).await.unwrap();
    assert_eq!(sessions.list(&longest).await.unwrap().len(), 1);
    assert_eq!(sessions.revoke_all(&longest).await.unwrap(), 1);
    let longer = Subject::new(format!("{longest}a"));
    let error = sessions.create(&longer).await.unwrap_err();
    assert!(error.is_invalid(), "{error:?}");
    let error = sessions.revoke_all(&longer).await.unwrap_err();
    assert!(error.is_invalid(), "{error:?}");
    assert!(sessions.list(&longer).await.unwrap().is_empty());
    let stateless = cluster.node(|builder| builder.strategy(Strategy::Stateless));
    let error = stateless.sessions.create(&longer).await.unwrap_err();
    assert!(error.is_invalid(), "{error:?}");
}
