//! What one node knows of what another one did. The clock stands still unless a test moves it, so
//! that what a node learns meanwhile it learned from its channel.

use std::cell::RefCell;
use std::sync::{Arc, Once};
use std::time::Duration;

use clearance::session::MemorySessionStore;
use clearance::session::nodes::{ChannelHealth, RedisChannel};
use clearance::{Clock as _, Key, Sessions, Subject};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::engines::TestPool;
use crate::node::{BOUND, Cluster, Gate, Members, Node, Passage, until};
use crate::redis_server::RedisServer;
use crate::stores::is_redis;

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

#[tokio::test]
async fn rf_4_whoever_forges_a_notice_makes_a_node_load_and_nothing_else() {
    let cluster = Cluster::new().await;
    let other = cluster.connected(&Gate::open()).await;
    let cookie = other.sign_in("ada").await;
    assert!(other.role(&cookie).await.is_some());
    let loads = other.loads();
    let long = "7".repeat(7_000);
    for noise in ["", "1:2:h1", "1:2:300", "2:2:*", "no notice", &long] {
        cluster.channel.publish(noise).await.unwrap();
    }
    cluster.channel.publish("1:2:*").await.unwrap();
    while other.loads() == loads {
        assert_eq!(other.role(&cookie).await.unwrap(), "user");
    }
    assert!(matches!(other.channel(), ChannelHealth::Connected { .. }));
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
            "nothing to tell",
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
