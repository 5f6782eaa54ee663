//! A Redis of one test, which is killed and started again.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

/// Loses nothing: what it has answered is on the disk.
pub struct RedisServer {
    directory: tempfile::TempDir,
    port: u16,
    process: Option<Child>,
}

impl RedisServer {
    pub fn start() -> Self {
        let mut server = Self {
            directory: tempfile::tempdir().unwrap(),
            port: 0,
            process: None,
        };
        // Until it listens another program can take the port.
        let started = (0..5).any(|_| {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            server.port = free.local_addr().unwrap().port();
            drop(free);
            server.start_again()
        });
        assert!(started, "`redis-server` found no port");
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Starts it at the same port; tells whether that was free.
    pub fn start_again(&mut self) -> bool {
        let mut process = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--dir"])
            .arg(self.directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("`redis-server`, Debian's package of that name: {error}")
            });
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = output.any(|line| line.unwrap().contains("Ready to accept connections"));
        // Its log is short, but a full pipe would stop it.
        std::thread::spawn(move || output.for_each(drop));
        self.process = Some(process);
        ready
    }

    /// Ends it by its own id, in the middle of whatever it does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
