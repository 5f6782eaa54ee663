//! Programs that are missing: installed on Debian by root, asked for elsewhere.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;

/// The program that `find` looks for, installed with its Debian package where that is possible.
pub(super) fn program(
    package: &str,
    find: impl Fn() -> Option<PathBuf>,
) -> Result<PathBuf, Failure> {
    if let Some(program) = find() {
        return Ok(program);
    }
    let line = format!("apt-get install --yes --no-install-recommends {package}");
    let is_debian = Path::new("/etc/debian_version").is_file();
    if !is_debian || !rustix::process::geteuid().is_root() {
        return Err(format!(
            "the programs of `{package}` are missing. Install them, on Debian with\n\n    sudo {line}\n\nor leave the engine out with `cargo xtask test --only sqlite`"
        ));
    }
    println!("the programs of `{package}` are missing, and this is Debian as root:");
    install(&line)?;
    find().ok_or_else(|| format!("`{package}` was installed, and its programs are still missing"))
}

fn install(line: &str) -> Result<(), Failure> {
    let _quiet = NoServices::new()?;
    for line in ["apt-get update", line] {
        println!("\n$ {line}");
        let status = Command::new("sh")
            .args(["-c", line])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status()
            .map_err(|error| format!("`{line}`: {error}"))?;
        if !status.success() {
            return Err(format!("`{line}` ended with {status}"));
        }
    }
    Ok(())
}

/// Keeps packages from starting services while it lives
/// (<https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt>).
struct NoServices {
    /// Whether the file is ours.
    written: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl NoServices {
    fn new() -> Result<Self, Failure> {
        if Path::new(POLICY).exists() {
            return Ok(Self { written: false });
        }
        let failed = |error: std::io::Error| format!("{POLICY}: {error}");
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").map_err(failed)?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        Ok(Self { written: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.written {
            let _ = fs::remove_file(POLICY);
        }
    }
}

/// What a program says first.
pub(super) fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout);
    let text = String::from_utf8(output.unwrap_or_default()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown version").to_owned()
}
