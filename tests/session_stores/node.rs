//! A node of an application, and the channel of the engine of this run.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clearance::session::SessionsBuilder;
use clearance::session::nodes::{
    ChannelError, ChannelHealth, NodeChannel, NodeListener, RedisChannel,
};
use clearance::testing::ManualClock;
use clearance::token::KeyRing;
use clearance::{
    Clock as _, Key, RequestContext, Sessions, SourceError, Subject, Viewer, ViewerSource,
    async_trait,
};
use http::{HeaderMap, HeaderValue};
use tokio::sync::{broadcast, watch};

use crate::engines::{Engine, engine};
use crate::stores::{Fresh, fresh, is_redis, redis_url, store};
use crate::support::start;

/// The cache bound of nodes whose clock is set by hand. Heartbeats come four times as often, in
/// real time.
pub const BOUND: Duration = Duration::from_millis(200);

pub struct Member {
    pub name: String,
    pub role: String,
}

impl Viewer for Member {
    fn subject(&self) -> Subject {
        Subject::new(&self.name)
    }
}

/// The members as all nodes find them, with the loads of one node.
#[derive(Clone, Default)]
pub struct Members {
    pub roles: Arc<Mutex<HashMap<String, String>>>,
    pub loads: Arc<AtomicUsize>,
}

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let name = subject.as_str().to_owned();
        let role = self.roles.lock().unwrap().get(&name).cloned();
        let role = role.unwrap_or_else(|| "user".to_owned());
        Ok(Some(Member { name, role }))
    }
}

/// A key that differs with `number`, and is the same each time: keys sort subjects into 256 groups, and under a
/// random one two of a test's subjects would be in one, and change together, once in a while.
pub fn key(number: u8) -> Key {
    let bytes: Vec<u8> = (0..32).map(|byte| byte ^ number).collect();
    Key::from_bytes(&bytes).unwrap()
}

/// What all nodes share.
pub struct Cluster {
    pub kept: Fresh,
    pub clock: ManualClock,
    pub key: Key,
    pub members: Members,
    pub channel: Arc<dyn NodeChannel>,
    /// The channel's name on the server.
    pub name: String,
}

impl Cluster {
    pub async fn new() -> Self {
        let (kept, name) = (store().await, fresh("nodes"));
        Self {
            channel: channel(&kept, &name).await,
            kept,
            name,
            clock: ManualClock::at(start()),
            key: key(0),
            members: Members::default(),
        }
    }

    pub fn node(
        &self,
        build: impl FnOnce(SessionsBuilder<Member>) -> SessionsBuilder<Member>,
    ) -> Node {
        self.node_of(self.key.clone(), build)
    }

    /// A node with a ring of its own.
    pub fn node_of(
        &self,
        ring: impl Into<KeyRing>,
        build: impl FnOnce(SessionsBuilder<Member>) -> SessionsBuilder<Member>,
    ) -> Node {
        let members = Members {
            roles: Arc::clone(&self.members.roles),
            loads: Arc::default(),
        };
        let store = Arc::clone(&self.kept.store);
        let builder = Sessions::builder(ring, store, members.clone())
            .app_url("https://app.example")
            .cache_bound(BOUND)
            .clock(self.clock.clone());
        let sessions = build(builder).build().unwrap();
        Node { sessions, members }
    }

    /// A node on the channel, when it hears itself.
    pub async fn connected(&self, gate: &Gate) -> Node {
        let node = self.node(|builder| builder.nodes(gate.channel(&self.channel)));
        node.is_connected().await;
        node
    }
}

pub struct Node {
    pub sessions: Sessions<Member>,
    pub members: Members,
}

impl Node {
    pub async fn sign_in(&self, name: &str) -> HeaderValue {
        let session = self.sessions.create(&Subject::new(name)).await.unwrap();
        session.into_set_cookies().remove(0)
    }

    /// The role of whoever has this cookie; none for nobody.
    pub async fn role(&self, cookie: &HeaderValue) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", cookie.clone());
        let request = RequestContext::new(&self.sessions, &headers);
        match request.verify_session::<Member>().await {
            Ok(verified) => Some(verified.viewer().role.clone()),
            Err(error) => {
                assert!(error.is_unauthenticated(), "{error}");
                None
            }
        }
    }

    pub fn loads(&self) -> usize {
        self.members.loads.load(Ordering::SeqCst)
    }

    pub fn channel(&self) -> ChannelHealth {
        self.sessions.health().channel
    }

    pub async fn is_connected(&self) {
        until(|| matches!(self.channel(), ChannelHealth::Connected { .. })).await;
    }

    pub async fn is_lost(&self) {
        until(|| matches!(self.channel(), ChannelHealth::Lost { .. })).await;
    }

    /// Has heard everything up to now.
    pub async fn heard_all(&self, clock: &ManualClock) {
        let heard_at = clock.now();
        until(|| self.channel() == ChannelHealth::Connected { heard_at }).await;
    }
}

pub async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

/// The channel of this engine; where it has none, one within the process.
pub async fn channel(kept: &Fresh, name: &str) -> Arc<dyn NodeChannel> {
    if is_redis() {
        let channel = RedisChannel::connect(&redis_url()).await.unwrap();
        return Arc::new(channel.with_name(name));
    }
    match engine() {
        Engine::Postgres => {
            let database = kept.database.as_ref().unwrap();
            let channel = database.db.node_channel().unwrap();
            Arc::new(channel.with_name(name).unwrap())
        }
        Engine::Sqlite | Engine::Mysql => Arc::new(Hub(broadcast::channel(1_000).0)),
    }
}

struct Hub(broadcast::Sender<String>);

#[async_trait]
impl NodeChannel for Hub {
    async fn publish(&self, notice: &str) -> Result<(), ChannelError> {
        let sent = self.0.send(notice.to_owned());
        sent.map(|_| ()).map_err(|_| ChannelError::new())
    }

    async fn listen(&self) -> Result<Box<dyn NodeListener>, ChannelError> {
        Ok(Box::new(Heard(self.0.subscribe())))
    }
}

struct Heard(broadcast::Receiver<String>);

#[async_trait]
impl NodeListener for Heard {
    async fn next(&mut self) -> Result<String, ChannelError> {
        self.0.recv().await.map_err(|_| ChannelError::new())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    Open,
    /// Nothing passes, and nobody says so.
    Silent,
    /// Nothing can be sent; what others send is heard.
    Mute,
    Broken,
}

/// Stands between a node and its channel.
#[derive(Clone)]
pub struct Gate(watch::Sender<Passage>);

impl Gate {
    pub fn open() -> Self {
        Self(watch::Sender::new(Passage::Open))
    }

    pub fn set(&self, passage: Passage) {
        let _ = self.0.send_replace(passage);
    }

    pub fn channel(&self, channel: &Arc<dyn NodeChannel>) -> impl NodeChannel + use<> {
        Gated {
            gate: self.clone(),
            inner: Arc::clone(channel),
        }
    }
}

struct Gated<T> {
    gate: Gate,
    inner: T,
}

#[async_trait]
impl NodeChannel for Gated<Arc<dyn NodeChannel>> {
    async fn publish(&self, notice: &str) -> Result<(), ChannelError> {
        let passage = *self.gate.0.borrow();
        match passage {
            Passage::Open => self.inner.publish(notice).await,
            Passage::Silent => Ok(()),
            Passage::Mute | Passage::Broken => Err(ChannelError::new()),
        }
    }

    async fn listen(&self) -> Result<Box<dyn NodeListener>, ChannelError> {
        if *self.gate.0.borrow() == Passage::Broken {
            return Err(ChannelError::new());
        }
        Ok(Box::new(Gated {
            gate: self.gate.clone(),
            inner: self.inner.listen().await?,
        }))
    }
}

#[async_trait]
impl NodeListener for Gated<Box<dyn NodeListener>> {
    async fn next(&mut self) -> Result<String, ChannelError> {
        loop {
            let mut gate = self.gate.0.subscribe();
            let notice = tokio::select! {
                biased;
                _ = gate.wait_for(|passage| *passage == Passage::Broken) => {
                    return Err(ChannelError::new());
                }
                notice = self.inner.next() => notice?,
            };
            if *self.gate.0.borrow() != Passage::Silent {
                return Ok(notice);
            }
        }
    }
}
