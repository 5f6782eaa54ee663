//! `cargo xtask coverage`: every behaviour due has a test that really runs.

mod id;
mod listing;
mod requirements;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::Failure;
use crate::command::{read, root, write};
pub(crate) use id::Id;
use listing::Case;
pub(crate) use requirements::Requirement;

const REQUIREMENTS: &str = "docs/requirements.md";
const COVERAGE: &str = "docs/coverage.md";

/// The rows of `docs/requirements.md`.
pub(crate) fn requirements() -> Result<Vec<Requirement>, Failure> {
    requirements::parse(&read(&root().join(REQUIREMENTS))?)
        .map_err(|reason| format!("{REQUIREMENTS}: {reason}"))
}

/// Where the tests are looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tests {
    /// In every test program, which is built for it.
    Listed,
    /// Among those that passed in the last `cargo xtask test`.
    Ran,
}

pub(crate) fn run(tests: Tests, refresh: bool) -> Result<(), Failure> {
    let requirements = requirements()?;
    let cases = match tests {
        Tests::Listed => listing::ask()?,
        Tests::Ran => listing::ran()?,
    };
    let coverage = Coverage::new(&requirements, &cases);
    print!("{}", coverage.table());

    let unknown = coverage.unknown();
    if !unknown.is_empty() {
        println!(
            "note: tests carry ids that no row of {REQUIREMENTS} has: {}",
            Vec::from_iter(unknown).join(", ")
        );
    }
    let page = coverage.page();
    let path = root().join(COVERAGE);
    if refresh {
        write(&path, &page)?;
        println!("wrote {COVERAGE}");
    } else if read(&path).is_ok_and(|text| text != page) {
        println!("note: {COVERAGE} is not up to date; `cargo xtask coverage --write` refreshes it");
    }

    let missing: Vec<String> = coverage
        .without_test()
        .map(|requirement| requirement.id.to_string())
        .collect();
    println!(
        "{} rows, {} tests, {} rows without a test",
        requirements.len(),
        cases.len(),
        missing.len()
    );
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("no test covers {}", missing.join(", ")))
    }
}

/// Which tests cover which row.
struct Coverage<'a> {
    rows: Vec<(&'a Requirement, Vec<&'a Case>)>,
    cases: &'a [Case],
}

impl<'a> Coverage<'a> {
    fn new(requirements: &'a [Requirement], cases: &'a [Case]) -> Self {
        let rows = requirements
            .iter()
            .map(|requirement| {
                let tests = cases
                    .iter()
                    .filter(|case| requirement.id.is_in(&case.name))
                    .collect();
                (requirement, tests)
            })
            .collect();
        Self { rows, cases }
    }

    fn without_test(&self) -> impl Iterator<Item = &Requirement> {
        self.rows
            .iter()
            .filter(|(_, tests)| tests.is_empty())
            .map(|(requirement, _)| *requirement)
    }

    /// Test names with an id of a known family that no row has, by name.
    fn unknown(&self) -> BTreeSet<String> {
        let known: Vec<&Id> = self.rows.iter().map(|(row, _)| &row.id).collect();
        self.cases
            .iter()
            .flat_map(|case| Id::all_in(&case.name, &known))
            .filter(|id| !known.contains(&id))
            .map(|id| id.to_string())
            .collect()
    }

    /// One line a row, for the terminal.
    fn table(&self) -> String {
        let mut table = String::new();
        for (requirement, tests) in &self.rows {
            let first = tests.first().map_or("NO TEST", |case| case.name.as_str());
            let more = match tests.len() {
                0 | 1 => String::new(),
                count => format!(" (+{})", count - 1),
            };
            let _ = writeln!(
                table,
                "{:6} {:>3}  {first}{more}",
                requirement.id.to_string(),
                tests.len()
            );
        }
        table
    }

    /// The same as a page: every test of every row.
    fn page(&self) -> String {
        let mut page = String::from(
            "# Coverage\n\nWhich tests show which behaviour of [requirements.md](requirements.md). \
             Written by `cargo xtask coverage --write`.\n\n| id | tests |\n|---|---|\n",
        );
        for (requirement, tests) in &self.rows {
            let mut names: Vec<String> = tests
                .iter()
                .map(|case| format!("`{}` in {}", case.name, case.place))
                .collect();
            names.sort();
            names.dedup();
            let names = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join("<br>")
            };
            let _ = writeln!(page, "| {} | {names} |", requirement.id);
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(id: &str) -> Requirement {
        Requirement {
            id: Id::parse(id).unwrap(),
            mutation: false,
        }
    }

    fn case(name: &str) -> Case {
        Case {
            name: name.to_owned(),
            place: "tests/all.rs".to_owned(),
        }
    }

    #[test]
    fn a_row_without_a_test_is_found() {
        let requirements = [requirement("R1"), requirement("R10")];
        let cases = [case("rules::r10_null_is_not_hidden")];
        let coverage = Coverage::new(&requirements, &cases);
        let missing: Vec<String> = coverage
            .without_test()
            .map(|requirement| requirement.id.to_string())
            .collect();
        assert_eq!(missing, ["R1"]);
        assert!(coverage.table().contains("NO TEST"));
    }

    #[test]
    fn an_id_that_no_row_has_is_found() {
        let requirements = [requirement("R1"), requirement("SD-04")];
        let cases = [
            case("r1_mixed_list"),
            case("r99_no_such_row"),
            case("sd_44_no_such_row"),
            case("sha_256_of_the_secret"),
        ];
        let coverage = Coverage::new(&requirements, &cases);
        assert_eq!(Vec::from_iter(coverage.unknown()), ["R99", "SD-44"]);
    }

    #[test]
    fn the_page_lists_every_test_of_a_row() {
        let requirements = [requirement("R1")];
        let cases = [case("r1_b"), case("r1_a")];
        let page = Coverage::new(&requirements, &cases).page();
        assert!(page.contains("| R1 | `r1_a` in tests/all.rs<br>`r1_b` in tests/all.rs |"));
    }
}
