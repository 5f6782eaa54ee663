//! The channel between nodes over Redis.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_core::Stream;
use futures_util::StreamExt as _;
use redis::{Client, Msg};

use super::{ChannelError, NodeChannel, NodeListener};
use crate::error::Result;
use crate::session::redis::{Link, RedisRequest, client, within};

const NAME: &str = "clearance:nodes";

/// A channel between nodes over `PUBLISH` and `SUBSCRIBE` of Redis or Valkey.
///
/// It takes two connections. Nothing is stored: the server need not be that of the sessions. Applications
/// that share a server need different names, or each sees the other as a node that it does not understand.
///
/// # Example
///
/// ```no_run
/// # use clearance::{Key, Sessions, Viewer, ViewerSource};
/// # use clearance::session::RedisSessionStore;
/// # use clearance::session::nodes::RedisChannel;
/// # async fn start<V: Viewer>(members: impl ViewerSource<V>) -> clearance::Result<()> {
/// let url = "redis://:password@127.0.0.1:6379/";
/// let store = RedisSessionStore::connect(url).await?;
/// let sessions = Sessions::builder(Key::from_env("APP_KEY")?, store, members)
///     .app_url("https://app.example")
///     .nodes(RedisChannel::connect(url).await?)
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisChannel {
    client: Client,
    link: Arc<Link>,
    name: String,
}

impl RedisChannel {
    /// Connects to the server at `url`.
    ///
    /// # Errors
    ///
    /// As [`RedisSessionStore::connect`](crate::session::RedisSessionStore::connect).
    pub async fn connect(url: &str) -> Result<Self> {
        Ok(Self {
            client: client(url)?,
            link: Arc::new(Link::connect(url).await?),
            name: NAME.to_owned(),
        })
    }

    /// Sets another name than `clearance:nodes`.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl fmt::Debug for RedisChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisChannel")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl NodeChannel for RedisChannel {
    async fn publish(&self, notice: &str) -> Result<(), ChannelError> {
        let mut command = redis::cmd("PUBLISH");
        command.arg(&self.name).arg(notice);
        let sent: Result<u64, _> = self.link.ask(RedisRequest::Command(&command)).await;
        sent.map(|_| ()).map_err(|_| ChannelError)
    }

    async fn listen(&self) -> Result<Box<dyn NodeListener>, ChannelError> {
        let subscribed = within(async {
            let mut connection = self.client.get_async_pubsub().await?;
            connection.subscribe(&self.name).await?;
            Ok(connection)
        });
        let connection = subscribed.await.map_err(|_| ChannelError)?;
        Ok(Box::new(Subscribed(Box::pin(connection.into_on_message()))))
    }
}

struct Subscribed(Pin<Box<dyn Stream<Item = Msg> + Send>>);

#[async_trait]
impl NodeListener for Subscribed {
    async fn next(&mut self) -> Result<String, ChannelError> {
        // The stream ends with its connection, and does not come back.
        let message = self.0.next().await.ok_or(ChannelError)?;
        // A message that is no text is no notice either, and no reason to stop listening.
        Ok(String::from_utf8_lossy(message.get_payload_bytes()).into_owned())
    }
}
