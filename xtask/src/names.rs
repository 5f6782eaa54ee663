//! `cargo xtask names`: types of `src/` that share a name.
//!
//! A name means one thing in the whole crate. A type without `pub` is left out: its name is read in its own file.

use std::collections::BTreeMap;
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
    println!("{} names are shared by several types", found.len());
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
