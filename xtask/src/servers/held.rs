//! What must not outlive this program: processes, directories and files that it ends and removes
//! however it ends itself, by its own return, by a panic or by a signal.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::Failure;

/// How long a process has to end in good order.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the rest of its group has then.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(5);
const PREFIX: &str = "clearance-xtask-";
const PAUSE: Duration = Duration::from_millis(20);

/// What this program has started and made.
pub(crate) static HELD: Held = Held::new();

pub(crate) struct Held(Mutex<Kept>);

struct Kept {
    processes: Vec<Process>,
    directories: Vec<tempfile::TempDir>,
    files: Vec<PathBuf>,
}

struct Process {
    /// Not taken out before it has ended and its status was asked for, so that nobody else has
    /// its pid.
    child: Child,
    stop: Stop,
}

/// How a process, which leads a group of its own, ends in good order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stop {
    /// It sees to those that it started. A PostgreSQL that is ended past its leader leaves shared
    /// memory behind.
    Leader(Signal),
    /// A script, or `cargo`, leaves those that it started at work.
    Group(Signal),
}

/// A process that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handle(u32);

impl Held {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Kept {
            processes: Vec::new(),
            directories: Vec::new(),
            files: Vec::new(),
        }))
    }

    /// Starts a process, to be ended with `stop`. Its standard output is handed back where
    /// the command asks for a pipe.
    pub(crate) fn start(
        &self,
        command: &mut Command,
        stop: Stop,
    ) -> Result<(Handle, Option<ChildStdout>), Failure> {
        let (handle, _, stdout) = self.spawn(command.stdin(Stdio::null()), stop)?;
        Ok((handle, stdout))
    }

    /// Starts a process to talk with, to be ended with `stop`: its standard input and output.
    pub(crate) fn start_talking(
        &self,
        command: &mut Command,
        stop: Stop,
    ) -> Result<(Handle, ChildStdin, ChildStdout), Failure> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        match self.spawn(command, stop)? {
            (handle, Some(stdin), Some(stdout)) => Ok((handle, stdin, stdout)),
            _ => Err(format!("`{}` has no pipes", name(command))),
        }
    }

    fn spawn(
        &self,
        command: &mut Command,
        stop: Stop,
    ) -> Result<(Handle, Option<ChildStdin>, Option<ChildStdout>), Failure> {
        let mut kept = self.lock();
        let mut child = command
            // A terminal sends Ctrl-C to a whole group, and this program ends what it started.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                let place = command.get_current_dir().unwrap_or(Path::new("."));
                format!("`{}` in {}: {error}", name(command), place.display())
            })?;
        let handle = Handle(child.id());
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        kept.processes.push(Process { child, stop });
        Ok((handle, stdin, stdout))
    }

    /// Ends a process with SIGKILL, by its pid, and waits until it and those that it started are
    /// gone. It is held no more.
    ///
    /// The children of a PostgreSQL have groups of their own, go on until they notice, and may answer
    /// meanwhile.
    pub(super) fn kill(&self, handle: Handle) -> Result<(), Failure> {
        let mut kept = self.lock();
        let place = kept.place(handle)?;
        let Some(process) = kept.processes.get_mut(place) else {
            return Ok(());
        };
        let failed = |error: io::Error| format!("killing process {}: {error}", handle.0);
        let pid = i32::try_from(handle.0).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        // What is stopped starts no other process, so that the list is complete.
        rustix::process::kill_process(pid, Signal::STOP).map_err(|errno| failed(errno.into()))?;
        let children = children(handle.0);
        process.child.kill().map_err(failed)?;
        process.child.wait().map_err(failed)?;
        drop(kept.processes.remove(place));
        drop(kept);
        let children = children.map_err(failed)?;
        if within(PATIENCE, || !children.iter().any(|child| runs(*child))) {
            Ok(())
        } else {
            Err(format!("a child of process {} outlives it", handle.0))
        }
    }

    /// The status of a process that has ended. It is held no more.
    pub(crate) fn ended(&self, handle: Handle) -> Result<Option<ExitStatus>, Failure> {
        let mut kept = self.lock();
        let place = kept.place(handle)?;
        let status = match kept.processes.get_mut(place) {
            Some(process) => process.child.try_wait(),
            None => Ok(None),
        };
        let status = status.map_err(|error| format!("waiting for a process: {error}"))?;
        if status.is_some() {
            drop(kept.processes.remove(place));
        }
        Ok(status)
    }

    /// Waits until a process ends by itself.
    pub(crate) fn wait(&self, handle: Handle) -> Result<ExitStatus, Failure> {
        loop {
            if let Some(status) = self.ended(handle)? {
                return Ok(status);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// A new directory, for nobody else to read, in `place` or where temporary files go.
    pub(crate) fn directory(&self, place: Option<&Path>) -> Result<PathBuf, Failure> {
        let mut kept = self.lock();
        let mut directory = tempfile::Builder::new();
        let directory = match place {
            Some(place) => directory.prefix(PREFIX).tempdir_in(place),
            None => directory.prefix(PREFIX).tempdir(),
        };
        let directory = directory.map_err(|error| format!("a temporary directory: {error}"))?;
        let path = directory.path().to_owned();
        kept.directories.push(directory);
        Ok(path)
    }

    /// A file that is not there yet.
    pub(super) fn file(
        &self,
        path: &Path,
        make: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut kept = self.lock();
        kept.files.push(path.to_owned());
        make()
    }

    pub(super) fn remove_file(&self, path: &Path) {
        let mut kept = self.lock();
        kept.files.retain(|file| file != path);
        complain(path, fs::remove_file(path));
    }

    /// Ends and removes everything.
    pub(super) fn end(&self) {
        self.lock().end();
    }

    /// Makes a signal end and remove everything before it ends this program.
    pub(crate) fn on_signal(&'static self) -> Result<(), Failure> {
        static ONCE: Once = Once::new();
        let mut done = Ok(());
        ONCE.call_once(|| {
            done = ctrlc::set_handler(|| {
                // Locked to the end, so that nothing is started meanwhile.
                let mut kept = self.lock();
                kept.end();
                std::process::exit(130);
            });
        });
        done.map_err(|error| format!("no handler for Ctrl-C: {error}"))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Where among the processes one is.
    fn place(&self, handle: Handle) -> Result<usize, Failure> {
        let place = self
            .processes
            .iter()
            .position(|process| process.child.id() == handle.0);
        place.ok_or_else(|| "a process was ended by another part of this program".to_owned())
    }

    fn end(&mut self) {
        // The last one first: tests before the servers that they ask.
        while let Some(mut process) = self.processes.pop() {
            process.end();
        }
        for directory in self.directories.drain(..) {
            let path = directory.path().to_owned();
            complain(&path, directory.close());
        }
        for file in self.files.drain(..) {
            complain(&file, fs::remove_file(&file));
        }
    }
}

impl Process {
    fn end(&mut self) {
        let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else {
            return;
        };
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let _ = match self.stop {
            Stop::Leader(signal) => rustix::process::kill_process(group, signal),
            Stop::Group(signal) => rustix::process::kill_process_group(group, signal),
        };
        let leader_ended = within(PATIENCE, || !matches!(self.child.try_wait(), Ok(None)));
        // The others still write where directories are to be removed.
        let is_gone = || rustix::process::test_kill_process_group(group).is_err();
        if !leader_ended || !within(PATIENCE_WITH_OTHERS, is_gone) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// The pids of the processes that a process started.
fn children(pid: u32) -> io::Result<Vec<u32>> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(text
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect())
}

/// Whether a process is there that does more than wait for somebody to ask for its status.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before it may hold anything.
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
    state.is_some_and(|state| !state.starts_with(['Z', 'X']))
}

fn within(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if done() {
            return true;
        }
        if begun.elapsed() > patience {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Says that something is left. It does not panic where standard error is gone.
fn complain(path: &Path, removed: io::Result<()>) {
    if let Err(error) = removed
        && error.kind() != io::ErrorKind::NotFound
    {
        let _ = writeln!(
            io::stderr(),
            "xtask: {} could not be removed: {error}",
            path.display()
        );
    }
}

/// The name of a command's program.
pub(super) fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _};

    use super::*;

    #[test]
    fn the_end_takes_processes_with_their_children_and_directories_and_files() {
        let held = Held::new();
        let directory = held.directory(None).unwrap();
        let file = directory.with_extension("file");
        held.file(&file, || fs::write(&file, "")).unwrap();
        let mut script = Command::new("sh");
        // A child that outlives the script, and holds the pipe open as long as it lives.
        script
            .args(["-c", "sleep 1000 & echo started; wait"])
            .stdout(Stdio::piped());
        let (_, stdout) = held.start(&mut script, Stop::Group(Signal::TERM)).unwrap();
        let mut stdout = BufReader::new(stdout.unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "started\n");

        held.end();

        assert_eq!(stdout.read_to_string(&mut line).unwrap(), 0);
        assert!(!directory.exists());
        assert!(!file.exists());
    }

    #[test]
    fn a_process_that_ended_is_held_no_more() {
        let held = Held::new();
        let mut script = Command::new("sh");
        let (handle, _) = held
            .start(script.args(["-c", "exit 3"]), Stop::Group(Signal::TERM))
            .unwrap();
        assert_eq!(held.wait(handle).unwrap().code(), Some(3));
        assert!(held.lock().processes.is_empty());
        assert!(held.ended(handle).is_err());
    }

    #[test]
    fn what_is_killed_is_gone_with_its_children_and_held_no_more() {
        let held = Held::new();
        let mut script = Command::new("sh");
        // It goes on for a moment after the script.
        let child = "exec setsid sh -c 'echo started; while kill -0 $PPID; do :; done; sleep 0.2'";
        script
            .args(["-c", &format!("({child}) & wait")])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let (handle, stdout) = held.start(&mut script, Stop::Leader(Signal::TERM)).unwrap();
        let mut line = String::new();
        BufReader::new(stdout.unwrap())
            .read_line(&mut line)
            .unwrap();
        let started = children(handle.0).unwrap();
        assert_eq!(started.len(), 1);

        held.kill(handle).unwrap();

        assert!(!started.iter().any(|child| runs(*child)));
        assert!(held.lock().processes.is_empty());
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let held = Held::new();
        let mut missing = Command::new("clearance-no-such-program");
        let failure = held
            .start(&mut missing, Stop::Group(Signal::TERM))
            .unwrap_err();
        assert!(failure.contains("clearance-no-such-program"), "{failure}");
    }
}
