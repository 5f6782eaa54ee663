//! PostgreSQL.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;

use super::held::Stop;
use super::launch::{ACCOUNT, Place, find, option, version};
use super::{Engine, Server, install};
use crate::Failure;

const INSTALLED: &str = "/usr/lib/postgresql";

/// Starts one with UTF-8, without waiting for the disk.
pub(super) fn start() -> Result<Server, Failure> {
    let postgres = install::program("postgresql", || find(&["postgres"], &installed()))?;
    // A link on the path leads to where its companions are.
    let postgres =
        fs::canonicalize(&postgres).map_err(|error| format!("{}: {error}", postgres.display()))?;
    let beside = |name: &str| postgres.with_file_name(name);
    let place = Place::new("postgres")?;
    let data = place.directory.join("data");
    let password = place.file("password", &place.password)?;
    place.finish(
        place
            .command(&beside("initdb"))
            .arg(option("pgdata", &data))
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
    let server = |port: u16| {
        let mut server = place.command(&postgres);
        server.arg("-D").arg(&data).arg("-k").arg(&place.directory);
        server.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        for setting in [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_connections=200",
            "timezone=UTC",
        ] {
            server.args(["-c", setting]);
        }
        server
    };
    let psql = beside("psql");
    let client = |port: u16| {
        let mut client = place.command(&psql);
        client
            .args(["--no-psqlrc", "--no-password", "--host=127.0.0.1"])
            .args([format!("--port={port}"), format!("--username={ACCOUNT}")])
            .args(["--dbname=postgres", "--command=SELECT 1"])
            .env("PGPASSWORD", &place.password)
            .env("PGCONNECT_TIMEOUT", "2");
        client
    };
    // SIGINT ends connections; SIGTERM would wait for them.
    let port = place.serve(Stop::Leader(Signal::INT), server, client)?;
    let password = &place.password;
    Ok(Server {
        engine: Engine::Postgres,
        url: format!("postgres://{ACCOUNT}:{password}@127.0.0.1:{port}/postgres?sslmode=disable"),
        origin: version(&postgres),
    })
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
