//! A connection to Redis that is had again after a failure.

use std::future::Future;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError,
    RedisResult, ScriptInvocation,
};
use tokio::sync::Mutex;

use super::store::StoreError;
use crate::audit;
use crate::error::{Error, Result};

/// How long a call waits for Redis, whatever it waits for.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// One connection that all callers share.
///
/// The driver's own manager keeps a connection whose peer has fallen silent for as long as the
/// operating system does, a quarter of an hour. Here one that did not answer in time is given up.
pub(super) struct Link {
    client: Client,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    connection: Option<MultiplexedConnection>,
    /// Tells connections apart, so that a late failure does not close the next one.
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
        let greeted = link.ask::<()>(Question::Command(&greeting)).await;
        greeted.map_err(|_| Error::unavailable("Redis"))?;
        Ok(link)
    }

    async fn connection(&self) -> RedisResult<(MultiplexedConnection, u64)> {
        let mut shared = self.shared.lock().await;
        if let Some(connection) = &shared.connection {
            return Ok((connection.clone(), shared.number));
        }
        // The call has one limit of time for all of it.
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

    /// Runs `question` once. When it is not known what became of it, that is an outage.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        question: Question<'_>,
    ) -> Result<T, StoreError> {
        let answer = self.attempt(question).await;
        answer.map_err(|failure| failure.as_store_error())
    }

    /// Runs `question`, which changes nothing, and once more if the connection was lost: a server
    /// that came back meanwhile is noticed by nobody else.
    pub(super) async fn read<T: FromRedisValue>(
        &self,
        question: Question<'_>,
    ) -> Result<T, StoreError> {
        let answer = match self.attempt(question).await {
            Err(failure) if failure.lost_connection() => self.attempt(question).await,
            answer => answer,
        };
        answer.map_err(|failure| failure.as_store_error())
    }

    async fn attempt<T: FromRedisValue>(&self, question: Question<'_>) -> Result<T, Failure> {
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

/// What a server is asked.
#[derive(Clone, Copy)]
pub(super) enum Question<'a> {
    Command(&'a Cmd),
    Together(&'a Pipeline),
    Script(&'a ScriptInvocation<'a>),
}

impl Question<'_> {
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

/// A client of `url`, which is not reached yet.
pub(super) fn client(url: &str) -> Result<Client> {
    Client::open(url).map_err(|_| {
        Error::configuration(
            "the Redis URL is malformed: write `redis://user:password@host:port/database`, or `rediss://..` with one of redis's `tls-` features on",
        )
    })
}

/// Why there was no answer.
pub(super) enum Failure {
    Late,
    Refused(RedisError),
}

/// The answer, if it comes in time.
pub(super) async fn within<T>(answer: impl Future<Output = RedisResult<T>>) -> Result<T, Failure> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(Failure::Refused),
        Err(_) => Err(Failure::Late),
    }
}

impl Failure {
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

    /// What it is to who asks a store. The server's text is dropped: it can repeat values.
    fn as_store_error(&self) -> StoreError {
        let Self::Refused(error) = self else {
            audit::database_failure("timeout", "");
            return StoreError::outage();
        };
        let code = error.code().unwrap_or_default();
        // `ERR` is what a server says of a command or script that it cannot carry out; everything
        // that passes, such as `LOADING`, `OOM` and `READONLY`, has a word of its own.
        let is_another_type = matches!(
            error.kind(),
            ErrorKind::UnexpectedReturnType | ErrorKind::Parse
        );
        if is_another_type || matches!(code, "ERR" | "WRONGTYPE") {
            audit::database_failure("value", code);
            StoreError::malformed()
        } else {
            audit::database_failure("outage", code);
            StoreError::outage()
        }
    }
}
