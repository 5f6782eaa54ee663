//! `cargo xtask soak`: sessions under load for ten minutes, and the last output kept.

use crate::Failure;
use crate::command::{cargo, root, shown, write};
use crate::servers::{Engine, Servers};

/// For how long, unless it is said.
const SECONDS: &str = "600";

pub(crate) fn run(seconds: Option<&str>) -> Result<(), Failure> {
    let seconds = seconds.unwrap_or(SECONDS);
    let servers = Servers::of(&[Engine::Postgres])?;
    let mut command = cargo(&root());
    command
        .args(["test", "--release", "--all-features", "--test", "soak"])
        .env("SOAK_SECONDS", seconds);
    for server in &servers.0 {
        command.env(server.engine.variable(), &server.url);
    }
    let (output, passed) = shown(&mut command)?;
    let text = format!(
        "# Soak\n\nThe last output of `cargo xtask soak {seconds}`: {}.\n\n```text\n{}\n```\n",
        if passed { "passed" } else { "FAILED" },
        output.trim()
    );
    write(&root().join("docs/results/soak.md"), &text)?;
    if passed {
        Ok(())
    } else {
        Err("the soak failed; docs/results/soak.md says how".to_owned())
    }
}
