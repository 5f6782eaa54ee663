//! Throw-away servers for the tests: each on a free port of the loopback, with its data in a
//! directory that goes with it, run by a user without privileges, ended by its own pid.

mod held;
mod install;
mod launch;
mod mysql;
mod postgres;
mod redis;
mod running;

pub(crate) use held::{HELD, Handle, Stop};
pub(crate) use install::program;
pub(crate) use running::Running;

use std::process::Command;

use serde::Deserialize;

use crate::Failure;

/// The variable that tells the tests which engine a run is about.
const ENGINE: &str = "CLEARANCE_ENGINE";

/// An engine that needs a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    Postgres,
    Mysql,
    /// Keeps sessions and has no tables.
    Redis,
}

/// What an engine is to the tests.
impl Engine {
    pub(crate) const ALL: [Self; 3] = [Self::Postgres, Self::Mysql, Self::Redis];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Redis => "redis",
        }
    }

    /// The variable that names a server.
    pub(crate) const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "POSTGRES_URL",
            Self::Mysql => "MYSQL_URL",
            Self::Redis => "REDIS_URL",
        }
    }

    /// What a test binary names when it runs on this engine.
    pub(crate) const fn asked_by(self) -> &'static str {
        match self {
            Self::Postgres | Self::Mysql => "\"../support/engines.rs\"",
            Self::Redis => "\"../support/stores.rs\"",
        }
    }
}

/// Whether a server keeps what it has answered for when it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// For tests, which throw their data away: quicker.
    Off,
    On,
}

/// A server that runs, or one that the environment names.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) engine: Engine,
    /// It may hold a password.
    pub(crate) url: String,
    /// As the report calls it.
    pub(crate) origin: String,
}

/// Has the tests that this command runs ask that server, or SQLite, which needs none.
pub(crate) fn ask(server: Option<&Server>, tests: &mut Command) {
    match server {
        Some(server) => tests
            .env(ENGINE, server.engine.name())
            .env(server.engine.variable(), &server.url),
        None => tests.env_remove(ENGINE),
    };
}

/// Ends every server, and whatever asks it, when it is dropped.
pub(crate) struct Servers(pub(crate) Vec<Server>);

impl Servers {
    /// The servers of these engines: those that the environment names, else new ones.
    pub(crate) fn of(engines: &[Engine]) -> Result<Self, Failure> {
        Self::each(engines, |engine| match named(engine) {
            Some(server) => Ok(server),
            None => throw_away(engine),
        })
    }

    /// A new server of an engine, that keeps what it has answered for, to be killed.
    pub(crate) fn durable(engine: Engine) -> Result<(Self, Running), Failure> {
        HELD.on_signal()?;
        let mut servers = Self(Vec::new());
        let (server, running) = start(engine, Durability::On)?;
        servers.0.push(server);
        Ok((servers, running))
    }

    /// A new PostgreSQL, and the URL of a standby that follows it.
    pub(crate) fn with_standby() -> Result<(Self, String), Failure> {
        let (servers, running) = Self::durable(Engine::Postgres)?;
        let (standby, _) = postgres::start_standby(&running)?;
        Ok((servers, standby.url))
    }

    fn each(
        engines: &[Engine],
        server: impl Fn(Engine) -> Result<Server, Failure>,
    ) -> Result<Self, Failure> {
        HELD.on_signal()?;
        // From here on a failure ends what was started.
        let mut servers = Self(Vec::new());
        for engine in engines {
            servers.0.push(server(*engine)?);
        }
        Ok(servers)
    }

    /// The server of this engine, among those that were asked for.
    pub(crate) fn server(&self, engine: Engine) -> Option<&Server> {
        self.0.iter().find(|server| server.engine == engine)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        HELD.end();
    }
}

/// `cargo xtask servers`
pub(crate) fn wait() -> Result<(), Failure> {
    let servers = Servers::each(&Engine::ALL, throw_away)?;
    println!();
    for server in &servers.0 {
        println!("export {}='{}'", server.engine.variable(), server.url);
    }
    println!("\nthey run until this command is ended with Ctrl-C");
    loop {
        std::thread::park();
    }
}

fn named(engine: Engine) -> Option<Server> {
    let url = std::env::var(engine.variable()).ok()?;
    (!url.is_empty()).then(|| Server {
        engine,
        url,
        origin: format!("the server that {} names", engine.variable()),
    })
}

fn throw_away(engine: Engine) -> Result<Server, Failure> {
    start(engine, Durability::Off).map(|(server, _)| server)
}

fn start(engine: Engine, durability: Durability) -> Result<(Server, Running), Failure> {
    match engine {
        Engine::Postgres => postgres::start(durability),
        Engine::Mysql => mysql::start(durability),
        Engine::Redis => redis::start(durability),
    }
}
