//! Redis.

use rustix::process::Signal;

use super::held::Stop;
use super::launch::{Place, find, version};
use super::running::{Program, Running};
use super::{Durability, Engine, Server, install};
use crate::Failure;

/// Starts one that takes no snapshots.
pub(super) fn start(durability: Durability) -> Result<(Server, Running), Failure> {
    let program = |name: &'static str| install::program("redis-server", || find(&[name], &[]));
    let redis = program("redis-server")?;
    let cli = program("redis-cli")?;
    let origin = version(&redis);

    let place = Place::new("redis", durability)?;
    // In a file, because everybody on the machine sees arguments.
    let settings = place.file(
        "redis.conf",
        &format!(
            "bind 127.0.0.1\nrequirepass {}\nsave \"\"\n{}maxmemory-policy noeviction\n",
            place.password,
            settings(durability)
        ),
    )?;
    let server = move |place: &Place, port: u16| {
        let mut server = place.command(&redis);
        server.arg(&settings).args(["--port", &port.to_string()]);
        server
    };
    let client = move |place: &Place, port: u16| {
        let mut client = place.command(&cli);
        client
            .args(["-h", "127.0.0.1", "-p", &port.to_string()])
            // An answer that is an error is a failure only with `-e`.
            .args(["-e", "PING"])
            .env("REDISCLI_AUTH", &place.password);
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
        engine: Engine::Redis,
        url: format!("redis://:{password}@127.0.0.1:{port}/"),
        origin,
    };
    Ok((server, running))
}

const fn settings(durability: Durability) -> &'static str {
    match durability {
        Durability::Off => "appendonly no\n",
        Durability::On => "appendonly yes\nappendfsync always\n",
    }
}
