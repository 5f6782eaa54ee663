//! Throw-away servers for the tests: each on a free port of the loopback, with its data in a
//! directory that goes with it, run by a user without privileges, ended by its own pid.

mod install;
mod mysql;
mod postgres;

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::Failure;

/// An engine that needs a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    Mysql,
}

/// What an engine is to the tests.
impl Engine {
    pub(crate) const ALL: [Self; 2] = [Self::Postgres, Self::Mysql];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
        }
    }

    /// The variable that names a server.
    pub(crate) const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "POSTGRES_URL",
            Self::Mysql => "MYSQL_URL",
        }
    }
}

/// A server that runs, or one that the environment names.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) engine: Engine,
    pub(crate) url: String,
    /// As the report calls it.
    pub(crate) origin: String,
}

/// What was started, for the end of this program, however it comes.
static RUNNING: Mutex<Vec<Running>> = Mutex::new(Vec::new());

struct Running {
    child: Child,
    /// The signal that ends it in good order.
    stop: Signal,
    /// Removed when it is dropped.
    _directory: tempfile::TempDir,
}

/// Ends every server when it is dropped.
pub(crate) struct Servers(pub(crate) Vec<Server>);

impl Servers {
    /// The servers of these engines: those that the environment names, else new ones.
    pub(crate) fn start(engines: &[Engine]) -> Result<Self, Failure> {
        // From here on a failure ends what was started.
        let mut servers = Self(Vec::new());
        for engine in engines {
            servers.0.push(server(*engine)?);
        }
        Ok(servers)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        stop_all();
    }
}

/// `cargo xtask servers`
pub(crate) fn wait() -> Result<(), Failure> {
    let servers = Servers::start(&Engine::ALL)?;
    println!();
    for server in &servers.0 {
        println!("export {}={}", server.engine.variable(), server.url);
    }
    println!("\nthey run until this command is ended with Ctrl-C");
    loop {
        std::thread::park();
    }
}

fn server(engine: Engine) -> Result<Server, Failure> {
    if let Ok(url) = std::env::var(engine.variable()) {
        return Ok(Server {
            engine,
            url,
            origin: format!("the server that {} names", engine.variable()),
        });
    }
    match engine {
        Engine::Postgres => postgres::start(),
        Engine::Mysql => mysql::start(),
    }
}

/// Starts a server's program, and ends it with this one.
fn run(
    command: &mut Command,
    stop: Signal,
    directory: tempfile::TempDir,
    log: &Path,
    is_ready: impl Fn() -> bool,
) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt as _;

    on_interrupt();
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |error: &dyn std::fmt::Display| format!("`{program}`: {error}");
    let output = File::create(log).map_err(|error| failed(&error))?;
    let errors = output.try_clone().map_err(|error| failed(&error))?;
    let child = command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        // Ctrl-C reaches a whole group; this program ends its servers itself.
        .process_group(0)
        .spawn()
        .map_err(|error| failed(&error))?;
    let place = {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.push(Running {
            child,
            stop,
            _directory: directory,
        });
        running.len() - 1
    };
    let begun = Instant::now();
    loop {
        if is_ready() {
            return Ok(());
        }
        let ended = {
            let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
            match running.get_mut(place) {
                Some(running) => running.child.try_wait().map_err(|error| failed(&error))?,
                None => None,
            }
        };
        if let Some(status) = ended {
            return Err(failed(&format!("it ended with {status}\n{}", tail(log))));
        }
        if begun.elapsed() > Duration::from_secs(90) {
            return Err(failed(&format!(
                "it did not answer within 90 s\n{}",
                tail(log)
            )));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The end of a server's own log.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(20)..)
        .unwrap_or_default()
        .join("\n")
}

fn on_interrupt() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = ctrlc::set_handler(|| {
            stop_all();
            std::process::exit(130);
        });
    });
}

fn stop_all() {
    let running = std::mem::take(&mut *RUNNING.lock().unwrap_or_else(PoisonError::into_inner));
    for mut server in running {
        let pid = i32::try_from(server.child.id())
            .ok()
            .and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, server.stop);
        }
        let begun = Instant::now();
        while matches!(server.child.try_wait(), Ok(None)) {
            if begun.elapsed() > Duration::from_secs(20) {
                let _ = server.child.kill();
                let _ = server.child.wait();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A port of the loopback that nobody listens on.
fn free_port() -> Result<u16, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

/// A directory for a server's data, which its user may write.
fn directory(user: Option<User>) -> Result<tempfile::TempDir, Failure> {
    let failed = |error: std::io::Error| format!("a directory for a server: {error}");
    let directory = tempfile::Builder::new()
        .prefix("clearance-server-")
        .tempdir()
        .map_err(failed)?;
    if let Some(user) = user {
        std::os::unix::fs::chown(directory.path(), Some(user.id), Some(user.group))
            .map_err(failed)?;
    }
    Ok(directory)
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
}

fn number(which: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([which, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// A command that runs as `user`, in a place that it may read.
fn command(program: &Path, user: Option<User>, directory: &Path) -> Command {
    use std::os::unix::process::CommandExt as _;

    let mut command = Command::new(program);
    command.current_dir(directory).env("HOME", directory);
    if let Some(user) = user {
        command.uid(user.id).gid(user.group);
    }
    command
}

/// Runs a command to its end.
fn finish(command: &mut Command) -> Result<(), Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`{program}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "`{program}` ended with {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// The first of the programs that is there: on the path, or in one of the directories.
fn find(names: &[&str], directories: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().find_map(|name| {
        path.iter()
            .chain(directories)
            .map(|directory| directory.join(name))
            .find(|program| program.is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_program_that_ends_at_once_is_a_failure_with_its_last_words() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo out of cheese >&2; exit 3"]);
        let failure = run(
            &mut shell,
            Signal::TERM,
            tempfile::tempdir().unwrap(),
            &log,
            || false,
        );
        assert!(failure.unwrap_err().contains("out of cheese"));
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
