//! `cargo xtask fuzz`: lets libFuzzer look for input that breaks what reads bytes from outside.
//!
//! The corpora are part of the repository, so a later run goes on where this one ended. After each
//! run they are made as small as they can be without losing an edge of the code.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::command::{read, root, shown, write};

const TARGETS: [&str; 5] = ["cookie_header", "jws", "jwe", "cursor", "body"];
const DEFAULT_SECONDS: u32 = 600;
/// Files of one corpus that are kept.
const MOST_SEEDS: usize = 75;

/// What one target came to.
struct Outcome {
    target: &'static str,
    seconds: u32,
    executions: String,
    edges: String,
    seeds: usize,
    crashes: usize,
}

pub(crate) fn run(seconds: Option<&str>) -> Result<(), Failure> {
    let seconds = match seconds {
        None => DEFAULT_SECONDS,
        Some(text) => text
            .parse()
            .map_err(|_| format!("`{text}` is no number of seconds"))?,
    };
    install()?;
    let mut outcomes = Vec::new();
    for target in TARGETS {
        outcomes.push(fuzz(target, seconds)?);
    }
    report(&outcomes)?;
    let crashed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.crashes > 0)
        .map(|outcome| outcome.target)
        .collect();
    if crashed.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{} crashed: the inputs are in fuzz/artifacts/",
            crashed.join(", ")
        ))
    }
}

/// The cargo of the nightly toolchain, which sanitizers need.
fn nightly() -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(root())
        .env_remove("CARGO")
        .env("RUSTUP_TOOLCHAIN", "nightly");
    command
}

fn install() -> Result<(), Failure> {
    let there = nightly()
        .args(["fuzz", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if there {
        return Ok(());
    }
    println!("cargo-fuzz is missing, so it is installed:");
    let (_, ended_well) = shown(nightly().args(["install", "--locked", "cargo-fuzz"]))?;
    if ended_well {
        Ok(())
    } else {
        Err("cargo-fuzz could not be installed; it needs the toolchain `nightly`".to_owned())
    }
}

fn fuzz(target: &'static str, seconds: u32) -> Result<Outcome, Failure> {
    let (_, built) = shown(nightly().args(["fuzz", "build", target]))?;
    if !built {
        return Err(format!("the fuzz target `{target}` does not build"));
    }
    let artifacts = root().join("fuzz/artifacts").join(target);
    let before = count(&artifacts);
    let log = root().join(format!("fuzz/target/{target}.log"));
    let (_, ended_well) = logged(
        nightly()
            .args(["fuzz", "run", target, "--"])
            .arg(format!("-max_total_time={seconds}"))
            .args(["-print_final_stats=1", "-timeout=10", "-max_len=4096"]),
        &log,
    )?;
    let text = read(&log)?;
    let executions = after(&text, "stat::number_of_executed_units:");
    let edges = text.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once(" cov: ")?;
        rest.split_whitespace().next()
    });
    let crashes = count(&artifacts).saturating_sub(before);
    if !ended_well && crashes == 0 {
        return Err(format!(
            "the fuzz target `{target}` did not run: see {}",
            log.display()
        ));
    }
    let outcome = Outcome {
        target,
        seconds,
        executions: executions.unwrap_or("?").to_owned(),
        edges: edges.unwrap_or("?").to_owned(),
        seeds: minimise(target)?,
        crashes,
    };
    println!(
        "{target}: {} executions, {} edges, {} crashes",
        outcome.executions, outcome.edges, outcome.crashes
    );
    Ok(outcome)
}

/// Replaces a corpus by few of its files that reach the same edges.
fn minimise(target: &str) -> Result<usize, Failure> {
    let corpus = root().join("fuzz/corpus").join(target);
    let chosen = root().join("fuzz/target/chosen").join(target);
    let failed = |error: std::io::Error| format!("{}: {error}", corpus.display());
    if chosen.exists() {
        fs::remove_dir_all(&chosen).map_err(failed)?;
    }
    fs::create_dir_all(&chosen).map_err(failed)?;
    let log = root().join(format!("fuzz/target/{target}.merge.log"));
    let (_, ended_well) = logged(
        nightly()
            .args(["fuzz", "run", target])
            .args([&chosen, &corpus])
            .args([
                "--",
                "-set_cover_merge=1",
                "-use_counters=0",
                "-max_len=4096",
            ]),
        &log,
    )?;
    if !ended_well {
        return Err(format!("see {}", log.display()));
    }
    let mut files: Vec<PathBuf> = fs::read_dir(&chosen)
        .map_err(failed)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    // A short input says more of the code for its length.
    files.sort_by_key(|file| fs::metadata(file).map_or(u64::MAX, |metadata| metadata.len()));
    files.truncate(MOST_SEEDS);
    fs::remove_dir_all(&corpus).map_err(failed)?;
    fs::create_dir_all(&corpus).map_err(failed)?;
    for file in &files {
        if let Some(name) = file.file_name() {
            fs::copy(file, corpus.join(name)).map_err(failed)?;
        }
    }
    Ok(files.len())
}

/// Runs a command whose standard error, where libFuzzer writes, goes into a file.
fn logged(command: &mut Command, log: &Path) -> Result<(String, bool), Failure> {
    let file = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
    shown(command.stderr(file))
}

fn after<'t>(text: &'t str, label: &str) -> Option<&'t str> {
    text.lines()
        .find_map(|line| line.strip_prefix(label))
        .map(str::trim)
}

fn count(directory: &Path) -> usize {
    fs::read_dir(directory).map_or(0, Iterator::count)
}

fn report(outcomes: &[Outcome]) -> Result<(), Failure> {
    let mut text = String::from(
        "# Fuzzing\n\nThe last output of `cargo xtask fuzz`: libFuzzer with AddressSanitizer, each target for the time \
         stated. Edges are those of the code that the target reaches; seeds are the files of its corpus afterwards.\n\n\
         | target | seconds | executions | edges | seeds | crashes |\n|---|---|---|---|---|---|\n",
    );
    for outcome in outcomes {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            outcome.target,
            outcome.seconds,
            outcome.executions,
            outcome.edges,
            outcome.seeds,
            outcome.crashes
        );
    }
    write(&root().join("docs/results/fuzz.md"), &text)
}
