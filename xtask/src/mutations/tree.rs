//! The copy of the working tree in which mutations are applied.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::command::root;

/// A copy of every file that git does not ignore, as it stands now, committed or not.
pub(crate) struct Tree {
    pub(crate) directory: PathBuf,
    /// Where the copy is built; kept between runs, so that only what changed is built again.
    pub(crate) build: PathBuf,
}

impl Tree {
    pub(crate) fn copy() -> Result<Self, Failure> {
        let base = root().join("target/mutations");
        let tree = Self {
            directory: base.join("tree"),
            build: base.join("build"),
        };
        let files = files()?;
        for file in &files {
            let source = root().join(file);
            // What git knows may be deleted in the working tree, or be a link to a directory.
            if source.is_file() {
                copy(&source, &tree.directory.join(file))?;
            }
        }
        remove_others(&tree.directory, &tree.directory, &files)?;
        Ok(tree)
    }

    /// Replaces a file for as long as the returned guard lives.
    pub(crate) fn replace(&self, file: &str, text: &str) -> Result<Replaced, Failure> {
        let path = self.directory.join(file);
        let original = fs::read(&path).map_err(|error| failed(&path, &error))?;
        fs::write(&path, text).map_err(|error| failed(&path, &error))?;
        Ok(Replaced { path, original })
    }
}

/// Puts the file back when dropped.
pub(crate) struct Replaced {
    path: PathBuf,
    original: Vec<u8>,
}

impl Drop for Replaced {
    fn drop(&mut self) {
        if let Err(error) = fs::write(&self.path, &self.original) {
            eprintln!("{}", failed(&self.path, &error));
        }
    }
}

fn files() -> Result<BTreeSet<PathBuf>, Failure> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output()
        .map_err(|error| format!("`git ls-files`: {error}"))?;
    if !output.status.success() {
        return Err("`git ls-files` failed; the mutations need a git checkout".to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .collect())
}

/// Copies a file unless the copy is equal already: cargo goes by the time of the last change.
fn copy(source: &Path, target: &Path) -> Result<(), Failure> {
    let bytes = fs::read(source).map_err(|error| failed(source, &error))?;
    if fs::read(target).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    if let Some(directory) = target.parent() {
        fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    }
    fs::write(target, bytes).map_err(|error| failed(target, &error))
}

/// Removes what an earlier copy left and the working tree has no more.
fn remove_others(base: &Path, directory: &Path, files: &BTreeSet<PathBuf>) -> Result<(), Failure> {
    let entries = fs::read_dir(directory).map_err(|error| failed(directory, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| failed(directory, &error))?.path();
        if path.is_dir() {
            remove_others(base, &path, files)?;
            continue;
        }
        let is_wanted = path
            .strip_prefix(base)
            .is_ok_and(|name| files.contains(name) && root().join(name).is_file());
        if !is_wanted {
            fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
        }
    }
    Ok(())
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_put_back() {
        let directory = root().join("target/xtask/tree");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("a.rs"), "before").unwrap();
        let tree = Tree {
            build: directory.clone(),
            directory,
        };
        let read = || fs::read_to_string(tree.directory.join("a.rs")).unwrap();
        let guard = tree.replace("a.rs", "after").unwrap();
        assert_eq!(read(), "after");
        drop(guard);
        assert_eq!(read(), "before");
    }
}
