//! What starting a server takes, whatever its engine.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Durability;
use super::held::{HELD, Handle, Held, Stop, name};
use crate::Failure;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often another port is tried when somebody else was quicker.
const PORTS: u32 = 5;
/// What a server's log says then.
const PORT_TAKEN: &str = "Address already in use";
/// Bytes for all servers, with what the tests put in.
const PLENTY: u64 = 4 << 30;

/// The name of the one account that may connect.
pub(super) const ACCOUNT: &str = "clearance";

/// The place of one server: who runs it, its directory, and the password of its account. Other
/// users of the machine reach the loopback too, and an account of a database can run programs.
pub(super) struct Place {
    held: &'static Held,
    user: Option<User>,
    pub(super) directory: PathBuf,
    pub(super) password: String,
}

impl Place {
    /// A new place. `owner` is the user that the engine's package makes.
    pub(super) fn new(owner: &str, durability: Durability) -> Result<Self, Failure> {
        Self::with_password(owner, durability, &password()?)
    }

    /// A new place whose account has that password.
    pub(super) fn with_password(
        owner: &str,
        durability: Durability,
        password: &str,
    ) -> Result<Self, Failure> {
        let user = User::of_server(owner)?;
        let directory = match durability {
            Durability::Off => HELD.directory(memory())?,
            Durability::On => HELD.directory(None)?,
        };
        if let Some(user) = user {
            user.own(&directory)?;
        }
        Ok(Self {
            held: &HELD,
            user,
            directory,
            password: password.to_owned(),
        })
    }

    /// A command that runs as the server's user, where that user may read, and knows of no other
    /// server.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.directory)
            .env("HOME", &self.directory);
        for (variable, _) in std::env::vars_os() {
            if names_a_server(&variable) {
                command.env_remove(variable);
            }
        }
        if let Some(user) = self.user {
            command.uid(user.id).gid(user.group);
        }
        command
    }

    /// A file that only the server's user reads.
    pub(super) fn file(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.directory.join(name);
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        if let Some(user) = self.user {
            user.own(&path)?;
        }
        Ok(path)
    }

    /// Runs a command to its end.
    pub(super) fn finish(&self, command: &mut Command, stop: Stop) -> Result<(), Failure> {
        let log = self.directory.join("setup.log");
        let program = name(command);
        let handle = self.start_logged(command, stop, &log)?;
        let status = self.held.wait(handle)?;
        if status.success() {
            return Ok(());
        }
        Err(format!("`{program}` ended with {status}\n{}", tail(&log)))
    }

    /// Starts a server on a free port and waits until it answers. Until it listens another program
    /// can take the port, so it is tried again with another one.
    pub(super) fn serve(
        &self,
        stop: Stop,
        server: impl Fn(u16) -> Command,
        client: impl Fn(u16) -> Command,
    ) -> Result<(u16, Handle), Failure> {
        self.serve_on(free_port, stop, server, client)
    }

    fn serve_on(
        &self,
        mut port: impl FnMut() -> Result<u16, Failure>,
        stop: Stop,
        server: impl Fn(u16) -> Command,
        client: impl Fn(u16) -> Command,
    ) -> Result<(u16, Handle), Failure> {
        let log = self.directory.join("server.log");
        let mut tries = 1;
        loop {
            let port = port()?;
            match self.start_on(stop, &mut server(port), || client(port)) {
                Ok(handle) => return Ok((port, handle)),
                Err(_) if tries < PORTS && tail(&log).contains(PORT_TAKEN) => tries += 1,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Starts a server that knows its port and waits until it answers.
    pub(super) fn start_on(
        &self,
        stop: Stop,
        server: &mut Command,
        client: impl Fn() -> Command,
    ) -> Result<Handle, Failure> {
        let log = self.directory.join("server.log");
        let program = name(server);
        let handle = self.start_logged(server, stop, &log)?;
        match self.answers(handle, client) {
            Ok(()) => Ok(handle),
            Err(failure) => Err(format!("`{program}` {failure}\n{}", tail(&log))),
        }
    }

    fn start_logged(
        &self,
        command: &mut Command,
        stop: Stop,
        log: &Path,
    ) -> Result<Handle, Failure> {
        let failed = |error: std::io::Error| format!("{}: {error}", log.display());
        let output = File::create(log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let (handle, _) = self
            .held
            .start(command.stdout(output).stderr(errors), stop)?;
        Ok(handle)
    }

    /// Waits until the client's command succeeds while the server runs. The client signs in with the
    /// password of this one server, so no other server answers in its place.
    fn answers(&self, server: Handle, client: impl Fn() -> Command) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.held.ended(server)? {
                return Err(format!("ended with {status}"));
            }
            let mut client = client();
            let answer = client
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .map_err(|error| format!("was not asked with `{}`: {error}", name(&client)))?;
            if answer.success() {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("did not answer within {} s", PATIENCE.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A file system in memory, where it has plenty of room: a new database is some hundred files, and
/// nearly every test makes one. `TMPDIR` says to use another place.
fn memory() -> Option<&'static Path> {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).ok()?;
    let room = room.f_bavail.saturating_mul(room.f_frsize);
    let is_writable = rustix::fs::access(memory, rustix::fs::Access::WRITE_OK).is_ok();
    let is_left_to_us = std::env::var_os("TMPDIR").is_none();
    (room >= PLENTY && is_writable && is_left_to_us).then_some(memory)
}

/// Whether a variable tells a client of a database where to connect, and how.
fn names_a_server(variable: &std::ffi::OsStr) -> bool {
    let variable = variable.to_string_lossy();
    ["PG", "MYSQL_", "MARIADB_", "REDIS"]
        .iter()
        .any(|prefix| variable.starts_with(prefix))
}

/// The end of a log.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(20)..)
        .unwrap_or_default()
        .join("\n")
}

/// A port of the loopback that nobody listens on.
fn free_port() -> Result<u16, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

fn password() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(|error| format!("/dev/urandom: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Somebody without privileges.
#[derive(Debug, Clone, Copy)]
struct User {
    id: u32,
    group: u32,
}

impl User {
    /// Who a server runs as: `None` for whoever runs this, unless that is root, which databases
    /// refuse to run as.
    fn of_server(name: &str) -> Result<Option<Self>, Failure> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        for name in [name, "nobody"] {
            if let (Some(id), Some(group)) = (number("-u", name), number("-g", name)) {
                return Ok(Some(Self { id, group }));
            }
        }
        Err(format!("there is no user `{name}` to run the server as"))
    }

    fn own(self, path: &Path) -> Result<(), Failure> {
        std::os::unix::fs::chown(path, Some(self.id), Some(self.group))
            .map_err(|error| format!("{}: {error}", path.display()))
    }
}

fn number(which: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([which, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// The first of the programs that is there: on the path, or in one of the directories.
pub(super) fn find(names: &[&str], directories: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().find_map(|name| {
        path.iter()
            .chain(directories)
            .map(|directory| directory.join(name))
            .find(|program| program.is_file())
    })
}

/// `--name=path`
pub(super) fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(format!("--{name}="));
    option.push(path);
    option
}

/// What a program calls itself.
pub(super) fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().next().unwrap_or("unknown version");
    // Some begin with the path that they were called by.
    let directory = program
        .parent()
        .map(|parent| format!("{}/", parent.display()));
    line.trim_start_matches(directory.as_deref().unwrap_or_default())
        .to_owned()
}

#[cfg(test)]
mod tests {
    use rustix::process::Signal;

    use super::*;

    static MINE: Held = Held::new();

    fn place(directory: &tempfile::TempDir) -> Place {
        place_of(directory, &MINE)
    }

    fn place_of(directory: &tempfile::TempDir, held: &'static Held) -> Place {
        Place {
            held,
            user: None,
            directory: directory.path().to_owned(),
            password: password().unwrap(),
        }
    }

    fn script(text: &str) -> Command {
        let mut script = Command::new("sh");
        script.args(["-c", text]);
        script
    }

    #[test]
    fn a_program_is_looked_for_beside_the_path() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("clearance-no-such-program");
        let directories = [directory.path().to_owned()];
        assert_eq!(find(&["clearance-no-such-program"], &directories), None);
        fs::write(&program, "").unwrap();
        assert_eq!(
            find(&["clearance-no-such-program"], &directories),
            Some(program)
        );
    }

    #[test]
    fn a_server_that_ends_at_once_is_a_failure_with_its_last_words() {
        let directory = tempfile::tempdir().unwrap();
        let failure = place(&directory).serve(
            Stop::Group(Signal::TERM),
            |_| script("echo out of cheese >&2; exit 3"),
            |_| script("exit 1"),
        );
        let failure = failure.unwrap_err();
        assert!(failure.contains("out of cheese"), "{failure}");
        assert!(failure.contains("exit status: 3"), "{failure}");
    }

    #[test]
    fn a_port_that_was_taken_meanwhile_is_no_failure() {
        let directory = tempfile::tempdir().unwrap();
        static HERE: Held = Held::new();
        let mut ports = [1_u16, 2, 3].into_iter();
        let port = place_of(&directory, &HERE).serve_on(
            || ports.next().ok_or_else(|| "no more ports".to_owned()),
            Stop::Group(Signal::TERM),
            |port| match port {
                3 => script("sleep 1000"),
                _ => script("echo 'bind: Address already in use'; exit 1"),
            },
            |port| match port {
                3 => script("exit 0"),
                _ => script("exit 1"),
            },
        );
        HERE.end();
        assert_eq!(port.map(|(port, _)| port), Ok(3));
    }

    #[test]
    fn ports_are_not_tried_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let failure = place(&directory).serve(
            Stop::Group(Signal::TERM),
            |_| script("echo 'bind: Address already in use'; exit 1"),
            |_| script("exit 1"),
        );
        assert!(failure.unwrap_err().contains(PORT_TAKEN));
    }

    #[test]
    fn a_setup_that_fails_says_what_it_said() {
        let directory = tempfile::tempdir().unwrap();
        let failure = place(&directory).finish(
            &mut script("echo no room; exit 1"),
            Stop::Group(Signal::TERM),
        );
        assert!(failure.unwrap_err().contains("no room"));
    }

    #[test]
    fn a_server_knows_nothing_of_others() {
        for variable in ["PGHOST", "PGSERVICE", "MYSQL_TCP_PORT", "REDISCLI_AUTH"] {
            assert!(names_a_server(variable.as_ref()), "{variable}");
        }
        assert!(!names_a_server("PATH".as_ref()));
    }

    #[test]
    fn the_end_of_a_log_is_what_is_shown() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let lines: Vec<String> = (0..50).map(|line| line.to_string()).collect();
        fs::write(&log, lines.join("\n")).unwrap();
        assert_eq!(tail(&log).lines().next(), Some("30"));
        assert_eq!(tail(&log).lines().last(), Some("49"));
    }
}
