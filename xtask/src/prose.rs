//! `cargo xtask prose`: how the summaries of documentation open.
//!
//! A summary opens with a third-person verb or a noun phrase, as in axum and jiff. One that opens with a relative
//! clause is read twice.

use std::path::{Path, PathBuf};

use crate::Failure;
use crate::command::{files, read, root};

/// The rooms whose comments are documentation.
const ROOMS: [&str; 3] = ["src", "crates/matrix/src", "derive/src"];

/// The words that open a relative clause, or a sentence without its subject.
const RIDDLES: [&str; 11] = [
    "What", "Whatever", "Who", "Whoever", "Whom", "Whose", "Which", "Whether", "Has", "By", "That",
];

/// The permitted share of such summaries: one in a hundred, as in axum.
const ONE_IN: usize = 100;

pub(crate) fn run() -> Result<(), Failure> {
    let mut sources: Vec<PathBuf> = Vec::new();
    for room in ROOMS {
        sources.extend(files(&root().join(room), "rs")?);
    }
    let (mut all, mut riddles) = (0, Vec::new());
    for source in &sources {
        let text = read(source)?;
        for (line, summary) in summaries(&text) {
            all += 1;
            if is_riddle(summary) {
                riddles.push(format!("{}:{line}: {summary}", shown(source)));
            }
        }
    }
    for riddle in &riddles {
        println!("{riddle}");
    }
    println!(
        "{} of {all} summaries do not open with a verb or a noun",
        riddles.len()
    );
    if riddles.len() * ONE_IN <= all {
        Ok(())
    } else {
        Err(format!(
            "more than one summary in {ONE_IN} opens with one of: {}",
            RIDDLES.join(", ")
        ))
    }
}

fn shown(source: &Path) -> String {
    let place = source.strip_prefix(root()).unwrap_or(source);
    place.display().to_string()
}

/// Returns the first line of each documentation comment, with its number.
fn summaries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_inside = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let line = line.trim_start();
        let comment = line
            .strip_prefix("///")
            .or_else(|| line.strip_prefix("//!"));
        let is_first = !std::mem::replace(&mut is_inside, comment.is_some());
        let summary = comment.filter(|_| is_first)?;
        Some((index + 1, summary.trim()))
    })
}

fn is_riddle(summary: &str) -> bool {
    let word = summary.split(|part: char| !part.is_alphabetic()).next();
    word.is_some_and(|word| RIDDLES.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_the_first_line_of_each_comment() {
        let text = "//! A file.\n//! More.\n\n/// Returns it.\n/// What else.\nfn it() {}\n    /// Who asks.\n";
        let found: Vec<_> = summaries(text).collect();
        assert_eq!(
            found,
            [(1, "A file."), (4, "Returns it."), (7, "Who asks.")]
        );
    }

    #[test]
    fn a_riddle_is_told_by_its_first_word() {
        for riddle in [
            "What is left.",
            "Whether it is.",
            "Has it found.",
            "By its key.",
        ] {
            assert!(is_riddle(riddle), "{riddle}");
        }
        for plain in [
            "Returns what is left.",
            "Hashes it.",
            "`Who` asks.",
            "",
            "Bytes.",
        ] {
            assert!(!is_riddle(plain), "{plain}");
        }
    }
}
