//! Redis.

use rustix::process::Signal;

use super::held::Stop;
use super::launch::{Place, find, version};
use super::{Engine, Server, install};
use crate::Failure;

/// Starts one that keeps nothing on the disk.
pub(super) fn start() -> Result<Server, Failure> {
    let program = |name: &'static str| install::program("redis-server", || find(&[name], &[]));
    let redis = program("redis-server")?;
    let cli = program("redis-cli")?;

    let place = Place::new("redis")?;
    // In a file, because everybody on the machine sees arguments.
    let settings = place.file(
        "redis.conf",
        &format!(
            "bind 127.0.0.1\nrequirepass {}\nsave \"\"\nappendonly no\nmaxmemory-policy noeviction\n",
            place.password
        ),
    )?;
    let server = |port: u16| {
        let mut server = place.command(&redis);
        server.arg(&settings).args(["--port", &port.to_string()]);
        server
    };
    let client = |port: u16| {
        let mut client = place.command(&cli);
        client
            .args(["-h", "127.0.0.1", "-p", &port.to_string()])
            // An answer that is an error is a failure only with `-e`.
            .args(["-e", "PING"])
            .env("REDISCLI_AUTH", &place.password);
        client
    };
    let port = place.serve(Stop::Leader(Signal::TERM), server, client)?;
    let password = &place.password;
    Ok(Server {
        engine: Engine::Redis,
        url: format!("redis://:{password}@127.0.0.1:{port}/"),
        origin: version(&redis),
    })
}
