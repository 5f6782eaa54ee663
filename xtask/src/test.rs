//! `cargo xtask test`: the one command that shows the project works.

use std::process::Command;

use crate::Failure;
use crate::command::{cargo, root, shown};
use crate::servers::{Engine, Servers};

/// The variable that tells the tests which engine a run is about.
const ENGINE: &str = "CLEARANCE_ENGINE";

/// The tests that run on each engine: whatever asks a database. What only SQLite can show has a
/// name that says so, and is left out by it.
const ON_EACH_ENGINE: &[&str] = &["policies", "agreement", "side_channels", "stores"];
const ONLY_SQLITE: &str = "on_sqlite";

/// What a run is about.
#[derive(Debug, PartialEq, Eq)]
struct Scope {
    /// The whole workspace on SQLite, which is bundled and needs no server.
    workspace: bool,
    servers: Vec<Engine>,
}

impl Scope {
    fn of(only: Option<&str>) -> Result<Self, Failure> {
        let engine = |name: &str| Engine::ALL.into_iter().find(|engine| engine.name() == name);
        match only {
            None => Ok(Self {
                workspace: true,
                servers: Engine::ALL.to_vec(),
            }),
            Some("sqlite") => Ok(Self {
                workspace: true,
                servers: Vec::new(),
            }),
            Some(name) => match engine(name) {
                Some(engine) => Ok(Self {
                    workspace: false,
                    servers: vec![engine],
                }),
                None => Err(format!(
                    "`{name}` is not an engine that is tested; there is: sqlite, {}",
                    Engine::ALL.map(Engine::name).join(", ")
                )),
            },
        }
    }

    fn left_out(&self) -> Vec<&'static str> {
        let mut left_out = Vec::new();
        if !self.workspace {
            left_out.push("sqlite and what needs no database, and the example");
        }
        for engine in Engine::ALL {
            if !self.servers.contains(&engine) {
                left_out.push(engine.name());
            }
        }
        left_out
    }
}

pub(crate) fn run(only: Option<&str>) -> Result<(), Failure> {
    let scope = Scope::of(only)?;
    // Before anything long, so that what is missing is known at once.
    let servers = Servers::start(&scope.servers)?;
    let mut report = Vec::new();
    let mut passed = true;
    let mut ignored = 0;
    let mut lane = |what: &str, command: &mut Command| -> Result<(), Failure> {
        let (output, ended_well) = shown(command)?;
        let counts = Counts::read(&output);
        passed &= ended_well;
        ignored += counts.ignored;
        report.push(format!(
            "{:6}  {what}: {} passed, {} failed",
            word(ended_well),
            counts.passed,
            counts.failed
        ));
        Ok(())
    };
    if scope.workspace {
        lane(
            "unit, integration, doc and compile-fail tests, all features, SQLite",
            cargo(&root())
                .args(["test", "--workspace", "--all-features", "--no-fail-fast"])
                .env_remove(ENGINE),
        )?;
    }
    for server in &servers.0 {
        let mut tests = cargo(&root());
        tests.args(["test", "--all-features", "--no-fail-fast"]);
        for name in ON_EACH_ENGINE {
            tests.args(["--test", name]);
        }
        tests
            .args(["--", "--skip", ONLY_SQLITE])
            .env(ENGINE, server.engine.name())
            .env(server.engine.variable(), &server.url);
        let what = format!(
            "what asks a database, {} ({})",
            server.engine.name(),
            server.origin
        );
        lane(&what, &mut tests)?;
    }
    drop(servers);
    if scope.workspace {
        let (_, ended_well) = shown(cargo(&root()).args(["run", "--example", "quickstart"]))?;
        passed &= ended_well;
        report.push(format!("{:6}  example quickstart", word(ended_well)));
    }

    println!("\ncargo xtask test");
    for line in &report {
        println!("  {line}");
    }
    println!("  left out: {}", left_out_of(&scope.left_out(), ignored));
    if passed {
        Ok(())
    } else {
        Err("not everything passed".to_owned())
    }
}

fn word(passed: bool) -> &'static str {
    if passed { "passed" } else { "FAILED" }
}

fn left_out_of(engines: &[&str], ignored: usize) -> String {
    let mut parts: Vec<String> = engines.iter().map(|engine| (*engine).to_owned()).collect();
    if ignored > 0 {
        parts.push(format!("{ignored} ignored tests"));
    }
    if parts.is_empty() {
        parts.push("nothing".to_owned());
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
        assert!(failure.contains("sqlite, postgres, mysql"), "{failure}");
    }

    #[test]
    fn what_is_not_run_is_said() {
        assert_eq!(
            Scope::of(Some("sqlite")).unwrap().left_out(),
            ["postgres", "mysql"]
        );
        assert_eq!(Scope::of(None).unwrap().left_out(), [""; 0]);
        let one = Scope::of(Some("mysql")).unwrap();
        assert_eq!(one.servers, [Engine::Mysql]);
        assert!(one.left_out().contains(&"postgres"));
        assert_eq!(left_out_of(&one.left_out(), 2).matches(", ").count(), 3);
    }
}
