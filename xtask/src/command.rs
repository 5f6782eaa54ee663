//! Running other programs, and finding files, from the workspace root.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::Failure;
use crate::servers::{HELD, Stop};

/// The directory that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The cargo that runs this program, so that one toolchain does everything.
pub(crate) fn cargo(directory: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(directory);
    command
}

/// The command as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let mut line = String::from("cargo");
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// Runs a command whose standard output is shown as it comes and handed back. The boolean says
/// whether it ended with exit code 0.
pub(crate) fn shown(command: &mut Command) -> Result<(String, bool), Failure> {
    let line = line(command);
    println!("\n$ {line}");
    HELD.on_signal()?;
    let (handle, stdout) = HELD.start(command.stdout(Stdio::piped()), Stop::Group(Signal::TERM))?;
    let output = match stdout {
        Some(stdout) => echoed(&line, stdout)?,
        None => String::new(),
    };
    Ok((output, HELD.wait(handle)?.success()))
}

/// Does the same with the standard error in its place among the standard output, as a terminal would have both.
pub(crate) fn shown_whole(mut command: Command) -> Result<(String, bool), Failure> {
    let line = line(&command);
    println!("\n$ {line}");
    let failed = |error: std::io::Error| format!("`{line}`: {error}");
    let (output, writer) = std::io::pipe().map_err(failed)?;
    command
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TERM_QUIET", "false")
        .stdout(writer.try_clone().map_err(failed)?)
        .stderr(writer);
    HELD.on_signal()?;
    let (handle, _) = HELD.start(&mut command, Stop::Group(Signal::TERM))?;
    // It holds the pipe open for writing, which else would never end.
    drop(command);
    let output = echoed(&line, output)?;
    Ok((output, HELD.wait(handle)?.success()))
}

fn echoed(line: &str, output: impl std::io::Read) -> Result<String, Failure> {
    let mut whole = String::new();
    for text in BufReader::new(output).split(b'\n') {
        let text = text.map_err(|error| format!("`{line}`: {error}"))?;
        let text = String::from_utf8_lossy(&text);
        println!("{text}");
        whole.push_str(&text);
        whole.push('\n');
    }
    Ok(whole)
}

/// Reads a text file of the workspace.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Returns the files below a directory whose name has that extension, in order.
pub(crate) fn files(directory: &Path, extension: &str) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            found.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|its| its == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Writes a text file of the workspace, and its directory where that is missing.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}
