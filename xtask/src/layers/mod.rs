//! `cargo xtask layers`: rooms of `src/` that import only from rooms below them.
//!
//! A room may use what stands before it in [`ROOMS`]. An import that runs upwards makes two rooms one.

mod cycles;
mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use self::cycles::cycles;
use self::imports::Modules;
use crate::Failure;
use crate::command::{files, read, root};

/// The rooms, from the ground up.
const ROOMS: [&str; 28] = [
    "limits",
    "error",
    "clock",
    "scope",
    "viewer",
    "events",
    "schema",
    "roles",
    "bounded",
    "answer",
    "policy",
    "token",
    "entity",
    "driver",
    "dto",
    "input",
    "session",
    "audit",
    "sql",
    "request",
    "repository",
    "registry",
    "matrix",
    "route",
    "account",
    "tables",
    "adapter",
    "testing",
];

/// Files of one room that use each other, and why they stay so.
const CYCLES: [(&[&str], &str); 8] = [
    (
        &[
            "driver::built",
            "driver::connection",
            "driver::db",
            "driver::packet",
            "driver::ready",
            "driver::settings",
            "driver::unit",
        ],
        "`Db` is the handle, and each of the others gives it the methods of one subject",
    ),
    (
        &[
            "dto::decisions",
            "dto::field_name",
            "dto::filter",
            "dto::shape",
            "dto::source",
        ],
        "a shape has fields that are DTOs, and filters ask the shapes of those",
    ),
    (
        &[
            "policy::decision",
            "policy::eval",
            "policy::reduce",
            "policy::residual",
            "policy::rule",
            "policy::text",
        ],
        "a rule is reduced to a residual, and a residual is evaluated as a rule is",
    ),
    (
        &[
            "repository::access",
            "repository::grant",
            "repository::memo",
        ],
        "an access holds its grant, and what is memoized is held by both",
    ),
    (
        &[
            "repository::cells",
            "repository::existence",
            "repository::nested",
            "repository::own_layout",
            "repository::planner",
            "repository::reader",
            "repository::select",
        ],
        "the rows related to a row are read as it is, by a select of their own",
    ),
    (
        &[
            "repository::create",
            "repository::many",
            "repository::update",
            "repository::writer",
        ],
        "a writer makes the builders of writes, and each runs through its writer",
    ),
    (
        &["schema::relation", "schema::table"],
        "a table has relations, and a relation leads to a table",
    ),
    (
        &[
            "session::config",
            "session::lifecycle",
            "session::nodes",
            "session::sessions",
            "session::verifier",
        ],
        "`Sessions` names its builder, and the builder makes everything behind `Sessions`",
    ),
];

pub(crate) fn run() -> Result<(), Failure> {
    let source = root().join("src");
    let modules = Modules::read(&source)?;
    let uses = modules.uses();
    let cycles = cycles(&uses);
    let known: BTreeSet<Vec<&str>> = CYCLES.iter().map(|(files, _)| files.to_vec()).collect();
    let found = upward(&source)?;
    let mut wrong: Vec<String> = found
        .iter()
        .map(|((from, to), places)| {
            let places = places.join(", ");
            format!("`{from}` imports from `{to}`, which stands above it: {places}")
        })
        .collect();
    for cycle in cycles.difference(&known) {
        let files = cycle.join(", ");
        wrong.push(format!(
            "{files} use each other: turn one import round, or list why they do"
        ));
    }
    for cycle in known.difference(&cycles) {
        let files = cycle.join(", ");
        wrong.push(format!("{files} no longer are one cycle: correct the list"));
    }
    if wrong.is_empty() {
        println!(
            "no room imports from one above it; {} cycles of files have a reason",
            known.len()
        );
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

type Upward = BTreeMap<(String, String), Vec<String>>;

/// Returns each pair of rooms of which the lower one imports from the higher one, with the files that do.
fn upward(source: &Path) -> Result<Upward, Failure> {
    let mut found = Upward::new();
    for path in files(source, "rs")? {
        let name = path.strip_prefix(source).unwrap_or(&path);
        let Some(from) = room_of(name) else {
            continue;
        };
        for to in imported(&read(&path)?) {
            if level(to) > level(from) {
                let places = found.entry((from.to_owned(), to.to_owned())).or_default();
                let place = name.display().to_string();
                if !places.contains(&place) {
                    places.push(place);
                }
            }
        }
    }
    Ok(found)
}

fn level(room: &str) -> Option<usize> {
    ROOMS.iter().position(|its| *its == room)
}

/// Returns the room that a file is in: that of its folder, or its own.
fn room_of(name: &Path) -> Option<&'static str> {
    let first = name.components().next()?.as_os_str().to_str()?;
    let first = first.strip_suffix(".rs").unwrap_or(first);
    ROOMS.into_iter().find(|room| *room == first)
}

/// Returns the rooms that the text of a file names, apart from its comments, its tests, and its public re-exports: a
/// path that users may name is no use of what stands there.
fn imported(text: &str) -> impl Iterator<Item = &'static str> {
    let code = text.split("\nmod tests {").next().unwrap_or_default();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//") && !line.starts_with("pub use "));
    lines.flat_map(|line| {
        line.split("crate::").skip(1).filter_map(|path| {
            let name = path
                .split(|part: char| !part.is_alphanumeric() && part != '_')
                .next();
            ROOMS.into_iter().find(|room| Some(*room) == name)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_import_that_runs_upwards_is_found() {
        let source = root().join("target/xtask/layers");
        fs::create_dir_all(source.join("entity")).unwrap();
        fs::create_dir_all(source.join("sql")).unwrap();
        let below = "use crate::error::Error;\npub use crate::session::Key;\nfn cells() -> crate::sql::Cells {}\n// crate::route::Gate\n";
        fs::write(source.join("entity/mod.rs"), below).unwrap();
        let above = "use crate::entity::Entity;\n#[cfg(test)]\nmod tests {\n    use crate::testing::Clock;\n}\n";
        fs::write(source.join("sql/mod.rs"), above).unwrap();

        let found = upward(&source).unwrap();

        let pair = ("entity".to_owned(), "sql".to_owned());
        assert_eq!(
            found,
            Upward::from([(pair, vec!["entity/mod.rs".to_owned()])])
        );
    }

    #[test]
    fn every_room_has_a_level() {
        for path in files(&root().join("src"), "rs").unwrap() {
            let name = path.strip_prefix(root().join("src")).unwrap();
            let is_outside = name == Path::new("lib.rs") || name.starts_with("docs");
            assert_eq!(room_of(name).is_none(), is_outside, "{}", name.display());
        }
    }
}
