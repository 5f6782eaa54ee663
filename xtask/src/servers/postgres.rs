//! PostgreSQL.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::{Engine, Server, User, command, directory, find, finish, free_port, install, run};
use crate::Failure;

const INSTALLED: &str = "/usr/lib/postgresql";

/// Starts one with UTF-8, without waiting for the disk.
pub(super) fn start() -> Result<Server, Failure> {
    let postgres = install::program("postgresql", || find(&["postgres"], &installed()))?;
    // The programs of one version lie together, wherever a link to one of them lies.
    let postgres = postgres
        .canonicalize()
        .map_err(|error| format!("{}: {error}", postgres.display()))?;
    let beside = |name: &str| postgres.with_file_name(name);
    let user = User::of_server("postgres")?;
    let directory = directory(user)?;
    let place = directory.path().to_owned();
    let data = place.join("data");
    finish(
        command(&beside("initdb"), user, &place)
            .arg("-D")
            .arg(&data)
            .args([
                "-U",
                "clearance",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ]),
    )?;
    let port = free_port()?.to_string();
    let log = place.join("log");
    let mut server = command(&postgres, user, &place);
    server
        .arg("-D")
        .arg(&data)
        .args(["-h", "127.0.0.1", "-p", &port, "-k"])
        .arg(&place);
    for setting in [
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "max_connections=200",
        "timezone=UTC",
    ] {
        server.args(["-c", setting]);
    }
    let ready = beside("pg_isready");
    run(&mut server, Signal::INT, directory, &log, || {
        Command::new(&ready)
            .args(["-q", "-h", "127.0.0.1", "-p", &port])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })?;
    Ok(Server {
        engine: Engine::Postgres,
        url: format!("postgres://clearance@127.0.0.1:{port}/postgres"),
        origin: version(&postgres),
    })
}

/// Where Debian keeps the programs, the newest version first.
fn installed() -> Vec<PathBuf> {
    let versions = fs::read_dir(INSTALLED).into_iter().flatten().flatten();
    let mut versions: Vec<_> = versions.map(|version| version.path()).collect();
    versions.sort_by_key(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        std::cmp::Reverse(name.and_then(|name| name.parse::<u32>().ok()))
    });
    versions.iter().map(|version| version.join("bin")).collect()
}

fn version(program: &std::path::Path) -> String {
    super::install::first_line(Command::new(program).arg("--version"))
}
