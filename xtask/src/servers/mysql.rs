//! MariaDB, for what is said about MySQL.

use std::path::PathBuf;

use rustix::process::Signal;

use super::held::Stop;
use super::launch::{ACCOUNT, Place, find, option, version};
use super::running::{Program, Running};
use super::{Durability, Engine, Server, install};
use crate::Failure;

/// Starts one with utf8mb4.
pub(super) fn start(durability: Durability) -> Result<(Server, Running), Failure> {
    // Not everybody's path has the directories of root.
    let directories = ["/usr/sbin", "/usr/libexec"].map(PathBuf::from);
    let program =
        |name: &'static str| install::program("mariadb-server", || find(&[name], &directories));
    let mariadbd = program("mariadbd")?;
    let setup = program("mariadb-install-db")?;
    let admin = program("mariadb-admin")?;

    let place = Place::new("mysql", durability)?;
    let data = place.directory.join("data");
    place.finish(
        place
            .command(&setup)
            .arg("--no-defaults")
            .arg(option("datadir", &data))
            // The other way would give accounts without a password to the whole machine.
            .args(["--auth-root-authentication-method=socket", "--skip-test-db"]),
        Stop::Group(Signal::TERM),
    )?;
    let account = place.file(
        "account.sql",
        &format!(
            "CREATE USER IF NOT EXISTS {ACCOUNT}@'127.0.0.1' IDENTIFIED BY '{}';\n\
             GRANT ALL PRIVILEGES ON *.* TO {ACCOUNT}@'127.0.0.1' WITH GRANT OPTION;\n",
            place.password
        ),
    )?;
    let origin = version(&mariadbd);
    let server = move |place: &Place, port: u16| {
        let mut server = place.command(&mariadbd);
        server
            .arg("--no-defaults")
            .arg(option("datadir", &data))
            .arg(option("socket", &place.directory.join("socket")))
            .arg(option("pid-file", &place.directory.join("pid")))
            .arg(option("init-file", &account))
            .args([
                "--bind-address=127.0.0.1",
                &format!("--port={port}"),
                "--character-set-server=utf8mb4",
                "--default-time-zone=+00:00",
                "--innodb-buffer-pool-size=128M",
                "--max-connections=200",
                "--skip-log-bin",
                "--skip-name-resolve",
            ])
            .args(settings(durability));
        server
    };
    let client = move |place: &Place, port: u16| {
        let mut client = place.command(&admin);
        client
            .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1"])
            .args([format!("--port={port}"), format!("--user={ACCOUNT}")])
            // `ping` succeeds where the account is refused.
            .args(["--connect-timeout=2", "status"])
            .env("MYSQL_PWD", &place.password);
        client
    };
    let running = Program {
        place,
        stop: Stop::Leader(Signal::TERM),
        server: Box::new(server),
        client: Box::new(client),
    }
    .serve()?;
    let (password, port) = (running.password(), running.port());
    let server = Server {
        engine: Engine::Mysql,
        url: format!("mysql://{ACCOUNT}:{password}@127.0.0.1:{port}/mysql?ssl-mode=disabled"),
        origin,
    };
    Ok((server, running))
}

const fn settings(durability: Durability) -> &'static [&'static str] {
    match durability {
        Durability::Off => &[
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-method=nosync",
        ],
        Durability::On => &["--innodb-flush-log-at-trx-commit=1"],
    }
}
