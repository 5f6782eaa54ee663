//! One mutation: applied, built, tested, taken back.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::entry::Entry;
use super::tree::Tree;
use crate::Failure;
use crate::command::{cargo, line, read};
use crate::servers::{self, Server};
use crate::test::Counts;

/// A mutated program may loop for ever.
const PATIENCE: Duration = Duration::from_secs(600);

/// What became of a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Every named test failed with the mutation, or ended its program, and passed without it.
    Caught,
    /// This test passed although the check was gone.
    Missed(String),
    /// The entry shows nothing: it cannot be applied, does not compile, or its test does not
    /// pass on the unchanged code.
    Broken(String),
}

impl Outcome {
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Caught => "caught".to_owned(),
            Self::Missed(test) => format!("MISSED by `{test}`"),
            Self::Broken(reason) => format!("BROKEN: {reason}"),
        }
    }
}

/// Why a test shows nothing: it must run and pass while nothing is mutated.
pub(crate) fn unsound(
    tree: &Tree,
    test: &str,
    server: Option<&Server>,
) -> Result<Option<String>, Failure> {
    Ok(match verdict(tree, test, server)? {
        Verdict::Passed => None,
        other => Some(format!(
            "without the mutation `{test}` {}",
            other.describe()
        )),
    })
}

/// Applies the mutation, runs its tests, and takes it back.
pub(crate) fn run(tree: &Tree, entry: &Entry, server: Option<&Server>) -> Result<Outcome, Failure> {
    let Ok(text) = read(&tree.directory.join(&entry.file)) else {
        return Ok(Outcome::Broken(format!("{} cannot be read", entry.file)));
    };
    let mutated = match entry.apply(&text) {
        Ok(mutated) => mutated,
        Err(reason) => return Ok(Outcome::Broken(reason)),
    };
    let _replaced = tree.replace(&entry.file, &mutated)?;
    for test in entry.tests() {
        match verdict(tree, test, server)? {
            // A stack that overflows ends the program, and nothing else shows that it does.
            Verdict::Failed | Verdict::Crashed => {}
            Verdict::Passed => return Ok(Outcome::Missed(test.clone())),
            other => {
                return Ok(Outcome::Broken(format!(
                    "with the mutation `{test}` {}",
                    other.describe()
                )));
            }
        }
    }
    Ok(Outcome::Caught)
}

/// What one `cargo test` said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passed,
    /// A test ran and failed.
    Failed,
    NotBuilt,
    NoSuchTest,
    /// The test program ended without a result: an abort, or a signal.
    Crashed,
    TimedOut,
}

impl Verdict {
    const fn describe(self) -> &'static str {
        match self {
            Self::Passed => "passes",
            Self::Failed => "fails",
            Self::NotBuilt => "does not compile",
            Self::NoSuchTest => "names no test that runs",
            Self::Crashed => "ends without a result",
            Self::TimedOut => "does not end",
        }
    }
}

fn verdict(tree: &Tree, test: &str, server: Option<&Server>) -> Result<Verdict, Failure> {
    // The build comes first and alone, so that an error of the compiler is never taken for a
    // failed test. Documentation tests are compiled when they run.
    let documentation = test.split_whitespace().any(|word| word == "--doc");
    if !documentation {
        let (_, built) = quiet(
            tree,
            &format!("{} --no-run", before_separator(test)),
            server,
        )?;
        match built {
            Some(true) => {}
            Some(false) => return Ok(Verdict::NotBuilt),
            None => return Ok(Verdict::TimedOut),
        }
    }
    let (output, passed) = quiet(tree, test, server)?;
    Ok(judge(&output, passed))
}

/// What stands before ` -- `: the arguments that are cargo's own.
fn before_separator(test: &str) -> &str {
    test.split_once(" -- ").map_or(test, |(cargo, _)| cargo)
}

fn judge(output: &str, passed: Option<bool>) -> Verdict {
    let counts = Counts::read(output);
    if output.contains("Couldn't compile the test.") {
        // A documentation test, which is compiled only now.
        return Verdict::NotBuilt;
    }
    match passed {
        None => Verdict::TimedOut,
        Some(true) if counts.passed > 0 => Verdict::Passed,
        Some(true) => Verdict::NoSuchTest,
        Some(false) if counts.failed > 0 => Verdict::Failed,
        Some(false) => Verdict::Crashed,
    }
}

/// Runs `cargo test` in the copy. The boolean is `None` when it had to be stopped.
fn quiet(
    tree: &Tree,
    arguments: &str,
    server: Option<&Server>,
) -> Result<(String, Option<bool>), Failure> {
    let log = tree.build.with_file_name("last.txt");
    let failed = |error: std::io::Error| format!("{}: {error}", log.display());
    let out = std::fs::File::create(&log).map_err(failed)?;
    let errors = out.try_clone().map_err(failed)?;
    let mut command = cargo(&tree.directory);
    command
        .args(["test", "--all-features"])
        .args(arguments.split_whitespace())
        .env("CARGO_TARGET_DIR", &tree.build)
        .env("CARGO_TERM_COLOR", "never")
        // A snapshot or an expected error that differs must fail, never be written anew.
        .env("INSTA_UPDATE", "no")
        .env_remove("TRYBUILD")
        .stdout(out)
        .stderr(errors);
    servers::ask(server, &mut command);
    let passed = within(PATIENCE, &mut command)?;
    Ok((read(&log)?, passed))
}

/// Waits for a command, and stops it and all that it started when it takes too long.
fn within(patience: Duration, command: &mut Command) -> Result<Option<bool>, Failure> {
    let name = line(command);
    let failed = |error: std::io::Error| format!("`{name}`: {error}");
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let mut child = command.stdin(Stdio::null()).spawn().map_err(failed)?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Ok(Some(status.success()));
        }
        if start.elapsed() > patience {
            let group = format!("-{}", child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            let _ = child.kill();
            let _ = child.wait();
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: &str = "test result: FAILED. 0 passed; 1 failed; 0 ignored";

    #[test]
    fn only_a_test_that_ran_and_failed_counts_as_failed() {
        let passed = "test result: ok. 1 passed; 0 failed; 0 ignored";
        let none = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out";
        let aborted = "error: test failed: process didn't exit successfully (signal: 6, SIGABRT)";
        assert_eq!(judge(FAILED, Some(false)), Verdict::Failed);
        assert_eq!(judge(passed, Some(true)), Verdict::Passed);
        assert_eq!(judge(none, Some(true)), Verdict::NoSuchTest);
        assert_eq!(judge(aborted, Some(false)), Verdict::Crashed);
        assert_eq!(judge("", None), Verdict::TimedOut);
        let documentation = format!("Couldn't compile the test.\n{FAILED}");
        assert_eq!(judge(&documentation, Some(false)), Verdict::NotBuilt);
    }

    #[test]
    fn the_build_gets_only_what_is_for_cargo() {
        assert_eq!(
            before_separator("--test ui compile_fail"),
            "--test ui compile_fail"
        );
        assert_eq!(before_separator("--test ui -- a trybuild=b"), "--test ui");
    }

    #[test]
    fn a_command_that_does_not_end_is_stopped() {
        let mut command = Command::new("sleep");
        command.arg("60");
        let ended = within(Duration::from_millis(1), &mut command).unwrap();
        assert_eq!(ended, None);
    }
}
