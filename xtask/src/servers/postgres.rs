//! PostgreSQL.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;

use super::held::Stop;
use super::launch::{ACCOUNT, Place, find, option, version};
use super::running::{Program, Running};
use super::{Durability, Engine, Server, install};
use crate::Failure;

const INSTALLED: &str = "/usr/lib/postgresql";

/// Starts one with UTF-8.
pub(super) fn start(durability: Durability) -> Result<(Server, Running), Failure> {
    let programs = Programs::find()?;
    let place = Place::new("postgres", durability)?;
    let password = place.file("password", &place.password)?;
    place.finish(
        place
            .command(&programs.named("initdb"))
            .arg(option("pgdata", &data(&place)))
            .arg(option("pwfile", &password))
            .args([
                &format!("--username={ACCOUNT}"),
                "--auth-local=trust",
                // On the loopback; an exchange of hashes takes long in a build for tests.
                "--auth-host=password",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ]),
        Stop::Leader(Signal::TERM),
    )?;
    programs.serve(place, durability)
}

/// Starts one that follows another and only reads.
pub(super) fn start_standby(primary: &Running) -> Result<(Server, Running), Failure> {
    let programs = Programs::find()?;
    // Its accounts are those of the other.
    let place = Place::with_password("postgres", Durability::On, primary.password())?;
    place.finish(
        place
            .command(&programs.named("pg_basebackup"))
            .arg(option("pgdata", &data(&place)))
            .args(["--host=127.0.0.1", "--no-password", "--write-recovery-conf"])
            .args(["--checkpoint=fast", "--no-sync"])
            .arg(format!("--port={}", primary.port()))
            .arg(format!("--username={ACCOUNT}"))
            .env("PGPASSWORD", primary.password()),
        Stop::Leader(Signal::TERM),
    )?;
    programs.serve(place, Durability::On)
}

fn data(place: &Place) -> PathBuf {
    place.directory.join("data")
}

/// The programs of one version.
struct Programs {
    postgres: PathBuf,
}

impl Programs {
    fn find() -> Result<Self, Failure> {
        let postgres = install::program("postgresql", || find(&["postgres"], &installed()))?;
        // A link on the path leads to where its companions are.
        let postgres = fs::canonicalize(&postgres)
            .map_err(|error| format!("{}: {error}", postgres.display()))?;
        Ok(Self { postgres })
    }

    fn named(&self, name: &str) -> PathBuf {
        self.postgres.with_file_name(name)
    }

    /// Serves the data that a place has.
    fn serve(self, place: Place, durability: Durability) -> Result<(Server, Running), Failure> {
        let origin = version(&self.postgres);
        let psql = self.named("psql");
        let postgres = self.postgres;
        let server = move |place: &Place, port: u16| {
            let mut server = place.command(&postgres);
            server
                .arg("-D")
                .arg(data(place))
                .arg("-k")
                .arg(&place.directory);
            server.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
            for setting in ["max_connections=200", "timezone=UTC"] {
                server.args(["-c", setting]);
            }
            for setting in settings(durability) {
                server.args(["-c", setting]);
            }
            server
        };
        let client = move |place: &Place, port: u16| {
            let mut client = place.command(&psql);
            client
                .args(["--no-psqlrc", "--no-password", "--host=127.0.0.1"])
                .args([format!("--port={port}"), format!("--username={ACCOUNT}")])
                .args(["--dbname=postgres", "--command=SELECT 1"])
                .env("PGPASSWORD", &place.password)
                .env("PGCONNECT_TIMEOUT", "2");
            client
        };
        let running = Program {
            place,
            // SIGINT ends connections; SIGTERM would wait for them.
            stop: Stop::Leader(Signal::INT),
            server: Box::new(server),
            client: Box::new(client),
        }
        .serve()?;
        let (password, port) = (running.password(), running.port());
        let server = Server {
            engine: Engine::Postgres,
            url: format!(
                "postgres://{ACCOUNT}:{password}@127.0.0.1:{port}/postgres?sslmode=disable"
            ),
            origin,
        };
        Ok((server, running))
    }
}

const fn settings(durability: Durability) -> &'static [&'static str] {
    match durability {
        Durability::Off => &[
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
        ],
        Durability::On => &[
            "fsync=on",
            "synchronous_commit=on",
            "full_page_writes=on",
            // In its directory, which goes with it even where it is never started again.
            "dynamic_shared_memory_type=mmap",
        ],
    }
}

/// Where Debian keeps the programs, the newest version first.
fn installed() -> Vec<PathBuf> {
    let versions = fs::read_dir(INSTALLED).into_iter().flatten().flatten();
    newest_first(versions.map(|version| version.path()).collect())
        .iter()
        .map(|version| version.join("bin"))
        .collect()
}

fn newest_first(mut versions: Vec<PathBuf>) -> Vec<PathBuf> {
    versions.sort_by_key(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        std::cmp::Reverse(name.and_then(|name| name.parse::<u32>().ok()))
    });
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        let versions = ["9", "15", "common", "16"].map(PathBuf::from).to_vec();
        assert_eq!(
            newest_first(versions),
            ["16", "15", "9", "common"].map(PathBuf::from)
        );
    }
}
