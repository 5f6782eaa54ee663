//! `cargo xtask rooms`: the tables of files in ARCHITECTURE.md, made from the first sentence of each file.
//!
//! A page that lists files by hand is wrong soon. This one is compared with the sources, and `--write` makes it anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::command::{files, read, root, write};

const PAGE: &str = "ARCHITECTURE.md";
/// The lines between which the tables stand.
const BEGIN: &str = "<!-- rooms: written by `cargo xtask rooms --write` -->\n";
const END: &str = "<!-- end of rooms -->\n";

/// The folders of `src/`, from what knows least to what knows most.
const ROOMS: [&str; 19] = [
    "schema",
    "policy",
    "token",
    "entity",
    "driver",
    "dto",
    "input",
    "repository",
    "session",
    "request",
    "route",
    "sql",
    "events",
    "audit",
    "registry",
    "account",
    "tables",
    "adapter",
    "testing",
];

/// The sources of the other crates whose files are listed.
const CRATES: [&str; 1] = ["crates/matrix/src"];

pub(crate) fn run(writes: bool) -> Result<(), Failure> {
    let page = root().join(PAGE);
    let text = read(&page)?;
    let (before, rest) = text.split_once(BEGIN).ok_or_else(|| missing(BEGIN))?;
    let (tables, after) = rest.split_once(END).ok_or_else(|| missing(END))?;
    let made = all_tables()?;
    if made == tables {
        return Ok(());
    }
    if writes {
        return write(&page, &format!("{before}{BEGIN}{made}{END}{after}"));
    }
    Err(format!(
        "{PAGE} does not list the files of `src/` and `crates/` as their first sentences say: run `cargo xtask rooms --write`"
    ))
}

fn missing(line: &str) -> Failure {
    format!("{PAGE} has no line `{}`", line.trim_end())
}

fn all_tables() -> Result<String, Failure> {
    let mut tables = tables_of(&root().join("src"))?;
    for name in CRATES {
        let source = root().join(name);
        let head = source.join("lib.rs");
        open(&mut tables, name, &head)?;
        for path in files(&source, "rs")?.iter().filter(|path| **path != head) {
            row(&mut tables, path, &source)?;
        }
    }
    tables.push('\n');
    Ok(tables)
}

fn tables_of(source: &Path) -> Result<String, Failure> {
    let mut tables = String::from("\n### `src/`\n\n| file | contents |\n|---|---|\n");
    let all = files(source, "rs")?;
    let is_room = |path: &Path| {
        let name = path.strip_prefix(source).unwrap_or(path);
        ROOMS
            .iter()
            .any(|room| name.starts_with(room) || name == Path::new(room).with_extension("rs"))
    };
    for path in all.iter().filter(|path| !is_room(path)) {
        row(&mut tables, path, source)?;
    }
    for room in ROOMS {
        let folder = source.join(room);
        let mut head = folder.join("mod.rs");
        if !head.is_file() {
            head = folder.with_extension("rs");
        }
        open(&mut tables, &format!("src/{room}"), &head)?;
        for path in all.iter().filter(|path| path.starts_with(&folder)) {
            if *path != head {
                row(&mut tables, path, &folder)?;
            }
        }
    }
    Ok(tables)
}

/// Opens the table of a folder below the first sentence of the file that heads it.
fn open(tables: &mut String, folder: &str, head: &Path) -> Result<(), Failure> {
    let _ = write!(
        tables,
        "\n### `{folder}/`\n\n{}.\n\n| file | contents |\n|---|---|\n",
        sentence(head)?
    );
    Ok(())
}

fn row(tables: &mut String, path: &Path, folder: &Path) -> Result<(), Failure> {
    let name = path.strip_prefix(folder).unwrap_or(path);
    let name = match name.file_name() {
        Some(file) if file == "mod.rs" && name.parent() != Some(Path::new("")) => {
            PathBuf::from(name.parent().unwrap_or(name)).join("")
        }
        _ => name.to_owned(),
    };
    let _ = writeln!(tables, "| `{}` | {} |", name.display(), sentence(path)?);
    Ok(())
}

/// Returns the first sentence of a file's documentation, without its period and links.
fn sentence(path: &Path) -> Result<String, Failure> {
    first_sentence(&read(path)?)
        .ok_or_else(|| format!("{} does not say what it is about (`//!`)", path.display()))
}

fn first_sentence(text: &str) -> Option<String> {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let lines: Vec<&str> = lines
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let paragraph = lines.join(" ");
    let sentence = paragraph.split(". ").next()?.trim_end_matches(['.', ':']);
    (!sentence.is_empty()).then(|| without_links(sentence).replace('|', "\\|"))
}

/// Keeps the text of each link: pages have other places to lead to than the documentation.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        let Some((name, after)) = link.split_once(']') else {
            break;
        };
        plain.push_str(before);
        plain.push_str(name);
        let target = after
            .strip_prefix('(')
            .and_then(|target| target.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_its_first_sentence() {
        let text =
            "//! Rows: as [stored](crate::Db), see\n//! [`Db`]. More.\n//!\n//! Else.\nuse a;\n";
        assert_eq!(
            first_sentence(text).as_deref(),
            Some("Rows: as stored, see `Db`")
        );
        assert_eq!(first_sentence("use a;\n//! Late.\n"), None);
    }

    #[test]
    fn every_file_has_a_line() {
        let tables = all_tables().unwrap();
        let mut all = files(&root().join("src"), "rs").unwrap();
        for name in CRATES {
            all.extend(files(&root().join(name), "rs").unwrap());
        }
        let rows = tables
            .lines()
            .filter(|line| line.starts_with("| `"))
            .count();
        // The sentence of a room or a crate stands above its table.
        assert_eq!(rows + ROOMS.len() + CRATES.len(), all.len());
    }
}
