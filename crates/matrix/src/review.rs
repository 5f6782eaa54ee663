//! Review of the access matrix: a test that compares it with reviewed files.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use clearance::App;

use crate::builder::MatrixBuilder;
use crate::model::{Hatch, Matrix};
use crate::source::{Call, Found, Listed, Scan};

/// The environment variable that, set to `write`, replaces the reviewed files by the present matrix.
const VARIABLE: &str = "CLEARANCE_MATRIX";

/// Starts a check of the access matrix against reviewed files: it fails on any difference from the
/// present matrix, and on a DTO, entity, input type or repository in the source that `app!` does not
/// list.
///
/// Run the test with `CLEARANCE_MATRIX=write` to write the files, and review the changes.
///
/// # Example
///
/// ```no_run
/// # use clearance::{Dto, Entity, Viewer};
/// # #[derive(Viewer)]
/// # struct Member { id: i64 }
/// # #[derive(Entity)]
/// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
/// # struct User { #[entity(key)] id: i64 }
/// # #[derive(Dto)]
/// # #[dto(entity = User, default = visible)]
/// # struct Profile { id: i64 }
/// # clearance::app! {
/// #     static APP = { viewer: Member, dtos: [Profile], repositories: [] };
/// # }
/// use clearance_matrix::{Matrix, review};
///
/// // In a test of the application:
/// let member = Member { id: 7 };
/// let crate_folder = env!("CARGO_MANIFEST_DIR");
/// review(&APP, Matrix::of(&APP).viewer("member", &member))
///     .source(format!("{crate_folder}/src"))
///     .file(format!("{crate_folder}/access-matrix.md"))
///     .check()
///     .unwrap();
/// ```
pub fn review<'a, V: 'static>(app: &'a App<V>, matrix: MatrixBuilder<'a, V>) -> Review<'a, V> {
    Review {
        app,
        matrix,
        sources: Vec::new(),
        files: Vec::new(),
        exempt: Vec::new(),
        writes: std::env::var_os(VARIABLE).is_some_and(|value| value == "write"),
    }
}

/// A pending check of the access matrix; see [`review`].
#[must_use = "nothing is checked before `check`"]
#[derive(Debug)]
pub struct Review<'a, V: 'static> {
    app: &'a App<V>,
    matrix: MatrixBuilder<'a, V>,
    sources: Vec<PathBuf>,
    files: Vec<PathBuf>,
    exempt: Vec<(String, &'static str)>,
    writes: bool,
}

/// The differences between the access matrix and the reviewed one. `Debug` is human-readable too, so
/// that `unwrap` in a test shows it.
pub struct Unreviewed(String);

impl<V: 'static> Review<'_, V> {
    /// Scans the Rust files below `folder`, usually the `src` of a crate: for derives that `app!` does
    /// not list, for calls of `unguarded_pool`, `unguarded_sql`, `Access::system` and `Db::viewers`,
    /// and for those of `Reader::secret` in a method that is `public`, or in a function that names the
    /// type `Public`: types do not reveal them, and they become escape hatches in the matrix (decision
    /// 17).
    ///
    /// It scans the text only. It does not see items that a macro generates, nor a derive or a call
    /// under another name (`use clearance::Dto as D`). Items under `#[cfg(test)]` are skipped.
    pub fn source(mut self, folder: impl Into<PathBuf>) -> Self {
        self.sources.push(folder.into());
        self
    }

    /// Adds a file to compare with: markdown, JSON or HTML, by its extension `.md`, `.json` or `.html`.
    pub fn file(mut self, file: impl Into<PathBuf>) -> Self {
        self.files.push(file.into());
        self
    }

    /// Exempts a type of this name from the check for unlisted types, for a reason: a derive of another
    /// library with the same name, a type behind a feature.
    pub fn exempt(mut self, name: impl Into<String>, reason: &'static str) -> Self {
        self.exempt.push((name.into(), reason));
        self
    }

    /// Writes the files instead of comparing with them, whatever the environment variable.
    pub const fn writing(mut self, writes: bool) -> Self {
        self.writes = writes;
        self
    }

    /// Compares the files, or writes them if `CLEARANCE_MATRIX=write` is set. Unlisted types fail in
    /// both cases.
    ///
    /// # Errors
    ///
    /// [`Unreviewed`] with every difference: the missing entries of `app!`, and the lines of each file
    /// that differ. Line numbers of the source do not count as a difference, so that a rule may move.
    pub fn check(self) -> Result<Matrix, Unreviewed> {
        let mut problems = Vec::new();
        let mut scan = Scan::default();
        for source in &self.sources {
            scan.read(source);
        }
        if self.sources.is_empty() {
            problems.push(
                "no source is read, so a forgotten DTO would not be found: call `source` with the folder `src`"
                    .to_owned(),
            );
        }
        problems.extend(
            scan.failed
                .iter()
                .map(|failed| format!("cannot read {failed}")),
        );
        for (name, reason) in &self.exempt {
            if reason.trim().is_empty() {
                problems.push(format!("the exemption of `{name}` needs a reason"));
            }
        }
        problems.extend(unlisted(self.app, &scan.found, &self.exempt));
        let mut matrix = self
            .matrix
            .build()
            .map_err(|error| Unreviewed(error.to_string()))?;
        matrix.source_was_read = !self.sources.is_empty();
        matrix
            .escape_hatches
            .extend(scan.calls.into_iter().map(hatch));
        matrix
            .escape_hatches
            .extend(self.exempt.iter().map(|(name, reason)| Hatch {
                kind: "not listed in app!",
                what: name.clone(),
                reason: Some((*reason).to_owned()),
                at: None,
            }));
        for file in &self.files {
            match rendered(&matrix, file) {
                Ok(text) if self.writes => {
                    if let Err(error) = fs::write(file, text) {
                        problems.push(format!("cannot write {}: {error}", file.display()));
                    }
                }
                Ok(text) => problems.extend(difference(file, &text)),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            Ok(matrix)
        } else {
            Err(Unreviewed(problems.join("\n\n")))
        }
    }
}

fn rendered(matrix: &Matrix, file: &Path) -> Result<String, String> {
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("md") => Ok(matrix.to_markdown()),
        Some("json") => matrix.to_json().map_err(|error| error.to_string()),
        Some("html") => Ok(matrix.to_html()),
        _ => Err(format!(
            "{} does not end in .md, .json or .html",
            file.display()
        )),
    }
}

fn hatch(call: Call) -> Hatch {
    Hatch {
        kind: call.kind,
        what: if call.inside.is_empty() {
            "outside a function".to_owned()
        } else {
            format!("in {}", call.inside)
        },
        reason: Some(
            call.reason.unwrap_or_else(|| {
                "the reason is not written there as a string literal".to_owned()
            }),
        ),
        at: Some(call.at),
    }
}

/// Returns a problem for each item in the source that `app!` does not list, or lists too few times.
fn unlisted<V>(app: &App<V>, found: &[Found], exempt: &[(String, &'static str)]) -> Vec<String> {
    let mut listed: Vec<(Listed, &str)> = Vec::new();
    let (entities, dtos, repositories) = (app.entities(), app.dtos(), app.repositories());
    let inputs = app.inputs();
    listed.extend(
        entities
            .iter()
            .map(|entity| (Listed::Entity, entity.schema().entity())),
    );
    listed.extend(dtos.iter().map(|dto| (Listed::Dto, dto.name())));
    listed.extend(inputs.iter().map(|input| (Listed::Input, input.name())));
    listed.extend(repositories.iter().map(|repository| {
        let name = repository.name().split('<').next().unwrap_or_default();
        let name = name.rsplit("::").next().unwrap_or_default();
        (Listed::Repository, name.trim())
    }));
    let mut problems = Vec::new();
    for found in found {
        if exempt.iter().any(|(name, _)| *name == found.name) {
            continue;
        }
        // Two types of one name need two entries in the list.
        let place = listed
            .iter()
            .position(|(kind, name)| *kind == found.kind && *name == found.name);
        if let Some(place) = place {
            listed.swap_remove(place);
            continue;
        }
        let (word, key, also) = match found.kind {
            Listed::Entity => (
                "entity",
                "entities",
                ", behind `viewer`, or list a DTO that shows it",
            ),
            Listed::Dto => ("DTO", "dtos", ""),
            Listed::Input => ("input type", "inputs", ", behind `dtos`"),
            Listed::Repository => ("repository", "repositories", ""),
        };
        problems.push(format!(
            "the {word} `{}` at {} is missing from `app!`\n  add it to `{key}: [.., {}]`{also}",
            found.name, found.at, found.name
        ));
    }
    problems
}

/// Describes the difference between the reviewed file and the present matrix, if there is one.
fn difference(file: &Path, now: &str) -> Option<String> {
    let advice =
        format!("  run the test with {VARIABLE}=write, and review what changed in the file");
    let reviewed = match fs::read_to_string(file) {
        Ok(reviewed) => reviewed,
        Err(error) => {
            return Some(format!(
                "cannot read the reviewed matrix {}: {error}\n{advice}",
                file.display()
            ));
        }
    };
    let (old, new): (Vec<String>, Vec<String>) = (
        reviewed.lines().map(without_lines).collect(),
        now.lines().map(without_lines).collect(),
    );
    if old == new {
        return None;
    }
    let mut text = format!(
        "the access matrix is not the one in {}\n{advice}\n",
        file.display()
    );
    for change in changes(&old, &new) {
        text.push_str(&change);
        text.push('\n');
    }
    Some(text)
}

/// Removes source line numbers from the line: `users.rs:12` becomes `users.rs`.
fn without_lines(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(".rs:") {
        let (before, behind) = rest.split_at(at);
        kept.push_str(before);
        kept.push_str(".rs");
        let behind = behind.trim_start_matches(".rs:");
        rest = behind.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    kept.push_str(rest);
    kept
}

/// Returns the lines that differ, `-` as reviewed and `+` as present, each below its heading.
fn changes(old: &[String], new: &[String]) -> Vec<String> {
    // The longest common subsequence, by the quadratic table: a matrix has hundreds of lines, not more.
    let width = new.len() + 1;
    let mut common = vec![0_u32; (old.len() + 1) * width];
    let at = |row: usize, column: usize| row * width + column;
    for (row, one) in old.iter().enumerate().rev() {
        for (column, other) in new.iter().enumerate().rev() {
            let value = |index: usize| common.get(index).copied().unwrap_or_default();
            let longest = if one == other {
                value(at(row + 1, column + 1)) + 1
            } else {
                value(at(row + 1, column)).max(value(at(row, column + 1)))
            };
            if let Some(slot) = common.get_mut(at(row, column)) {
                *slot = longest;
            }
        }
    }
    let mut lines = Vec::new();
    let mut heading: Option<&String> = None;
    let mut shown: Option<&String> = None;
    let (mut row, mut column) = (0, 0);
    loop {
        let (one, other) = (old.get(row), new.get(column));
        let value = |index: usize| common.get(index).copied().unwrap_or_default();
        let change = match (one, other) {
            (None, None) => return lines,
            (Some(one), Some(other)) if one == other => {
                if one.starts_with('#') {
                    heading = Some(one);
                }
                row += 1;
                column += 1;
                continue;
            }
            (Some(one), other)
                if other.is_none() || value(at(row + 1, column)) >= value(at(row, column + 1)) =>
            {
                row += 1;
                format!("  - {one}")
            }
            (_, Some(other)) => {
                column += 1;
                format!("  + {other}")
            }
            (Some(_), None) => return lines,
        };
        if heading != shown {
            lines.extend(heading.map(|heading| format!("  {heading}")));
            shown = heading;
        }
        lines.push(change);
    }
}

impl fmt::Display for Unreviewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Unreviewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.0)
    }
}

impl std::error::Error for Unreviewed {}
