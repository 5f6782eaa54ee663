//! `cargo xtask faults`: kills each engine under load, starts it again, has each do without something that it
//! needs, and keeps the last output.
//!
//! The load and the judgement are `tests/faults/main.rs`, which is told of each step and waited for,
//! so that it knows for certain when no server can have answered.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;

use rustix::process::Signal;

use crate::Failure;
use crate::command::{cargo, line, root, shown, write};
use crate::servers::{Engine, HELD, Handle, Running, Servers, Stop};

/// How often each engine is killed, unless it is said.
const KILLS: u32 = 3;
/// How long a server is under load before it is killed.
const LOAD: Duration = Duration::from_secs(8);
/// How long it stays down.
const DOWN: Duration = Duration::from_secs(3);
/// How long it stays down the last time: a pool of sqlx waits 30 s for a connection, so that every
/// user gives up once and then makes a call of which nothing is but while the server is down.
const LONG_DOWN: Duration = Duration::from_secs(65);
const TARGET: [&str; 5] = ["test", "--workspace", "--all-features", "--test", "faults"];

pub(crate) fn run(kills: Option<&str>) -> Result<(), Failure> {
    let kills = match kills {
        None => KILLS,
        Some(text) => match text.parse() {
            Ok(kills) if kills > 0 => kills,
            _ => return Err(format!("`{text}` is no number of kills")),
        },
    };
    let (_, built) = shown(cargo(&root()).args(TARGET).arg("--no-run"))?;
    if !built {
        return Err("tests/faults does not build".to_owned());
    }
    let mut report = String::new();
    let mut failed = Vec::new();
    for engine in Engine::ALL {
        let (servers, running) = Servers::durable(engine)?;
        let server = servers.server(engine).ok_or("there is no server")?;
        println!("\n{}", server.origin);
        let (output, passed) = faults(&server.url, running, kills)?;
        let _ = write!(
            report,
            "\n## {}: {}\n\n{}\n\n```text\n{}\n```\n",
            engine.name(),
            if passed { "passed" } else { "FAILED" },
            server.origin,
            output.trim()
        );
        if !passed {
            failed.push(engine.name());
        }
        drop(servers);
        let condition = Condition::of(engine);
        let (output, passed) = condition.judge()?;
        let _ = write!(
            report,
            "\n## {}, {}: {}\n\n```text\n{}\n```\n",
            engine.name(),
            condition.told(),
            if passed { "passed" } else { "FAILED" },
            output.trim()
        );
        if !passed {
            failed.push(condition.word());
        }
    }
    let text = format!(
        "# Faults\n\nThe last output of `cargo xtask faults {kills}`: each engine, with its durable settings, is killed with SIGKILL under load and started again, and a new one of each is made to do without something. \
         What the system has accepted outlives a process, so it shows what a crash of the server does, not a loss of power.\n{report}"
    );
    write(&root().join("docs/results/faults.md"), &text)?;
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{}: docs/results/faults.md says what was wrong",
            failed.join(", ")
        ))
    }
}

/// Kills a server that often; hands back what the driver said, and whether all was as it must be.
fn faults(url: &str, mut server: Running, kills: u32) -> Result<(String, bool), Failure> {
    let mut driver = Driver::start(&[("FAULTS_URL", url)])?;
    driver.until("ready")?;
    for kill in 1..=kills {
        std::thread::sleep(LOAD);
        driver.tell("kill")?;
        server.kill()?;
        driver.tell("down")?;
        std::thread::sleep(if kill == kills { LONG_DOWN } else { DOWN });
        driver.tell("starting")?;
        server.restart()?;
        driver.tell("started")?;
        driver.until("recovered")?;
    }
    driver.end()
}

/// A server that answers, and cannot do what it is asked.
#[derive(Clone, Copy)]
enum Condition {
    Standby,
    Full,
    Statements,
}

impl Condition {
    const fn of(engine: Engine) -> Self {
        match engine {
            Engine::Postgres => Self::Standby,
            Engine::Mysql => Self::Statements,
            Engine::Redis => Self::Full,
        }
    }

    /// As the driver calls it.
    const fn word(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Full => "full",
            Self::Statements => "statements",
        }
    }

    /// As the report calls it.
    const fn told(self) -> &'static str {
        match self {
            Self::Standby => "a standby that only reads and then takes over",
            Self::Full => "no room in memory",
            Self::Statements => "a flood of statements",
        }
    }

    /// Hands back what the driver said of such a server, and whether all was as it must be.
    fn judge(self) -> Result<(String, bool), Failure> {
        let ask = |servers: &Servers, standby: &str| {
            let server = servers.0.first().ok_or("there is no server")?;
            println!("\n{}, {}", server.origin, self.told());
            Driver::start(&[
                ("FAULTS_URL", &server.url),
                ("FAULTS_CONDITION", self.word()),
                ("FAULTS_STANDBY_URL", standby),
            ])?
            .end()
        };
        match self {
            Self::Standby => {
                let (servers, standby) = Servers::with_standby()?;
                ask(&servers, &standby)
            }
            Self::Full => ask(&Servers::durable(Engine::Redis)?.0, ""),
            Self::Statements => ask(&Servers::durable(Engine::Mysql)?.0, ""),
        }
    }
}

/// The program that makes load and judges the answers. Its lines are for the report, but for those
/// that answer a step by repeating it.
struct Driver {
    handle: Handle,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    output: String,
}

impl Driver {
    fn start(variables: &[(&str, &str)]) -> Result<Self, Failure> {
        let mut command = cargo(&root());
        command.args(TARGET).envs(variables.iter().copied());
        println!("\n$ {}", line(&command));
        let (handle, stdin, stdout) =
            HELD.start_talking(&mut command, Stop::Group(Signal::TERM))?;
        Ok(Self {
            handle,
            stdin,
            stdout: BufReader::new(stdout),
            output: String::new(),
        })
    }

    /// Says that a step comes or came, and waits until it is taken note of.
    fn tell(&mut self, step: &str) -> Result<(), Failure> {
        writeln!(self.stdin, "{step}")
            .map_err(|error| format!("the driver does not listen: {error}"))?;
        self.until(step)
    }

    fn until(&mut self, word: &str) -> Result<(), Failure> {
        while let Some(line) = self.next()? {
            if line == word {
                return Ok(());
            }
            self.note(&line);
        }
        Err(format!("the driver ended before it said `{word}`"))
    }

    fn end(mut self) -> Result<(String, bool), Failure> {
        writeln!(self.stdin, "end")
            .map_err(|error| format!("the driver does not listen: {error}"))?;
        while let Some(line) = self.next()? {
            self.note(&line);
        }
        Ok((self.output, HELD.wait(self.handle)?.success()))
    }

    fn next(&mut self) -> Result<Option<String>, Failure> {
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line);
        let read = read.map_err(|error| format!("the driver's output: {error}"))?;
        Ok((read > 0).then(|| line.trim_end().to_owned()))
    }

    fn note(&mut self, line: &str) {
        println!("{line}");
        self.output.push_str(line);
        self.output.push('\n');
    }
}
