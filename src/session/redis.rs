//! A shared connection to Redis that reconnects after a failure.

use std::future::Future;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError,
    RedisResult, ScriptInvocation,
};
use tokio::sync::Mutex;

use super::store::StoreError;
use crate::error::{Error, Result};
use crate::events;

/// The timeout of a call to Redis, including the connection.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// One multiplexed connection that all callers share.
///
/// The driver's own manager keeps a connection whose peer has fallen silent for as long as the operating
/// system does, a quarter of an hour. Here a connection that did not answer in time is dropped.
pub(super) struct Link {
    client: Client,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    connection: Option<MultiplexedConnection>,
    /// The number of the connection, so that a late failure does not close the next one.
    number: u64,
}

impl Link {
    /// # Errors
    ///
    /// [`Error::is_configuration`] when the URL is malformed, [`Error::is_unavailable`] when
    /// nothing answers there. Neither repeats the URL, which may hold a password.
    pub(super) async fn connect(url: &str) -> Result<Self> {
        let client = client(url)?;
        let link = Self {
            client,
            shared: Mutex::default(),
        };
        let greeting = redis::cmd("PING");
        let greeted = link.ask::<()>(RedisRequest::Command(&greeting)).await;
        greeted.map_err(|_| Error::unavailable("Redis"))?;
        Ok(link)
    }

    async fn connection(&self) -> RedisResult<(MultiplexedConnection, u64)> {
        let mut shared = self.shared.lock().await;
        if let Some(connection) = &shared.connection {
            return Ok((connection.clone(), shared.number));
        }
        // One timeout covers the whole call.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        shared.number += 1;
        shared.connection = Some(connection.clone());
        Ok((connection, shared.number))
    }

    async fn give_up(&self, number: u64) {
        let mut shared = self.shared.lock().await;
        if shared.number == number {
            shared.connection = None;
        }
    }

    /// Runs a command once. If its outcome is unknown, that is an outage.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        question: RedisRequest<'_>,
    ) -> Result<T, StoreError> {
        let answer = self.attempt(question).await;
        answer.map_err(|failure| failure.as_store_error())
    }

    /// Runs a read-only command, and retries once if the connection was lost: nothing else detects that a
    /// server came back meanwhile.
    pub(super) async fn read<T: FromRedisValue>(
        &self,
        question: RedisRequest<'_>,
    ) -> Result<T, StoreError> {
        let answer = match self.attempt(question).await {
            Err(failure) if failure.lost_connection() => self.attempt(question).await,
            answer => answer,
        };
        answer.map_err(|failure| failure.as_store_error())
    }

    async fn attempt<T: FromRedisValue>(
        &self,
        question: RedisRequest<'_>,
    ) -> Result<T, RedisFailure> {
        let mut number = None;
        let answer = within(async {
            let (mut connection, its_number) = self.connection().await?;
            number = Some(its_number);
            question.put(&mut connection).await
        });
        let answer = answer.await;
        if let (Err(failure), Some(number)) = (&answer, number)
            && failure.spoils_connection()
        {
            self.give_up(number).await;
        }
        answer
    }
}

/// A command, pipeline or script for a server.
#[derive(Clone, Copy)]
pub(super) enum RedisRequest<'a> {
    Command(&'a Cmd),
    Together(&'a Pipeline),
    Script(&'a ScriptInvocation<'a>),
}

impl RedisRequest<'_> {
    async fn put<T: FromRedisValue>(
        self,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<T> {
        match self {
            Self::Command(command) => command.query_async(connection).await,
            Self::Together(commands) => commands.query_async(connection).await,
            Self::Script(script) => script.invoke_async(connection).await,
        }
    }
}

/// Builds a client of `url`, without connecting.
pub(super) fn client(url: &str) -> Result<Client> {
    Client::open(url).map_err(|_| {
        Error::configuration(
            "the Redis URL is malformed: write `redis://user:password@host:port/database`, or `rediss://..` with one of redis's `tls-` features on",
        )
    })
}

/// The reason for which a call has no result.
pub(super) enum RedisFailure {
    Late,
    Refused(RedisError),
}

/// Applies the timeout to a call.
pub(super) async fn within<T>(
    answer: impl Future<Output = RedisResult<T>>,
) -> Result<T, RedisFailure> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(RedisFailure::Refused),
        Err(_) => Err(RedisFailure::Late),
    }
}

impl RedisFailure {
    fn lost_connection(&self) -> bool {
        match self {
            Self::Late => false,
            Self::Refused(error) => error.is_connection_dropped(),
        }
    }

    fn spoils_connection(&self) -> bool {
        match self {
            Self::Late => true,
            Self::Refused(error) => error.is_io_error() || error.is_unrecoverable_error(),
        }
    }

    /// Converts the failure to a store's error. The server's text is dropped: it can repeat values.
    fn as_store_error(&self) -> StoreError {
        let Self::Refused(error) = self else {
            events::database_failure("timeout", "");
            return StoreError::outage();
        };
        let code = error.code().unwrap_or_default();
        // `ERR` is the code for a command or script that the server cannot carry out; every transient
        // failure, such as `LOADING`, `OOM` and `READONLY`, has a code of its own.
        let is_another_type = matches!(
            error.kind(),
            ErrorKind::UnexpectedReturnType | ErrorKind::Parse
        );
        if is_another_type || matches!(code, "ERR" | "WRONGTYPE") {
            events::database_failure("value", code);
            StoreError::malformed()
        } else {
            events::database_failure("outage", code);
            StoreError::outage()
        }
    }
}
