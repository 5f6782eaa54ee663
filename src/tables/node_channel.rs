//! Notices between nodes over LISTEN and NOTIFY of PostgreSQL.

use std::fmt;
use std::pin::Pin;

use async_stream::try_stream;
use async_trait::async_trait;
use futures_core::Stream;
use futures_util::StreamExt as _;
use sea_query::{Func, Query};

use crate::driver::Db;
use crate::error::{Error, Result};
use crate::events;
use crate::policy::{Cell, Kind};
use crate::session::nodes::{ChannelError, NodeChannel, NodeListener};

const NAME: &str = "clearance_nodes";
/// The maximum bytes of a channel's name; PostgreSQL would listen to the beginning of a longer one.
const LONGEST: usize = 63;

/// A [`NodeChannel`] over `NOTIFY` and `LISTEN` of PostgreSQL; see [`Db::node_channel`].
#[derive(Clone)]
pub struct PostgresChannel {
    db: Db,
    name: String,
}

impl PostgresChannel {
    /// Sets another name than `clearance_nodes`, for applications that share a database: otherwise each
    /// receives notices of the other that it cannot read.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when the name is empty, longer than 63 bytes, or holds a NUL.
    pub fn with_name(mut self, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        if name.is_empty() || name.len() > LONGEST || name.contains('\0') {
            return Err(Error::configuration(
                "the name of a PostgreSQL channel has 1 to 63 bytes, none of them a NUL: choose another one",
            ));
        }
        self.name = name;
        Ok(self)
    }
}

impl Db {
    /// Returns a channel between the nodes of an application that are connected to this database.
    ///
    /// It keeps one connection of the pool to listen. That has to be a session of its own: PgBouncer in
    /// transaction mode cannot `LISTEN`, so give it a pool that bypasses PgBouncer. Notices go to the
    /// primary only; nodes on a replica receive nothing. In a database whose encoding is `SQL_ASCII` it
    /// receives nothing either, because messages there need not be text.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`](crate::Error::is_configuration) when the database is not PostgreSQL.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # use clearance::{Db, Key, Sessions, Viewer, ViewerSource};
    /// # async fn start<V: Viewer>(members: impl ViewerSource<V>) -> clearance::Result<()> {
    /// let db = Db::connect("postgres://app@localhost/app").await?;
    /// let sessions = Sessions::builder(Key::from_env("APP_KEY")?, db.session_store(), members)
    ///     .app_url("https://app.example")
    ///     .nodes(db.node_channel()?)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn node_channel(&self) -> Result<PostgresChannel> {
        if !self.can_listen()? {
            return Err(Error::configuration(
                "only PostgreSQL can notify other nodes: use a `RedisChannel`, or none, with which changes reach them within the cache bound",
            ));
        }
        Ok(PostgresChannel {
            db: self.without_unit(),
            name: NAME.to_owned(),
        })
    }
}

impl fmt::Debug for PostgresChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresChannel")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl PostgresChannel {
    /// Returns whether every message is text. The driver panics over one that is not, which a server
    /// without an encoding passes on.
    async fn has_text(&self) -> Result<bool, ChannelError> {
        let encoding = Func::cust("current_setting").arg("server_encoding");
        let encoding = Query::select().expr(encoding).take();
        let row = self.db.fetch_optional(&encoding).await;
        let row = row.ok().flatten().ok_or(ChannelError::new())?;
        let cell = row.cell(0, Kind::Text);
        let is_text = matches!(cell, Ok(Cell::Text(name)) if name != "SQL_ASCII");
        if !is_text {
            events::channel_without_text();
        }
        Ok(is_text)
    }
}

#[async_trait]
impl NodeChannel for PostgresChannel {
    async fn publish(&self, notice: &str) -> Result<(), ChannelError> {
        let notify = Func::cust("pg_notify").args([self.name.as_str().into(), notice.into()]);
        let notify = Query::select().expr(notify).take();
        let sent = self.db.execute(&notify).await;
        sent.map(|_| ()).map_err(|_| ChannelError::new())
    }

    async fn listen(&self) -> Result<Box<dyn NodeListener>, ChannelError> {
        let lost = |_: Error| ChannelError::new();
        if !self.has_text().await? {
            return Err(ChannelError::new());
        }
        let mut listener = self.db.listen(&self.name).await.map_err(lost)?;
        let notices = try_stream! {
            while let Some(notice) = listener.next().await.map_err(lost)? {
                yield notice;
            }
        };
        Ok(Box::new(Listening(Box::pin(notices))))
    }
}

struct Listening(Pin<Box<dyn Stream<Item = Result<String, ChannelError>> + Send>>);

#[async_trait]
impl NodeListener for Listening {
    async fn next(&mut self) -> Result<String, ChannelError> {
        let next = self.0.next().await;
        next.unwrap_or(Err(ChannelError::new()))
    }
}
