//! `cargo xtask test`: the one command that shows the project works.

use crate::Failure;
use crate::command::{cargo, root, shown};

/// Every engine that has a lane. SQLite is bundled, so it needs no server.
const ENGINES: &[&str] = &["sqlite"];

pub(crate) fn run(only: Option<&str>) -> Result<(), Failure> {
    if let Some(engine) = only
        && !ENGINES.contains(&engine)
    {
        return Err(format!(
            "`{engine}` is not an engine that is tested; there is: {}",
            ENGINES.join(", ")
        ));
    }
    let mut report = Vec::new();

    let (output, tests_passed) =
        shown(cargo(&root()).args(["test", "--workspace", "--all-features", "--no-fail-fast"]))?;
    let counts = Counts::read(&output);
    report.push(format!(
        "{:6}  unit, integration, doc and compile-fail tests, all features: {} passed, {} failed",
        word(tests_passed),
        counts.passed,
        counts.failed
    ));

    let (_, example_passed) = shown(cargo(&root()).args(["run", "--example", "quickstart"]))?;
    report.push(format!("{:6}  example quickstart", word(example_passed)));

    let (ran, left_out): (Vec<&str>, Vec<&str>) = ENGINES
        .iter()
        .partition(|engine| only.is_none_or(|only| only == **engine));
    println!("\ncargo xtask test");
    for line in &report {
        println!("  {line}");
    }
    println!("  engines:  {}", ran.join(", "));
    println!(
        "  left out: {}",
        left_out_of(&left_out, counts.ignored, only.is_some())
    );

    if tests_passed && example_passed {
        Ok(())
    } else {
        Err("not everything passed".to_owned())
    }
}

fn word(passed: bool) -> &'static str {
    if passed { "passed" } else { "FAILED" }
}

fn left_out_of(engines: &[&str], ignored: usize, narrowed: bool) -> String {
    let mut parts: Vec<String> = engines.iter().map(|engine| (*engine).to_owned()).collect();
    if ignored > 0 {
        parts.push(format!("{ignored} ignored tests"));
    }
    if parts.is_empty() {
        parts.push(if narrowed {
            "nothing; no other engine is tested yet".to_owned()
        } else {
            "nothing".to_owned()
        });
    }
    parts.join(", ")
}

/// What the test harnesses counted, over all binaries.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) ignored: usize,
}

impl Counts {
    /// Adds up every line such as `test result: ok. 3 passed; 0 failed; 1 ignored; ..`.
    pub(crate) fn read(output: &str) -> Self {
        let mut counts = Self::default();
        let results = output
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("test result: "));
        for part in results.flat_map(|line| line.split(['.', ';'])) {
            let mut words = part.split_whitespace();
            let Some(number) = words.next().and_then(|word| word.parse::<usize>().ok()) else {
                continue;
            };
            match words.next() {
                Some("passed") => counts.passed += number,
                Some("failed") => counts.failed += number,
                Some("ignored") => counts.ignored += number,
                _ => {}
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_added_over_all_binaries() {
        let output = "\
running 2 tests
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s
test result: FAILED. 3 passed; 4 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.2s
";
        assert_eq!(
            Counts::read(output),
            Counts {
                passed: 5,
                failed: 4,
                ignored: 1
            }
        );
    }

    #[test]
    fn an_engine_without_a_lane_is_refused_before_anything_runs() {
        let failure = run(Some("oracle")).unwrap_err();
        assert!(failure.contains("`oracle`"), "{failure}");
        assert!(failure.contains("sqlite"), "{failure}");
    }
}
