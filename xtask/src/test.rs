//! `cargo xtask test`: the one command that shows the project works.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Failure;
use crate::command::{cargo, read, root, shown, shown_whole, write};
use crate::servers::{self, Engine, HELD, Server, Servers};

/// What the test run of the workspace printed, for `cargo xtask coverage --ran`.
pub(crate) const RAN: &str = "target/xtask/ran.txt";

/// What only SQLite can show has a name that says so, and is left out by it on the others.
pub(crate) const ONLY_SQLITE: &str = "on_sqlite";

/// The level of isolation that tests begin their connections with.
const ISOLATION: &str = "CLEARANCE_ISOLATION";

/// What a transaction sees of others must change nothing here.
const AT_EACH_LEVEL: [&str; 3] = ["agreement", "session_stores", "writes"];

/// The level besides the engine's own that real servers are set to.
const fn other_isolation(engine: Engine) -> Option<&'static str> {
    match engine {
        Engine::Postgres => Some("serializable"),
        Engine::Mysql => Some("read committed"),
        Engine::Redis => None,
    }
}

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
    let lanes = lanes(&scope.servers, &root().join("tests"))?;
    // Before anything long, so that what is missing is known at once.
    let servers = Servers::of(&scope.servers)?;
    // Tests that are ended by a signal leave their files behind.
    let temporary = HELD.directory(None)?;
    let mut report = Vec::new();
    let mut passed = true;
    let mut ignored = 0;
    let mut lane = |what: &str, mut command: Command| -> Result<String, Failure> {
        command.env("TMPDIR", &temporary);
        let (output, ended_well) = shown_whole(command)?;
        let counts = Counts::read(&output);
        let ended_well = ended_well && counts.passed > 0;
        passed &= ended_well;
        ignored += counts.ignored;
        report.push(format!("{:6}  {what}: {counts}", word(ended_well)));
        Ok(output)
    };
    if scope.workspace {
        let mut tests = cargo(&root());
        tests.args(["test", "--workspace", "--all-features", "--no-fail-fast"]);
        servers::ask(None, &mut tests);
        let output = lane(
            "unit, integration, doc and compile-fail tests, all features, SQLite",
            tests,
        )?;
        write(&root().join(RAN), &output)?;
    }
    for (server, names) in servers.0.iter().zip(&lanes) {
        let what = format!(
            "what asks a server ({}), {}, {}",
            names.join(", "),
            server.engine.name(),
            server.origin
        );
        lane(&what, on(server, names))?;
        if let Some(level) = other_isolation(server.engine) {
            let names = AT_EACH_LEVEL.map(str::to_owned);
            let name = server.engine.name();
            let what = format!("{}, {name} at {level}", names.join(", "));
            let mut tests = on(server, &names);
            tests.env(ISOLATION, level);
            lane(&what, tests)?;
        }
    }
    if scope.workspace {
        // The first lane has built it: `cargo run --example` alone would choose other features for its
        // dependencies, and build them once more.
        let program =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
        let mut example = Command::new(program.join("debug/examples/quickstart"));
        let (_, ended_well) = shown(example.current_dir(root()))?;
        passed &= ended_well;
        report.push(format!("{:6}  example quickstart", word(ended_well)));
    }
    drop(servers);

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

/// These test binaries on a server.
fn on(server: &Server, names: &[String]) -> Command {
    let mut tests = cargo(&root());
    // Of the whole workspace, as in the first lane, whose programs have the same features then and are
    // not built once more.
    tests.args(["test", "--workspace", "--all-features", "--no-fail-fast"]);
    for name in names {
        tests.args(["--test", name]);
    }
    // The first lane has run those.
    tests.args(["--", "--skip", ONLY_SQLITE]);
    tests.env_remove(ISOLATION);
    servers::ask(Some(server), &mut tests);
    tests
}

/// The test binaries of each engine, in the order of the engines.
fn lanes(engines: &[Engine], tests: &Path) -> Result<Vec<Vec<String>>, Failure> {
    let asking = |engine: &Engine| asking(engine.asked_by(), tests);
    engines.iter().map(asking).collect()
}

/// The test binaries that name `support`.
fn asking(support: &str, tests: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error: std::io::Error| format!("{}: {error}", tests.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(tests).map_err(failed)? {
        let directory = entry.map_err(failed)?.path();
        let main = directory.join("main.rs");
        if main.is_file() && read(&main)?.contains(support) {
            let name = directory.file_name().unwrap_or_default();
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    // Without a name cargo would run every test.
    if names.is_empty() {
        return Err(format!("nothing in {} names {support}", tests.display()));
    }
    Ok(names)
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
    /// Left out by name.
    pub(crate) filtered: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.filtered > 0 {
            write!(f, ", {} are for SQLite only", self.filtered)?;
        }
        Ok(())
    }
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
                Some("filtered") => counts.filtered += number,
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
                ignored: 1,
                filtered: 7
            }
        );
    }

    #[test]
    fn the_tests_of_an_engine_are_those_that_take_their_databases_from_it() {
        let support = Engine::asked_by;
        let tests = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("plain", "mod support;".to_owned()),
            (
                "rows",
                format!("#[path = {}]\nmod a;", support(Engine::Mysql)),
            ),
            (
                "keys",
                format!("#[path = {}]\nmod b;", support(Engine::Redis)),
            ),
        ] {
            fs::create_dir(tests.path().join(name)).unwrap();
            fs::write(tests.path().join(name).join("main.rs"), text).unwrap();
        }
        assert_eq!(
            lanes(&Engine::ALL, tests.path()).unwrap(),
            [["rows"], ["rows"], ["keys"]]
        );

        fs::remove_dir_all(tests.path().join("rows")).unwrap();
        assert!(lanes(&Engine::ALL, tests.path()).is_err());
        assert!(lanes(&Engine::ALL, &root().join("tests")).is_ok());
    }

    #[test]
    fn an_engine_without_a_lane_is_refused_before_anything_runs() {
        let failure = run(Some("oracle")).unwrap_err();
        assert!(failure.contains("`oracle`"), "{failure}");
        assert!(
            failure.contains("sqlite, postgres, mysql, redis"),
            "{failure}"
        );
    }

    #[test]
    fn what_is_not_run_is_said() {
        assert_eq!(
            Scope::of(Some("sqlite")).unwrap().left_out(),
            ["postgres", "mysql", "redis"]
        );
        assert_eq!(Scope::of(None).unwrap().left_out(), [""; 0]);
        let one = Scope::of(Some("mysql")).unwrap();
        assert_eq!(one.servers, [Engine::Mysql]);
        assert!(one.left_out().contains(&"postgres"));
        assert_eq!(left_out_of(&one.left_out(), 2).matches(", ").count(), 4);
    }
}
