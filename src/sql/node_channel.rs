//! Notices between nodes over PostgreSQL.

use std::fmt;
use std::pin::Pin;

use async_stream::try_stream;
use async_trait::async_trait;
use futures_core::Stream;
use futures_util::StreamExt as _;
use sea_query::{Func, Query};
use sqlx::PgPool;
use sqlx::postgres::PgListener;

use super::db::{Db, Engine};
use crate::error::Result;
use crate::session::nodes::{ChannelError, NodeChannel, NodeListener};

const NAME: &str = "clearance_nodes";

/// Tells other nodes by `NOTIFY` and `LISTEN` of PostgreSQL; see [`Db::node_channel`].
#[derive(Clone)]
pub struct PostgresChannel {
    db: Db,
    pool: PgPool,
}

impl Db {
    /// A channel between the nodes of an application that are connected to this database.
    ///
    /// It keeps one connection of the pool to listen. That has to be a session of its own:
    /// PgBouncer in transaction mode cannot `LISTEN`, so give it a pool that goes past PgBouncer.
    /// Notices go to the primary only; nodes on a replica hear nothing.
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
        match self.engine() {
            Engine::Postgres(pool) => Ok(PostgresChannel {
                db: self.without_unit(),
                pool: pool.clone(),
            }),
            #[cfg(feature = "sqlite")]
            Engine::Sqlite(_) => Err(tells_nobody()),
            #[cfg(feature = "mysql")]
            Engine::Mysql(_) => Err(tells_nobody()),
        }
    }
}

#[cfg(any(feature = "sqlite", feature = "mysql"))]
fn tells_nobody() -> crate::error::Error {
    crate::error::Error::configuration(
        "only PostgreSQL tells other nodes: use a `RedisChannel`, or none, with which they learn within the cache bound",
    )
}

impl fmt::Debug for PostgresChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresChannel").finish_non_exhaustive()
    }
}

#[async_trait]
impl NodeChannel for PostgresChannel {
    async fn publish(&self, notice: &str) -> Result<(), ChannelError> {
        let notify = Func::cust("pg_notify").args([NAME.into(), notice.into()]);
        let notify = Query::select().expr(notify).take();
        let sent = self.db.execute(&notify).await;
        sent.map(|_| ()).map_err(|_| ChannelError::new())
    }

    async fn listen(&self) -> Result<Box<dyn NodeListener>, ChannelError> {
        let lost = |_| ChannelError::new();
        let mut listener = PgListener::connect_with(&self.pool).await.map_err(lost)?;
        // What was said until it were connected again would be lost without a sign.
        listener.eager_reconnect(false);
        listener.listen(NAME).await.map_err(lost)?;
        let notices = try_stream! {
            while let Some(notice) = listener.try_recv().await.map_err(lost)? {
                yield notice.payload().to_owned();
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
