//! The project's own commands: `cargo xtask <command>`.

mod bench;
mod browser;
mod command;
mod coverage;
mod faults;
mod fuzz;
mod layers;
mod mutants;
mod mutations;
mod names;
mod prose;
mod rooms;
mod servers;
mod size;
mod soak;
mod test;

use std::process::ExitCode;

use coverage::Tests;
use mutants::Part;
use mutations::Chosen;

/// A failure as a sentence for whoever typed the command.
type Failure = String;

const USAGE: &str = "\
usage: cargo xtask <command>

  test [--only <engine>]      every test of the workspace, those of databases on each engine
                              (sqlite, postgres, mysql), those of session stores on redis too,
                              then the quickstart example; uses the servers that POSTGRES_URL,
                              MYSQL_URL and REDIS_URL name, or starts some
  servers                     start a PostgreSQL, a MariaDB and a Redis to test with, until
                              Ctrl-C
  coverage [--ran] [--write]  compare docs/requirements.md with the tests that really run, or with
                              those that passed in the last `cargo xtask test`; --write refreshes
                              docs/coverage.md
  layers                      fail where a room of src/ imports from a room above it
  names                       fail where two types of src/ share a name without a listed reason, or
                              the root of the crate has too many
  rooms [--write]             compare the tables of files in ARCHITECTURE.md with the sources, or
                              write them anew
  prose                       fail where over one in a hundred summaries of the documentation
                              opens with neither a verb nor a noun
  mutations [--list | --only <id or file> | --shard <k/n>]
                              break the code on purpose, one listed change at a time, and
                              require that its test fails; all of it takes hours, so a part
                              replaces only its own lines of docs/results/mutations.md
  mutants [--shard <k/n> | --again | --since <revision> [--again]]
                              let cargo-mutants change the code that decides, one small change
                              at a time: all of src/policy/ and src/schema/, a part of it, what the last run did
                              not catch or somebody changed, or the lines of src/driver/ and src/sql/ that changed; writes docs/results/mutants-*.md
  fuzz [<seconds>]            let libFuzzer look for input that breaks what reads bytes from outside,
                              each target for 600 seconds unless said; needs the nightly
                              toolchain; writes docs/results/fuzz.md and fuzz/corpus/
  bench                       run the benchmarks and keep their output in
                              docs/results/bench.md
  browser                     have Chromium use the example of axum; writes
                              docs/results/browser.md
  size [--crates]             build a program with the library and the same one by hand, from
                              nothing, and compare what they weigh; fails where the library
                              brings a crate without a listed reason, which --crates checks
                              without a build; writes docs/results/size.md
  soak [seconds]              100,000 sessions under load for ten minutes; writes
                              docs/results/soak.md
  faults [kills]              kill PostgreSQL, MariaDB and Redis with SIGKILL under load and start
                              them again, each three times unless said; then lead users to a
                              standby, leave them no memory and no prepared statements; writes
                              docs/results/faults.md";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Failure> {
    match arguments {
        ["test"] => test::run(None),
        ["test", "--only", engine] => test::run(Some(engine)),
        ["servers"] => servers::wait(),
        ["coverage"] => coverage::run(Tests::Listed, false),
        ["coverage", "--write"] => coverage::run(Tests::Listed, true),
        ["coverage", "--ran"] => coverage::run(Tests::Ran, false),
        ["coverage", "--ran", "--write"] => coverage::run(Tests::Ran, true),
        ["prose"] => prose::run(),
        ["layers"] => layers::run(),
        ["names"] => names::run(),
        ["rooms"] => rooms::run(false),
        ["rooms", "--write"] => rooms::run(true),
        ["mutations"] => mutations::run(Chosen::All),
        ["mutations", "--only", about] => mutations::run(Chosen::Only(about)),
        ["mutations", "--shard", shard] => mutations::run(Chosen::Shard(shard)),
        ["mutations", "--list"] => mutations::list(),
        ["mutants"] => mutants::run(&Part::Policy),
        ["mutants", "--shard", shard] => mutants::run(&Part::Shard(shard)),
        ["mutants", "--again"] => mutants::run(&Part::Again),
        ["mutants", "--since", revision] => mutants::run(&Part::Since(revision)),
        ["mutants", "--since", revision, "--again"] => mutants::run(&Part::SinceAgain(revision)),
        ["fuzz"] => fuzz::run(None),
        ["fuzz", seconds] => fuzz::run(Some(seconds)),
        ["bench"] => bench::run(),
        ["browser"] => browser::run(),
        ["size"] => size::run(),
        ["size", "--crates"] => size::check(),
        ["soak"] => soak::run(None),
        ["soak", seconds] => soak::run(Some(seconds)),
        ["faults"] => faults::run(None),
        ["faults", kills] => faults::run(Some(kills)),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(format!(
            "`{}` is not a command\n\n{USAGE}",
            arguments.join(" ")
        )),
    }
}
