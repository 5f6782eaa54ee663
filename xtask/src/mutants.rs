//! `cargo xtask mutants`: every small change of the code that decides, made by cargo-mutants.
//!
//! `cargo xtask mutations` takes out the checks that somebody listed. This finds those that nobody
//! thought of.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::Failure;
use crate::command::{cargo, root, shown, write};
use crate::test::ONLY_SQLITE;

/// What decides, and asks no server.
const POLICY: [&str; 2] = ["src/policy/**", "src/schema/**"];
/// What makes a rule or a write into SQL, and reads the answer; only the lines that changed, because
/// the whole takes hours. What is left out opens connections, migrates, checks a schema, or keeps
/// sessions and accounts.
const SQL: [&str; 16] = [
    "src/driver/dialect/**",
    "src/driver/on_commit.rs",
    "src/repository/cells.rs",
    "src/repository/own_layout.rs",
    "src/sql/change.rs",
    "src/sql/lookup.rs",
    "src/sql/query.rs",
    "src/sql/render.rs",
    "src/sql/seek.rs",
    "src/sql/select.rs",
    "src/sql/session_check.rs",
    "src/sql/statement_key.rs",
    "src/sql/summary.rs",
    "src/sql/template.rs",
    "src/sql/truths.rs",
    "src/sql/unguarded.rs",
];

const RESULT_OF_POLICY: &str = "docs/results/mutants-policy.md";

#[derive(Debug, Deserialize)]
struct Outcomes {
    outcomes: Vec<Outcome>,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    summary: String,
    scenario: Scenario,
}

/// `"Baseline"`, or `{"Mutant": {"name": "src/policy/eval.rs:1:2: replace .."}}`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Scenario {
    Mutant {
        #[serde(rename = "Mutant")]
        mutant: Mutant,
    },
    Other(#[expect(dead_code, reason = "only mutants are counted")] serde_json::Value),
}

#[derive(Debug, Deserialize)]
struct Mutant {
    name: String,
}

/// Which changes are made.
pub(crate) enum Part<'a> {
    /// All of `src/policy/` and `src/schema/`.
    Policy,
    /// As `1/8`, a part of it.
    Shard(&'a str),
    /// All of it but what the last run caught and nobody changed.
    Again,
    /// The lines of what decides in `src/sql/` that differ from this revision.
    Since(&'a str),
    /// The same, but what the last run of it caught.
    SinceAgain(&'a str),
}

pub(crate) fn run(part: &Part<'_>) -> Result<(), Failure> {
    install()?;
    let output = root().join("target/mutants");
    let again = matches!(part, Part::Again | Part::SinceAgain(_));
    if !again {
        let _ = fs::remove_dir_all(&output);
    }
    let (what, result) = match part {
        Part::Policy | Part::Again => (
            "src/policy/ and src/schema/, whole".to_owned(),
            RESULT_OF_POLICY,
        ),
        Part::Shard(shard) => (
            format!("src/policy/ and src/schema/, part {shard}"),
            RESULT_OF_POLICY,
        ),
        Part::Since(since) | Part::SinceAgain(since) => {
            let diff = output.with_extension("diff");
            fs::write(&diff, difference(since)?).map_err(|error| error.to_string())?;
            let what =
                format!("what decides in src/driver/ and src/sql/ and changed since {since}");
            (what, "docs/results/mutants-sql.md")
        }
    };
    let mut report = pass(part, &output, again, None)?;
    if let Part::Since(_) | Part::SinceAgain(_) = part {
        // What only the SQL of another engine shows.
        for (engine, url) in [("postgres", "POSTGRES_URL"), ("mysql", "MYSQL_URL")] {
            if report.survivors.is_empty() {
                break;
            }
            if std::env::var_os(url).is_some() {
                report = pass(part, &output, true, Some(engine))?;
            } else {
                println!("{engine}: left out, {url} is not set");
            }
        }
    }
    write(&root().join(result), &report.markdown(&what))?;
    println!("\nwrote {result}\n{}", report.counts());
    if report.survivors.is_empty() {
        Ok(())
    } else {
        Err(format!("{} mutants survive", report.survivors.len()))
    }
}

/// Makes the changes, all or those that nothing caught in an earlier pass, and judges them by the
/// tests on one engine, SQLite unless said.
fn pass(
    part: &Part<'_>,
    output: &Path,
    again: bool,
    engine: Option<&str>,
) -> Result<Report, Failure> {
    let mut mutants = cargo(&root());
    mutants
        .args([
            "mutants",
            "--package",
            "clearance",
            "--no-shuffle",
            "--baseline=skip",
        ])
        .args([
            "--timeout",
            "120",
            "--minimum-test-timeout",
            "60",
            "--all-features",
        ])
        .arg("--output")
        .arg(output);
    if again {
        mutants.arg("--iterate");
    }
    // The tests that decide; a mutant that compiles is found by one of them within seconds. They are
    // named to the build too: what stands behind `--` reaches the run only, and every mutant would
    // build every target.
    let mut tests = vec![
        "--lib",
        "--test=policies",
        "--test=agreement",
        "--test=writes",
    ];
    match part {
        Part::Policy | Part::Again => {
            mutants.args(POLICY.iter().flat_map(|file| ["--file", file]));
        }
        Part::Shard(shard) => {
            mutants.args(POLICY.iter().flat_map(|file| ["--file", file]));
            mutants.args(["--shard", shard]);
        }
        Part::Since(_) | Part::SinceAgain(_) => {
            for file in SQL {
                mutants.args(["--file", file]);
            }
            mutants.arg("--in-diff").arg(output.with_extension("diff"));
            tests.push("--test=stores");
        }
    }
    for test in tests {
        mutants.arg(format!("--cargo-arg={test}"));
    }
    mutants.env("AGREEMENT_CASES", "20");
    match engine {
        // As `cargo xtask test` leaves them out: what is about SQLite alone fails on other
        // engines, and every mutant would count as caught.
        Some(engine) => {
            mutants
                .env("CLEARANCE_ENGINE", engine)
                .args(["--", "--", "--skip", ONLY_SQLITE])
        }
        None => mutants.env_remove("CLEARANCE_ENGINE"),
    };
    let _ = shown(&mut mutants)?;
    let text = fs::read_to_string(output.join("mutants.out/outcomes.json"))
        .map_err(|error| format!("cargo-mutants left no result: {error}"))?;
    let mut report = Report::read(&text)?;
    if again {
        let before = output.join("mutants.out/previously_caught.txt");
        let before = fs::read_to_string(before).unwrap_or_default();
        let caught = before.lines().count();
        report
            .by_summary
            .insert("CaughtOrUnviableBefore".to_owned(), caught);
    }
    Ok(report)
}

fn install() -> Result<(), Failure> {
    let there = cargo(&root())
        .args(["mutants", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if there {
        return Ok(());
    }
    println!("cargo-mutants is missing, so it is installed:");
    let (_, ended_well) = shown(cargo(&root()).args(["install", "--locked", "cargo-mutants"]))?;
    if ended_well {
        Ok(())
    } else {
        Err("cargo-mutants could not be installed".to_owned())
    }
}

fn difference(since: &str) -> Result<Vec<u8>, Failure> {
    let output = Command::new("git")
        .current_dir(root())
        .args(["diff", since, "--", "src/driver", "src/sql"])
        .output()
        .map_err(|error| format!("git: {error}"))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("git knows no revision `{since}`"))
    }
}

/// What became of the mutants.
struct Report {
    by_summary: BTreeMap<String, usize>,
    survivors: Vec<String>,
}

impl Report {
    fn read(outcomes: &str) -> Result<Self, Failure> {
        let outcomes: Outcomes = serde_json::from_str(outcomes)
            .map_err(|error| format!("the result of cargo-mutants: {error}"))?;
        let mut report = Self {
            by_summary: BTreeMap::new(),
            survivors: Vec::new(),
        };
        for outcome in outcomes.outcomes {
            if let Scenario::Mutant { mutant } = outcome.scenario {
                if outcome.summary == "MissedMutant" {
                    report.survivors.push(mutant.name);
                }
                *report.by_summary.entry(outcome.summary).or_default() += 1;
            }
        }
        report.survivors.sort();
        Ok(report)
    }

    fn counts(&self) -> String {
        let counts = self.by_summary.iter();
        let counts: Vec<String> = counts
            .map(|(summary, count)| format!("{summary}: {count}"))
            .collect();
        counts.join(", ")
    }

    fn markdown(&self, what: &str) -> String {
        let mut text = format!(
            "# Mutants\n\nThe last output of `cargo xtask mutants`, over {what}.\n\n{}\n",
            self.counts()
        );
        if !self.survivors.is_empty() {
            text += "\nSurvivors:\n\n";
            for survivor in &self.survivors {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "- `{survivor}`");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survivors_are_told_from_the_caught() {
        let outcomes = r#"{"outcomes": [
            {"scenario": "Baseline", "summary": "Success"},
            {"scenario": {"Mutant": {"name": "src/policy/eval.rs:1:2: a"}}, "summary": "CaughtMutant"},
            {"scenario": {"Mutant": {"name": "src/policy/eval.rs:3:4: b"}}, "summary": "MissedMutant"}
        ]}"#;
        let report = Report::read(outcomes).unwrap();
        assert_eq!(report.counts(), "CaughtMutant: 1, MissedMutant: 1");
        assert_eq!(report.survivors, ["src/policy/eval.rs:3:4: b"]);
        assert!(
            report
                .markdown("a test")
                .contains("- `src/policy/eval.rs:3:4: b`")
        );
    }
}
