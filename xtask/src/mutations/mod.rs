//! `cargo xtask mutations`: a check that is taken out must make its test fail.
//!
//! The list is `xtask/mutations.toml`. All work happens in a copy under `target/mutations`, so
//! an interrupted run leaves nothing behind in the working tree.

mod entry;
mod tree;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::Failure;
use crate::command::{read, root, write};
use crate::coverage;
use crate::servers::{Engine, Servers};
use entry::Entry;
use tree::Tree;
use trial::Outcome;

const LIST: &str = "xtask/mutations.toml";
const RESULTS: &str = "docs/results/mutations.md";

/// The entries of the list. An id that no row has is an error: it would be a row's mutation that
/// nobody finds.
fn entries() -> Result<Vec<Entry>, Failure> {
    let entries =
        entry::parse(&read(&root().join(LIST))?).map_err(|reason| format!("{LIST}: {reason}"))?;
    let known: Vec<String> = coverage::requirements()?
        .iter()
        .map(|requirement| requirement.id.to_string())
        .collect();
    match entries
        .iter()
        .flat_map(|entry| &entry.id)
        .find(|id| !known.contains(id))
    {
        Some(id) => Err(format!(
            "{LIST}: `{id}` is not a row of docs/requirements.md"
        )),
        None => Ok(entries),
    }
}

pub(crate) fn list() -> Result<(), Failure> {
    let entries = entries()?;
    for entry in &entries {
        println!("{:14} {}", entry.ids(), entry.file);
        for test in entry.tests() {
            println!("{:14} cargo test {test}", "");
        }
    }
    let missing = without_entry(&entries)?;
    println!("{} mutations", entries.len());
    if !missing.is_empty() {
        println!("rows that need one: {}", missing.join(", "));
    }
    Ok(())
}

pub(crate) fn run(only: Option<&str>) -> Result<(), Failure> {
    let all = entries()?;
    let chosen: Vec<&Entry> = all
        .iter()
        .filter(|entry| only.is_none_or(|only| entry.is_about(only)))
        .collect();
    if chosen.is_empty() {
        return Err(format!(
            "{LIST} has no entry for `{}`",
            only.unwrap_or("any id")
        ));
    }

    let engines: BTreeSet<Engine> = chosen.iter().filter_map(|entry| entry.engine).collect();
    let servers = Servers::of(&Vec::from_iter(engines))?;
    let server = |engine: Option<Engine>| engine.and_then(|engine| servers.server(engine));
    let tree = Tree::copy()?;
    let tests: BTreeSet<_> = chosen.iter().flat_map(|entry| entry.runs()).collect();
    println!("{} tests, without any mutation", tests.len());
    let mut unsound = BTreeMap::new();
    for (engine, test) in tests {
        if let Some(reason) = trial::unsound(&tree, test, server(engine))? {
            println!("  {reason}");
            unsound.insert((engine, test), reason);
        }
    }
    let mut results = Vec::new();
    for entry in chosen {
        println!("\n{} {}", entry.ids(), entry.file);
        let outcome = match entry.runs().find_map(|run| unsound.get(&run)) {
            Some(reason) => Outcome::Broken(reason.clone()),
            None => trial::run(&tree, entry, server(entry.engine))?,
        };
        println!("  {}", outcome.describe());
        results.push((entry, outcome));
    }

    let escaped: Vec<String> = results
        .iter()
        .filter(|(_, outcome)| !matches!(outcome, Outcome::Caught))
        .map(|(entry, outcome)| {
            format!(
                "\n  {} in {}: {}",
                entry.ids(),
                entry.file,
                outcome.describe()
            )
        })
        .collect();
    println!(
        "\n{} mutations, {} caught",
        results.len(),
        results.len() - escaped.len()
    );
    let mut missing = Vec::new();
    if only.is_none() {
        missing = without_entry(&all)?;
        write(&root().join(RESULTS), &page(&results, &missing))?;
        println!("wrote {RESULTS}");
    }
    if !escaped.is_empty() {
        return Err(format!("not caught:{}", escaped.concat()));
    }
    if !missing.is_empty() {
        return Err(format!("no mutation for {}", missing.join(", ")));
    }
    Ok(())
}

/// The rows of `docs/requirements.md` that ask for a mutation and have none.
fn without_entry(entries: &[Entry]) -> Result<Vec<String>, Failure> {
    Ok(coverage::requirements()?
        .into_iter()
        .filter(|requirement| requirement.mutation)
        .map(|requirement| requirement.id.to_string())
        .filter(|id| !entries.iter().any(|entry| entry.id.contains(id)))
        .collect())
}

fn page(results: &[(&Entry, Outcome)], missing: &[String]) -> String {
    let mut page = String::from(
        "# Mutations\n\nThe last output of `cargo xtask mutations`. Each line is a change to the code that \
         takes a check out or turns it round, and what the named test said about it.\n\n\
         | id | file | test | outcome |\n|---|---|---|---|\n",
    );
    for (entry, outcome) in results {
        let tests: Vec<String> = entry
            .tests()
            .iter()
            .map(|test| format!("`{test}`"))
            .collect();
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            entry.ids(),
            entry.file,
            tests.join("<br>"),
            outcome.describe()
        );
    }
    if !missing.is_empty() {
        let _ = writeln!(
            page,
            "\nRows that need a mutation and have none: {}.",
            missing.join(", ")
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check that is moved takes its entry along, or nobody would notice before the next whole run.
    #[test]
    fn every_listed_change_finds_its_place() {
        let astray = entries().unwrap().into_iter().filter_map(|entry| {
            let text = read(&root().join(&entry.file)).unwrap();
            entry.apply(&text).err()
        });
        assert_eq!(astray.collect::<Vec<_>>(), [""; 0]);
    }
}
