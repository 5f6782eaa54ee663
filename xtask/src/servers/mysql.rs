//! MySQL and MariaDB.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::{Engine, Server, User, command, directory, find, finish, free_port, install, run};
use crate::Failure;

/// Starts one with utf8mb4, without waiting for the disk.
pub(super) fn start() -> Result<Server, Failure> {
    let directories = ["/usr/sbin", "/usr/libexec"].map(PathBuf::from);
    let server = install::program("mariadb-server", || {
        find(&["mariadbd", "mysqld"], &directories)
    })?;
    let user = User::of_server("mysql")?;
    let directory = directory(user)?;
    let place = directory.path().to_owned();
    let data = place.join("data");
    initialize(&server, user, &place, &data)?;
    let port = free_port()?.to_string();
    let log = place.join("log");
    let mut daemon = command(&server, user, &place);
    daemon
        .arg("--no-defaults")
        .arg(option("datadir", &data))
        .arg(option("socket", &place.join("socket")))
        .arg(option("pid-file", &place.join("pid")))
        .args([
            "--bind-address=127.0.0.1",
            &format!("--port={port}"),
            "--character-set-server=utf8mb4",
            "--default-time-zone=+00:00",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=128M",
            "--max-connections=200",
            "--skip-log-bin",
            "--skip-name-resolve",
        ]);
    let admin = find(&["mariadb-admin", "mysqladmin"], &[])
        .ok_or("`mariadb-admin` is missing: install the client programs of the server")?;
    run(&mut daemon, Signal::TERM, directory, &log, || {
        Command::new(&admin)
            .args([
                "--no-defaults",
                "--protocol=tcp",
                "-h",
                "127.0.0.1",
                "-P",
                &port,
            ])
            .args(["-u", "root", "--connect-timeout=1", "ping"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })?;
    Ok(Server {
        engine: Engine::Mysql,
        url: format!("mysql://root@127.0.0.1:{port}/mysql"),
        origin: super::install::first_line(Command::new(&server).arg("--version")),
    })
}

/// Each of the two has a way of its own to make an empty data directory.
fn initialize(server: &Path, user: Option<User>, place: &Path, data: &Path) -> Result<(), Failure> {
    if let Some(install) = find(&["mariadb-install-db"], &[]) {
        return finish(
            command(&install, user, place)
                .arg("--no-defaults")
                .arg(option("datadir", data))
                .args(["--auth-root-authentication-method=normal", "--skip-test-db"]),
        );
    }
    finish(
        command(server, user, place)
            .args(["--no-defaults", "--initialize-insecure"])
            .arg(option("datadir", data)),
    )
}

fn option(name: &str, path: &Path) -> std::ffi::OsString {
    let mut option = std::ffi::OsString::from(format!("--{name}="));
    option.push(path);
    option
}
