//! Files that use each other.

use std::collections::{BTreeMap, BTreeSet};

type Uses<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Returns each group of files of which every one leads to every other, as large as it can be.
pub(super) fn cycles<'a>(uses: &Uses<'a>) -> BTreeSet<Vec<&'a str>> {
    let reached: Uses<'_> = uses
        .keys()
        .map(|file| (*file, reached(uses, file)))
        .collect();
    let leads = |from: &str, to: &str| reached.get(from).is_some_and(|files| files.contains(to));
    let groups = uses.keys().filter(|file| leads(file, file)).map(|file| {
        let group = uses
            .keys()
            .filter(|other| leads(file, other) && leads(other, file));
        group.copied().collect()
    });
    groups.collect()
}

/// Returns the files that a file leads to, over any number of others.
fn reached<'a>(uses: &Uses<'a>, file: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![file];
    while let Some(file) = open.pop() {
        for used in uses.get(file).into_iter().flatten() {
            if found.insert(*used) {
                open.push(used);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_lead_to_each_other_are_one_cycle() {
        let uses = [
            ("a", &["b"][..]),
            ("b", &["c", "d"]),
            ("c", &["a"]),
            ("d", &[]),
            ("e", &["f", "a"]),
            ("f", &["e"]),
        ];
        let uses = uses.map(|(file, used)| (file, used.iter().copied().collect()));
        let expected = BTreeSet::from([vec!["a", "b", "c"], vec!["e", "f"]]);
        assert_eq!(cycles(&BTreeMap::from(uses)), expected);
    }
}
