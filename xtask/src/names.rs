//! `cargo xtask names`: types of `src/` that share a name, and how many names the root of the crate has.
//!
//! A name means one thing in the whole crate. A type without `pub` is left out: its name is read in its own file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::Failure;
use crate::command::{files, read, root};

/// The names that several types share, each with the reason.
const SHARED: [(&str, &str); 6] = [
    (
        "GateService",
        "one for tower and one for actix-web, which has a `Service` of its own",
    ),
    (
        "Optional",
        "the word for it in frameworks, and for a value that can be unset in a compiler's message",
    ),
    ("ScopedBody", "the same as `GateService`"),
    ("ScopedFuture", "the same as `GateService`"),
    ("SessionService", "the same as `GateService`"),
    (
        "Sealed",
        "the field's name for what seals a trait, in a module beside it",
    ),
];

/// The most names that the root of the crate has, besides its modules and `app!`: each is one that a newcomer
/// scrolls past.
const AT_ROOT: usize = 54;

const KINDS: [&str; 5] = ["struct ", "enum ", "trait ", "type ", "union "];

pub(crate) fn run() -> Result<(), Failure> {
    let found = shared(&root().join("src"))?;
    let mut wrong = Vec::new();
    for (name, places) in &found {
        if !SHARED.iter().any(|(known, _)| known == name) {
            wrong.push(format!("`{name}` is several types: {}", places.join(", ")));
        }
    }
    for (name, _) in SHARED {
        if !found.contains_key(name) {
            wrong.push(format!("`{name}` is one type: take it out of the list"));
        }
    }
    let library = read(&root().join("src/lib.rs"))?;
    let exported = at_root(&library).len();
    if exported > AT_ROOT {
        wrong.push(format!(
            "the root of the crate has {exported} names, and {AT_ROOT} at the most: move one into the module of its room"
        ));
    }
    println!("{} names are shared by several types", found.len());
    println!("{exported} names are at the root of the crate");
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// Returns the names that several types have, with the files of these.
fn shared(source: &Path) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files(source, "rs")? {
        let text = read(&path)?;
        let file = path.strip_prefix(source).unwrap_or(&path).display();
        let code = text.split("\nmod tests {").next().unwrap_or_default();
        for name in code.lines().filter_map(declared) {
            found
                .entry(name.to_owned())
                .or_default()
                .push(file.to_string());
        }
    }
    found.retain(|_, places| places.len() > 1);
    Ok(found)
}

/// Returns the names that `lib.rs` exports for users.
fn at_root(text: &str) -> BTreeSet<&str> {
    let public = text.split("#[doc(hidden)]").next().unwrap_or_default();
    let exports = public.split("\npub use ").skip(1);
    let exports = exports.filter_map(|export| export.split(';').next());
    exports
        .flat_map(|export| match export.split_once('{') {
            Some((_, names)) => names.trim_end_matches('}').split(',').collect(),
            None => vec![export.rsplit("::").next().unwrap_or(export)],
        })
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

/// Returns the name of the type that a line declares for other files.
fn declared(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("pub")?;
    let rest = match rest.strip_prefix('(') {
        Some(scope) => scope.split_once(')')?.1,
        None => rest,
    };
    let rest = rest.strip_prefix(' ')?;
    let name = KINDS.iter().find_map(|kind| rest.strip_prefix(kind))?;
    name.split(|part: char| !part.is_alphanumeric() && part != '_')
        .next()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_name_at_the_root_counts_once() {
        let text = "mod one;\npub use one::One;\npub use two::{\n    Two, Three,\n};\npub use derive::One;\n#[doc(hidden)]\npub mod __private {\npub use four::Four;\n}\n";

        assert_eq!(at_root(text), BTreeSet::from(["One", "Three", "Two"]));
    }

    #[test]
    fn two_types_of_one_name_are_found() {
        let source = root().join("target/xtask/names");
        fs::create_dir_all(&source).unwrap();
        let one = "pub struct Key(u8);\nstruct Own;\npub(crate) fn key() {}\nimpl Key {}\n";
        fs::write(source.join("one.rs"), one).unwrap();
        let other = "pub(super) enum Key<T> { A(T) }\nstruct Own;\npub use one::Key;\n#[cfg(test)]\nmod tests {\n    pub struct Key;\n}\n";
        fs::write(source.join("other.rs"), other).unwrap();

        let found = shared(&source).unwrap();

        let places = vec!["one.rs".to_owned(), "other.rs".to_owned()];
        assert_eq!(found, BTreeMap::from([("Key".to_owned(), places)]));
    }
}
