//! `cargo xtask mutations`: a check that is taken out must make its test fail.
//!
//! The list is `xtask/mutations.toml`. All work happens in a copy under `target/mutations`, so
//! an interrupted run leaves nothing behind in the working tree.

mod entry;
mod record;
mod tree;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::process::Command;

use crate::Failure;
use crate::command::{read, root, write};
use crate::coverage;
use crate::servers::{Engine, Servers};
use entry::Entry;
use record::Record;
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

/// The entries that a run is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Chosen<'a> {
    All,
    /// Those of a row of docs/requirements.md, or of a file.
    Only(&'a str),
    /// As `2/8`, a part of the list.
    Shard(&'a str),
}

impl Chosen<'_> {
    /// Returns the chosen entries, each with its index in the list.
    fn of(self, all: &[Entry]) -> Result<Vec<(usize, &Entry)>, Failure> {
        let part = match self {
            Self::Shard(shard) => part(shard, all.len())
                .ok_or_else(|| format!("`{shard}` is no part: say 1/8, 2/8, .. 8/8"))?,
            Self::All | Self::Only(_) => 0..all.len(),
        };
        let chosen: Vec<_> = all
            .iter()
            .enumerate()
            .filter(|(index, entry)| match self {
                Self::Only(about) => entry.is_about(about),
                Self::All | Self::Shard(_) => part.contains(index),
            })
            .collect();
        if chosen.is_empty() {
            return Err(format!("{LIST} has no entry for {self:?}"));
        }
        Ok(chosen)
    }
}

/// Returns the indices that the `k`th of `n` parts of a list has, for `k/n`.
fn part(shard: &str, length: usize) -> Option<Range<usize>> {
    let (k, n) = shard.split_once('/')?;
    let (k, n): (usize, usize) = (k.parse().ok()?, n.parse().ok()?);
    ((1..=n).contains(&k)).then(|| length * (k - 1) / n..length * k / n)
}

pub(crate) fn run(chosen: Chosen<'_>) -> Result<(), Failure> {
    let all = entries()?;
    let entries = chosen.of(&all)?;
    let missing = match chosen {
        Chosen::All => without_entry(&all)?,
        Chosen::Only(_) | Chosen::Shard(_) => Vec::new(),
    };
    let path = root().join(RESULTS);
    let mut record = Record::parse(&read(&path)?);
    let date = date_of_the_code()?;

    let engines: BTreeSet<Engine> = entries
        .iter()
        .filter_map(|(_, entry)| entry.engine)
        .collect();
    let servers = Servers::of(&Vec::from_iter(engines))?;
    let server = |engine: Option<Engine>| engine.and_then(|engine| servers.server(engine));
    let tree = Tree::copy()?;
    let tests: BTreeSet<_> = entries.iter().flat_map(|(_, entry)| entry.runs()).collect();
    println!("{} tests, without any mutation", tests.len());
    let mut unsound = BTreeMap::new();
    for (engine, test) in tests {
        if let Some(reason) = trial::unsound(&tree, test, server(engine))? {
            println!("  {reason}");
            unsound.insert((engine, test), reason);
        }
    }
    let mut escaped = Vec::new();
    for (index, entry) in &entries {
        println!("\n{} {}", entry.ids(), entry.file);
        let outcome = match entry.runs().find_map(|run| unsound.get(&run)) {
            Some(reason) => Outcome::Broken(reason.clone()),
            None => trial::run(&tree, entry, server(entry.engine))?,
        };
        println!("  {}", outcome.describe());
        if outcome != Outcome::Caught {
            let (ids, file) = (entry.ids(), &entry.file);
            escaped.push(format!("\n  {ids} in {file}: {}", outcome.describe()));
        }
        // After each entry: a run of hours that is ended keeps what it found.
        record.update(&all, &[(*index, outcome)], &date);
        write(&path, &record.page(&all, &missing))?;
    }

    println!(
        "\n{} mutations, {} caught; wrote {RESULTS}",
        entries.len(),
        entries.len() - escaped.len()
    );
    if !escaped.is_empty() {
        return Err(format!("not caught:{}", escaped.concat()));
    }
    if !missing.is_empty() {
        return Err(format!("no mutation for {}", missing.join(", ")));
    }
    Ok(())
}

/// Returns the day of the last commit, which says what code a result is about.
fn date_of_the_code() -> Result<String, Failure> {
    let output = Command::new("git")
        .args(["log", "-1", "--format=%cs"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("`git log`: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_in_exactly_one_part() {
        let parts = (1..=8).filter_map(|k| part(&format!("{k}/8"), 442));
        let all: Vec<usize> = parts.flatten().collect();
        assert_eq!(all, Vec::from_iter(0..442));
        for wrong in ["0/8", "9/8", "1/0", "1", "a/b", ""] {
            assert_eq!(part(wrong, 442), None, "{wrong}");
        }
    }

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
