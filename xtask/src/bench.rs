//! `cargo xtask bench`: runs the benchmarks and keeps the last output.

use crate::Failure;
use crate::command::{cargo, line, root, shown, write};
use crate::servers::{Engine, Servers};

pub(crate) fn run() -> Result<(), Failure> {
    let servers = Servers::of(&Engine::ALL)?;
    let mut command = cargo(&root());
    command.args(["bench", "--all-features", "--bench", "*"]);
    let mut origins = Vec::new();
    for server in &servers.0 {
        command.env(server.engine.variable(), &server.url);
        origins.push(format!("{} ({})", server.engine.name(), server.origin));
    }
    let (output, passed) = shown(&mut command)?;
    if !passed {
        return Err("the benchmarks failed, so docs/results/bench.md stays as it was".to_owned());
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = format!(
        "# Benchmarks\n\nThe last output of `cargo xtask bench`, which runs `{}`, on {} {} with {cores} cores; {}.\n\n```text\n{}\n```\n",
        line(&command),
        std::env::consts::OS,
        std::env::consts::ARCH,
        origins.join(", "),
        output.trim()
    );
    write(&root().join("docs/results/bench.md"), &text)
}
