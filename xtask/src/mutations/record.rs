//! `docs/results/mutations.md`: what became of each entry when it was run last.
//!
//! All entries take hours, so that they are run in parts. A run replaces the lines of its own entries and keeps
//! the others.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::entry::Entry;
use super::trial::Outcome;

const NOT_RUN: &str = "not run";

/// The last outcome of each entry, in the words of the page.
#[derive(Debug, Default)]
pub(crate) struct Record(BTreeMap<Key, Line>);

/// The identity of an entry, which outlasts a move of its code: its rows, its tests, and its number among those
/// with both.
type Key = (String, String, usize);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    outcome: String,
    date: String,
}

impl Record {
    /// Reads a page that an earlier run wrote.
    pub(crate) fn parse(page: &str) -> Self {
        let mut record = Self::default();
        let mut ordinals = BTreeMap::new();
        for row in page.lines() {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let [ids, _, tests, outcome, date] = cells[..] else {
                continue;
            };
            if !tests.starts_with('`') || outcome == NOT_RUN {
                count(&mut ordinals, ids, tests);
                continue;
            }
            let line = Line {
                outcome: outcome.to_owned(),
                date: date.to_owned(),
            };
            record.0.insert(count(&mut ordinals, ids, tests), line);
        }
        record
    }

    /// Replaces the outcomes of the entries with these indices in `all`.
    pub(crate) fn update(&mut self, all: &[Entry], outcomes: &[(usize, Outcome)], date: &str) {
        let keys = keys(all);
        for (index, outcome) in outcomes {
            if let Some(key) = keys.get(*index) {
                let line = Line {
                    outcome: outcome.describe(),
                    date: date.to_owned(),
                };
                self.0.insert(key.clone(), line);
            }
        }
    }

    /// Renders the page: every entry of the list, in its order.
    pub(crate) fn page(&self, all: &[Entry], missing: &[String]) -> String {
        let lines: Vec<Option<&Line>> = keys(all).iter().map(|key| self.0.get(key)).collect();
        let caught = lines
            .iter()
            .flatten()
            .filter(|line| line.outcome == Outcome::Caught.describe())
            .count();
        let mut page = format!(
            "# Mutations\n\nWhat `cargo xtask mutations` found, in one run or in parts (`--shard`, `--only`). Each line is a \
             change to the code that takes a check out or turns it round, what the named test said about it, and the date \
             of the code that it was tried on.\n\n{} of {} were run; {caught} were caught.\n\n\
             | id | file | test | outcome | code of |\n|---|---|---|---|---|\n",
            lines.iter().flatten().count(),
            all.len(),
        );
        for (entry, line) in all.iter().zip(lines) {
            let _ = writeln!(
                page,
                "| {} | {} | {} | {} | {} |",
                entry.ids(),
                entry.file,
                tests(entry),
                line.map_or(NOT_RUN, |line| &line.outcome),
                line.map_or("", |line| &line.date),
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
}

fn keys(entries: &[Entry]) -> Vec<Key> {
    let mut ordinals = BTreeMap::new();
    entries
        .iter()
        .map(|entry| count(&mut ordinals, &entry.ids(), &tests(entry)))
        .collect()
}

fn count(ordinals: &mut BTreeMap<(String, String), usize>, ids: &str, tests: &str) -> Key {
    let ordinal = ordinals
        .entry((ids.to_owned(), tests.to_owned()))
        .or_default();
    *ordinal += 1;
    (ids.to_owned(), tests.to_owned(), *ordinal)
}

fn tests(entry: &Entry) -> String {
    let tests: Vec<String> = entry
        .tests()
        .iter()
        .map(|test| format!("`{test}`"))
        .collect();
    tests.join("<br>")
}

#[cfg(test)]
mod tests {
    use super::super::entry;
    use super::*;

    fn entries() -> Vec<Entry> {
        let one = |file: &str, test: &str| {
            format!(
                "[[mutation]]\nid = [\"T-1\", \"N2\"]\nfile = \"{file}\"\nfind = \"a\"\nreplace = \"b\"\ntest = \"{test}\"\n"
            )
        };
        let text = [
            one("src/a.rs", "--lib a"),
            one("src/b.rs", "--lib a"),
            one("src/b.rs", "--lib b"),
        ];
        entry::parse(&text.concat()).unwrap()
    }

    #[test]
    fn a_part_keeps_what_other_parts_found() {
        let entries = entries();
        let mut record = Record::default();
        record.update(&entries, &[(0, Outcome::Caught)], "2026-01-01");

        let mut record = Record::parse(&record.page(&entries, &[]));
        let missed = Outcome::Missed("--lib a".to_owned());
        record.update(&entries, &[(1, missed)], "2026-01-02");

        let page = Record::parse(&record.page(&entries, &[])).page(&entries, &[]);
        assert!(page.contains("2 of 3 were run; 1 were caught."), "{page}");
        let rows = [
            "| T-1, N2 | src/a.rs | `--lib a` | caught | 2026-01-01 |",
            "| T-1, N2 | src/b.rs | `--lib a` | MISSED by `--lib a` | 2026-01-02 |",
            "| T-1, N2 | src/b.rs | `--lib b` | not run |  |",
        ];
        assert!(page.contains(&rows.join("\n")), "{page}");
    }

    #[test]
    fn an_entry_is_known_again_after_its_code_has_moved() {
        let mut entries = entries();
        let mut record = Record::default();
        record.update(&entries, &[(0, Outcome::Caught)], "2026-01-01");
        let page = record.page(&entries, &[]);
        entries[0].file = "src/moved.rs".to_owned();

        let page = Record::parse(&page).page(&entries, &[]);

        assert!(
            page.contains("| src/moved.rs | `--lib a` | caught | 2026-01-01 |"),
            "{page}"
        );
    }
}
