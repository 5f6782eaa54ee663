//! Programs that are missing: installed on Debian by root, asked for elsewhere.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use super::held::{HELD, Stop};
use crate::Failure;

const DEBIAN: &str = "/etc/debian_version";

/// The program that `find` looks for, installed with its Debian package where that is possible.
pub(crate) fn program(
    package: &str,
    find: impl Fn() -> Option<PathBuf>,
) -> Result<PathBuf, Failure> {
    if let Some(program) = find() {
        return Ok(program);
    }
    if !Path::new(DEBIAN).is_file() || !rustix::process::geteuid().is_root() {
        return Err(ask_for(package));
    }
    // Another run may be at it. The file is there, so locking it leaves nothing behind.
    let debian = File::open(DEBIAN).and_then(|file| file.lock().map(|()| file));
    let _alone = debian.map_err(|error| format!("{DEBIAN}: {error}"))?;
    if find().is_none() {
        println!("the programs of `{package}` are missing, and this is Debian as root:");
        install(package)?;
    }
    find().ok_or_else(|| format!("`{package}` was installed, and its programs are still missing"))
}

fn commands(package: &str) -> [String; 2] {
    let apt = "apt-get -o DPkg::Lock::Timeout=300";
    [
        format!("{apt} update"),
        format!("{apt} install --yes --no-install-recommends {package}"),
    ]
}

fn ask_for(package: &str) -> Failure {
    format!(
        "the programs of `{package}` are missing. Install them, on Debian with\n\n    \
         sudo apt-get update && sudo apt-get install --no-install-recommends {package}\n\n\
         or, where it is a server, name one in POSTGRES_URL, MYSQL_URL and REDIS_URL, or leave all of them out with \
         `cargo xtask test --only sqlite`"
    )
}

fn install(package: &str) -> Result<(), Failure> {
    let _quiet = NoServices::new()?;
    for line in commands(package) {
        println!("\n$ {line}");
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
        let (handle, _) = HELD.start(&mut command, Stop::Group(Signal::TERM))?;
        let status = HELD.wait(handle)?;
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
        let policy = Path::new(POLICY);
        if policy.exists() {
            return Ok(Self { written: false });
        }
        let write = || -> io::Result<()> {
            fs::write(
                policy,
                "#!/bin/sh\n# Of `cargo xtask`, which removes it.\nexit 101\n",
            )?;
            fs::set_permissions(policy, fs::Permissions::from_mode(0o755))
        };
        HELD.file(policy, write)
            .map_err(|error| format!("{POLICY}: {error}"))?;
        Ok(Self { written: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.written {
            HELD.remove_file(Path::new(POLICY));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_there_needs_no_package() {
        let found = program("no-such-package", || Some(PathBuf::from("/bin/sh")));
        assert_eq!(found, Ok(PathBuf::from("/bin/sh")));
    }

    #[test]
    fn what_to_run_is_said_in_one_line() {
        let text = ask_for("mariadb-server");
        let line = text.lines().find(|line| line.contains("apt-get")).unwrap();
        assert!(line.ends_with("install --no-install-recommends mariadb-server"));
        assert!(text.contains("--only sqlite"), "{text}");
    }
}
