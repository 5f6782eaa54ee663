//! The tests that really run, as the test binaries themselves list them.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use crate::Failure;
use crate::command::{cargo, line, read, root, write};
use crate::test::RAN;

/// The test that drives the compile-fail cases.
const DRIVER: &str = "compile_fail";
const CASES: &str = "tests/compile-fail/ui";

/// A test, or a file that a compile-fail test compiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) place: String,
}

/// Builds the test binaries and asks each what it runs.
pub(crate) fn ask() -> Result<Vec<Case>, Failure> {
    let all = list(&["--list", "--format", "terse"])?;
    let ignored = list(&["--ignored", "--list", "--format", "terse"])?;
    with_files(all.into_iter().filter(|case| !ignored.contains(case)))
}

/// Returns the tests that passed in the last `cargo xtask test`.
pub(crate) fn ran() -> Result<Vec<Case>, Failure> {
    let output = read(&root().join(RAN))
        .map_err(|reason| format!("{reason}; `cargo xtask test` writes it"))?;
    with_files(parse(&output).into_iter())
}

/// Adds the files of the compile-fail tests, where those run.
fn with_files(cases: impl Iterator<Item = Case>) -> Result<Vec<Case>, Failure> {
    let mut cases: Vec<Case> = cases
        .map(|case| Case {
            name: without_line(&case.name).to_owned(),
            ..case
        })
        .collect();
    let driver = cases.iter().any(|case| drives(&case.name));
    let files = compile_fail(&root().join(CASES))?;
    if driver {
        cases.extend(files);
    } else if !files.is_empty() {
        println!(
            "warning: no test `{DRIVER}` runs, so the {} files in {CASES} are not counted",
            files.len()
        );
    }
    Ok(cases)
}

fn drives(name: &str) -> bool {
    name.rsplit("::").next() == Some(DRIVER)
}

fn list(arguments: &[&str]) -> Result<Vec<Case>, Failure> {
    // Cargo names a binary on standard error, the binary names its tests on standard output.
    // Only one file for both keeps them in order.
    let path = root().join("target/xtask/tests.txt");
    write(&path, "")?;
    let open = || {
        File::options()
            .append(true)
            .open(&path)
            .map_err(|error| format!("{}: {error}", path.display()))
    };
    let mut command = cargo(&root());
    command
        .args(["test", "--workspace", "--all-features", "--"])
        .args(arguments)
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TERM_QUIET", "false")
        .stdin(Stdio::null())
        .stdout(open()?)
        .stderr(open()?);
    let status = command
        .status()
        .map_err(|error| format!("`{}`: {error}", line(&command)))?;
    let text = read(&path)?;
    if status.success() {
        Ok(parse(&text))
    } else {
        Err(format!("{text}\n`{}` failed", line(&command)))
    }
}

fn parse(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut place = None;
    for line in text.lines() {
        if let Some(binary) = line.trim_start().strip_prefix("Running ") {
            let binary = binary.strip_prefix("unittests ").unwrap_or(binary);
            let (source, program) = binary.split_once(" (").unwrap_or((binary, ""));
            // `src/lib.rs` alone does not say of which package it is.
            place = Some(match package(program) {
                Some(package) if source.starts_with("src/") => format!("{package}, {source}"),
                _ => source.to_owned(),
            });
        } else if let Some(package) = line.trim_start().strip_prefix("Doc-tests ") {
            place = Some(format!("{package}, documentation"));
        } else if let (Some(place), Some(name)) = (&place, listed(line).or_else(|| passed(line))) {
            cases.push(Case {
                name: name.to_owned(),
                place: place.clone(),
            });
        }
    }
    cases
}

/// The name in a line of `--list`.
fn listed(line: &str) -> Option<&str> {
    line.strip_suffix(": test")
}

/// The name in a line of a run, of a test that passed.
fn passed(line: &str) -> Option<&str> {
    let name = line.strip_prefix("test ")?.strip_suffix(" ... ok")?;
    Some(name.strip_suffix(" - should panic").unwrap_or(name))
}

/// The package of `target/debug/deps/<package>-<hash>)`.
fn package(program: &str) -> Option<&str> {
    let name = program.trim_end_matches(')').rsplit(['/', '\\']).next()?;
    let (package, _hash) = name.rsplit_once('-')?;
    Some(package)
}

/// A documentation test's name without its line, which moves with every edit.
fn without_line(name: &str) -> &str {
    name.split_once(" (line ").map_or(name, |(name, _)| name)
}

/// The files that must not compile. One without its expected errors beside it shows nothing.
fn compile_fail(directory: &Path) -> Result<Vec<Case>, Failure> {
    let mut cases = Vec::new();
    if !directory.exists() {
        return Ok(cases);
    }
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_source = path.extension().is_some_and(|extension| extension == "rs");
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if !is_source {
            continue;
        }
        if path.with_extension("stderr").exists() {
            cases.push(Case {
                name: name.to_owned(),
                place: CASES.to_owned(),
            });
        } else {
            println!("warning: {CASES}/{name} has no .stderr beside it, so it is not counted");
        }
    }
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "\
   Compiling clearance v0.1.0
warning: a line that ends in: test
    Finished `test` profile [unoptimized] target(s) in 0.29s
     Running unittests src/lib.rs (target/debug/deps/clearance-4f0a)
error::tests::vs_20_outage: test
     Running tests/sessions.rs (target/debug/deps/sessions-11aa)
sd_04_forged: test
speed: benchmark
   Doc-tests clearance
src/error.rs - error::Error (line 16): test
src/lib.rs - (line 9) - compile fail: test
";

    fn case(name: &str, place: &str) -> Case {
        Case {
            name: name.to_owned(),
            place: place.to_owned(),
        }
    }

    #[test]
    fn tests_are_read_with_their_binary() {
        assert_eq!(
            parse(LISTING),
            [
                case("error::tests::vs_20_outage", "clearance, src/lib.rs"),
                case("sd_04_forged", "tests/sessions.rs"),
                case(
                    "src/error.rs - error::Error (line 16)",
                    "clearance, documentation"
                ),
                case(
                    "src/lib.rs - (line 9) - compile fail",
                    "clearance, documentation"
                ),
            ]
        );
    }

    #[test]
    fn a_run_counts_what_passed_in_it() {
        const RUN: &str = "\
     Running unittests src/lib.rs (target/debug/deps/clearance-4f0a)

running 4 tests
test error::tests::vs_20_outage ... ok
test sd_04_forged ... FAILED
test sd_05_expired ... ignored
test t_1_a_bug - should panic ... ok

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s

   Doc-tests clearance
test src/lib.rs - (line 9) - compile fail ... ok
";
        assert_eq!(
            parse(RUN),
            [
                case("error::tests::vs_20_outage", "clearance, src/lib.rs"),
                case("t_1_a_bug", "clearance, src/lib.rs"),
                case(
                    "src/lib.rs - (line 9) - compile fail",
                    "clearance, documentation"
                ),
            ]
        );
    }

    #[test]
    fn the_line_of_a_documentation_test_is_dropped() {
        assert_eq!(without_line("src/lib.rs - a (line 9)"), "src/lib.rs - a");
        assert_eq!(without_line("a::b"), "a::b");
    }

    #[test]
    fn a_compile_fail_file_counts_with_its_expected_errors_only() {
        let directory = root().join("target/xtask/ui");
        write(&directory.join("x4_a.rs"), "").unwrap();
        write(&directory.join("x4_a.stderr"), "").unwrap();
        write(&directory.join("x4_b.rs"), "").unwrap();
        assert_eq!(compile_fail(&directory).unwrap(), [case("x4_a.rs", CASES)]);
        assert_eq!(compile_fail(&directory.join("none")).unwrap(), []);
    }

    #[test]
    fn the_driver_is_known_by_its_name() {
        assert!(drives("compile_fail"));
        assert!(drives("ui::compile_fail"));
        assert!(!drives("compile_fail::something_else"));
        assert!(!drives("a_compile_fail_file_counts"));
    }
}
