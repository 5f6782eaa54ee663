//! `cargo xtask size`: the weight of a program with the library beside the same program written by hand.
//!
//! Both are workspaces of their own below `benches/`, pass the same test, and are built from nothing with the same
//! profile.

mod reasons;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::Failure;
use crate::command::{cargo, read, root, shown, write};
use reasons::REASONS;

const BY_HAND: &str = "by_hand";
const WITH_LIBRARY: &str = "with_clearance";

const PAGE: &str = "docs/results/size.md";

/// The goals, as ratios of the library's program to the one by hand.
const CRATES_GOAL: f64 = 1.10;
const TIME_GOAL: f64 = 1.25;
const BYTES_GOAL: f64 = 1.40;

/// Measures both programs, and writes the page.
pub(crate) fn run() -> Result<(), Failure> {
    let (by_hand, library) = (crates(BY_HAND)?, crates(WITH_LIBRARY)?);
    let added = explained(&by_hand, &library)?;
    let hand = Built::of(BY_HAND)?;
    let ours = Built::of(WITH_LIBRARY)?;
    let lines = [
        Line {
            what: "crates",
            ours: count(&library),
            hand: count(&by_hand),
            goal: CRATES_GOAL,
            digits: 0,
        },
        Line {
            what: "CPU seconds of a release build",
            ours: ours.seconds,
            hand: hand.seconds,
            goal: TIME_GOAL,
            digits: 1,
        },
        Line {
            what: "KiB of the stripped program",
            ours: ours.kibibytes,
            hand: hand.kibibytes,
            goal: BYTES_GOAL,
            digits: 0,
        },
    ];
    write(&root().join(PAGE), &page(&lines, &added))
}

/// Compares the crates of both programs, without building them.
pub(crate) fn check() -> Result<(), Failure> {
    let (by_hand, library) = (crates(BY_HAND)?, crates(WITH_LIBRARY)?);
    let added = explained(&by_hand, &library)?;
    println!(
        "{} crates with the library, {} by hand; {} have a reason",
        library.len(),
        by_hand.len(),
        added.len()
    );
    Ok(())
}

fn directory(program: &str) -> PathBuf {
    root().join("benches").join(program)
}

/// Returns the crates that a build of a program compiles besides its own, each as `name version`.
fn crates(program: &str) -> Result<BTreeSet<String>, Failure> {
    let mut command = cargo(&directory(program));
    command.args(["tree", "--locked", "--edges", "normal,build"]);
    command.args(["--prefix", "none", "--format", "{p}"]);
    let output = command
        .output()
        .map_err(|error| format!("`cargo tree` of {program}: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "`cargo tree` of benches/{program} failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(listed(&String::from_utf8_lossy(&output.stdout)))
}

/// Returns the packages in an output of `cargo tree`, without the first, which is the program itself.
fn listed(tree: &str) -> BTreeSet<String> {
    let package = |line: &str| {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        Some(format!("{name} {version}"))
    };
    tree.lines().skip(1).filter_map(package).collect()
}

/// Returns the crates that only the library's program has, each with its reason, or fails where the list of reasons
/// and the crates differ.
fn explained(
    by_hand: &BTreeSet<String>,
    library: &BTreeSet<String>,
) -> Result<Vec<(String, &'static str)>, Failure> {
    let mut wrong = Vec::new();
    let mut added = Vec::new();
    for package in library.difference(by_hand) {
        let name = package.split(' ').next().unwrap_or_default();
        match REASONS.iter().find(|(known, _)| *known == name) {
            Some((_, reason)) => added.push((package.clone(), *reason)),
            None => wrong.push(format!(
                "only the library brings `{package}`: give it a reason in xtask/src/size/reasons.rs, or take it out"
            )),
        }
    }
    for (name, _) in REASONS {
        if !added
            .iter()
            .any(|(package, _)| package.split(' ').next() == Some(name))
        {
            wrong.push(format!(
                "`{name}` is no crate that only the library brings: take it out of xtask/src/size/reasons.rs"
            ));
        }
    }
    if wrong.is_empty() {
        Ok(added)
    } else {
        Err(wrong.join("\n"))
    }
}

/// The cost of one program.
struct Built {
    seconds: f64,
    kibibytes: f64,
}

impl Built {
    /// Builds a program from nothing, and runs its test, so that only what works is measured.
    fn of(program: &str) -> Result<Self, Failure> {
        let target = root().join("target/xtask/size").join(program);
        let failed = |error: std::io::Error| format!("{}: {error}", target.display());
        if target.exists() {
            fs::remove_dir_all(&target).map_err(failed)?;
        }
        let command = |arguments: &[&str]| {
            let mut command = cargo(&directory(program));
            command.args(arguments).args(["--release", "--locked"]);
            command.arg("--target-dir").arg(&target);
            command
        };
        let before = children_seconds()?;
        let (_, built) = shown(&mut command(&["build"]))?;
        let seconds = children_seconds()? - before;
        if !built {
            return Err(format!("benches/{program} could not be built"));
        }
        let binary = target.join("release/people");
        let bytes = fs::metadata(&binary).map_err(failed)?.len();
        let (_, passed) = shown(&mut command(&["test"]))?;
        if !passed {
            return Err(format!("the test of benches/{program} failed"));
        }
        Ok(Self {
            seconds,
            kibibytes: number(bytes) / 1024.0,
        })
    }
}

/// Returns the CPU time, of user and system, of all processes that ended below this one.
fn children_seconds() -> Result<f64, Failure> {
    let stat = read(&PathBuf::from("/proc/self/stat"))
        .map_err(|error| format!("CPU time is read from Linux's /proc: {error}"))?;
    let ticks = children_ticks(&stat).ok_or("/proc/self/stat has another form")?;
    Ok(number(ticks) / number(rustix::param::clock_ticks_per_second()))
}

/// Returns the fields `cutime` and `cstime` of a line of `/proc/<pid>/stat`, together.
fn children_ticks(stat: &str) -> Option<u64> {
    // The name of the program, in parentheses, may hold spaces; the third field follows it.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(13);
    let (user, system) = (fields.next()?, fields.next()?);
    Some(user.parse::<u64>().ok()? + system.parse::<u64>().ok()?)
}

/// One measure of both programs.
struct Line {
    what: &'static str,
    ours: f64,
    hand: f64,
    goal: f64,
    digits: usize,
}

fn page(lines: &[Line], added: &[(String, &str)]) -> String {
    let mut page = format!(
        "# Size\n\nThe last output of `cargo xtask size`: what a program weighs that uses `clearance` (`benches/{WITH_LIBRARY}`), beside \
         the same program written by hand (`benches/{BY_HAND}`). Both answer the same requests on SQLite with axum, and pass the \
         same test. Their dependencies are counted by `cargo tree`, normal and build ones; the CPU time is user and system of all \
         processes of `cargo build --release` into an empty directory, on {} {}.\n\n",
        std::env::consts::OS,
        std::env::consts::ARCH,
    );
    page.push_str("| | with clearance | by hand | ratio | goal | |\n|---|---|---|---|---|---|\n");
    for line in lines {
        let (digits, ratio) = (line.digits, line.ours / line.hand);
        let _ = writeln!(
            page,
            "| {} | {:.digits$} | {:.digits$} | {:.2} | {:.2} | {} |",
            line.what,
            line.ours,
            line.hand,
            ratio,
            line.goal,
            if ratio <= line.goal { "met" } else { "NOT MET" },
        );
    }
    page.push_str(
        "\nCrates that only the program with the library has:\n\n| crate | reason |\n|---|---|\n",
    );
    for (package, reason) in added {
        let _ = writeln!(page, "| `{package}` | {reason} |");
    }
    page
}

fn count(crates: &BTreeSet<String>) -> f64 {
    u32::try_from(crates.len()).map_or(f64::INFINITY, f64::from)
}

/// Converts a number whose last digits do not matter.
#[expect(clippy::cast_precision_loss, reason = "no measure here has 53 bits")]
const fn number(whole: u64) -> f64 {
    whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(packages: &[&str]) -> BTreeSet<String> {
        packages.iter().map(|&package| package.to_owned()).collect()
    }

    #[test]
    fn each_package_of_a_tree_counts_once_and_the_program_does_not() {
        let tree = "by-hand v0.0.0 (/there)\naxum v0.8.9\nserde v1.0.1\naxum v0.8.9 (*)\nmacros v0.1.0 (proc-macro)\n\n";
        assert_eq!(
            listed(tree),
            set(&["axum 0.8.9", "macros 0.1.0", "serde 1.0.1"])
        );
    }

    #[test]
    fn a_crate_without_a_reason_fails() {
        let reasons: Vec<String> = REASONS
            .iter()
            .map(|(name, _)| format!("{name} 1.0.0"))
            .collect();
        let mut library: BTreeSet<String> = reasons.into_iter().collect();
        let by_hand = set(&["axum 0.8.9"]);
        assert_eq!(explained(&by_hand, &library).unwrap().len(), REASONS.len());

        library.insert("leftpad 1.0.0".to_owned());
        let wrong = explained(&by_hand, &library).unwrap_err();
        assert!(wrong.contains("`leftpad 1.0.0`"), "{wrong}");
        assert_eq!(wrong.lines().count(), 1, "{wrong}");
    }

    #[test]
    fn a_reason_without_its_crate_fails() {
        let wrong = explained(&set(&[]), &set(&[])).unwrap_err();
        assert_eq!(wrong.lines().count(), REASONS.len(), "{wrong}");
    }

    #[test]
    fn the_time_of_children_is_two_fields() {
        let stat = "12 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 130 40 20 0 1";
        assert_eq!(children_ticks(stat), Some(170));
        assert_eq!(children_ticks("12 a"), None);
    }

    #[test]
    fn a_goal_is_met_or_not_by_its_ratio() {
        let lines =
            [(11.0, "1.10 | 1.10 | met"), (12.0, "1.20 | 1.10 | NOT MET")].map(|(ours, end)| {
                let line = Line {
                    what: "crates",
                    ours,
                    hand: 10.0,
                    goal: CRATES_GOAL,
                    digits: 0,
                };
                (line, end)
            });
        for (line, end) in lines {
            let page = page(&[line], &[("a 1.0.0".to_owned(), "needed")]);
            assert!(page.contains(end), "{page}");
            assert!(page.ends_with("| `a 1.0.0` | needed |\n"), "{page}");
        }
    }
}
