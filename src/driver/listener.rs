//! Connections of PostgreSQL that listen to a channel of notifications.

use sqlx::postgres::PgListener;

use super::db::{Db, Engine};
use crate::error::{Error, Result};

/// A connection of the pool that listens.
pub(crate) struct Listener(PgListener);

impl Db {
    /// Returns whether its connections can listen.
    pub(crate) fn can_listen(&self) -> Result<bool> {
        Ok(match self.explained()? {
            #[cfg(feature = "sqlite")]
            Engine::Sqlite(_) => false,
            Engine::Postgres(_) => true,
            #[cfg(feature = "mysql")]
            Engine::Mysql(_) => false,
        })
    }

    /// Takes a connection of the pool, and listens to a channel.
    pub(crate) async fn listen(&self, channel: &str) -> Result<Listener> {
        let pool = match self.explained()? {
            #[cfg(feature = "sqlite")]
            Engine::Sqlite(_) => return Err(silent()),
            Engine::Postgres(of) => of.pool(),
            #[cfg(feature = "mysql")]
            Engine::Mysql(_) => return Err(silent()),
        };
        let mut listener = PgListener::connect_with(pool).await.map_err(lost)?;
        // A reconnect would lose the notifications before it without a sign.
        listener.eager_reconnect(false);
        listener.listen(channel).await.map_err(lost)?;
        Ok(Listener(listener))
    }
}

impl Listener {
    /// Returns the next notification; `None` if the connection was lost.
    pub(crate) async fn next(&mut self) -> Result<Option<String>> {
        let notification = self.0.try_recv().await.map_err(lost)?;
        Ok(notification.map(|notification| notification.payload().to_owned()))
    }
}

fn lost(_: sqlx::Error) -> Error {
    Error::unavailable("the database")
}

#[cfg(any(feature = "sqlite", feature = "mysql"))]
fn silent() -> Error {
    Error::internal("only connections of PostgreSQL listen")
}
