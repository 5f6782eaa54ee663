//! The program over loopback HTTP, as its viewers use it. Both programs pass this test, the one with the library and
//! the one by hand.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery staple";
const KEY: &str = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The running program, which ends with the test.
struct Program {
    child: Child,
    address: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Program {
    fn command(database: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_people"));
        command
            .env("DATABASE", database)
            .env("SESSION_KEY", KEY)
            .env("LISTEN", "127.0.0.1:0");
        command
    }

    fn start() -> Self {
        let database = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("people.db");
        for end in ["", "-wal", "-shm"] {
            let _missing = std::fs::remove_file(format!("{}{end}", database.display()));
        }
        let seeded = Self::command(&database)
            .env("SEED_PASSWORD", PASSWORD)
            .arg("seed")
            .status();
        assert!(seeded.unwrap().success());
        let mut child = Self::command(&database)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().to_owned();
        Self { child, address }
    }

    fn send(&self, request: &str, cookie: Option<&str>, body: &Value) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let cookie = cookie.map_or_else(String::new, |cookie| format!("Cookie: {cookie}\r\n"));
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{cookie}\r\n{body}",
            self.address,
            body.len(),
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: serde_json::from_str(body).unwrap_or_default(),
        }
    }

    /// Signs somebody in and returns the cookie.
    fn sign_in(&self, slug: &str) -> String {
        let credentials = json!({ "slug": slug, "password": PASSWORD });
        let answer = self.send("POST /sign-in", None, &credentials);
        assert_eq!(answer.status, 204, "{}", answer.head);
        answer.cookie().unwrap()
    }

    fn read(&self, slug: &str, cookie: &str) -> Answer {
        self.send(&format!("GET /people/{slug}"), Some(cookie), &Value::Null)
    }
}

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    /// The value of a header.
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (its, value) = line.split_once(": ")?;
            its.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The `name=value` of the cookie that is set.
    fn cookie(&self) -> Option<String> {
        let cookie = self.header("set-cookie")?.split(';').next()?;
        Some(cookie.to_owned())
    }
}

#[test]
fn each_viewer_reads_what_it_may_until_its_session_ends() {
    let program = Program::start();

    let nobody = program.send("GET /people/bilal", None, &Value::Null);
    assert_eq!(nobody.status, 401);
    assert_eq!(nobody.body["status"], 401);
    for credentials in [
        json!({ "slug": "ada", "password": "a guess" }),
        json!({ "slug": "nobody", "password": PASSWORD }),
        json!({ "slug": "elif", "password": PASSWORD }),
    ] {
        let refused = program.send("POST /sign-in", None, &credentials);
        assert_eq!((refused.status, refused.cookie()), (401, None));
    }

    let (admin, colleague, stranger) = (
        program.sign_in("ada"),
        program.sign_in("chidi"),
        program.sign_in("dmitri"),
    );
    let read = program.read("bilal", &admin);
    assert_eq!(read.status, 200);
    assert_eq!(
        read.header("cache-control"),
        Some("private, no-store"),
        "{}",
        read.head
    );
    assert_eq!(
        read.body,
        json!({
            "name": "Bilal Rossi", "team": "Research", "email": "bilal@company.example",
            "phone": "+44 20 7946 0143", "salary": 45_500,
        })
    );
    assert_eq!(
        program.read("bilal", &colleague).body,
        json!({
            "name": "Bilal Rossi", "team": "Research", "email": "bilal@company.example",
            "phone": "+44 20 7946 0143",
        })
    );
    assert_eq!(
        program.read("bilal", &stranger).body,
        json!({ "name": "Bilal Rossi", "team": "Research" })
    );
    // One's own address, and a number that may be seen and is not there.
    assert_eq!(
        program.read("dmitri", &stranger).body,
        json!({ "name": "Dmitri Weber", "team": "Sales", "email": "dmitri@company.example", "phone": null })
    );
    assert_eq!(program.read("ada", &admin).body["salary"], 90_000);
    assert_eq!(program.read("elif", &admin).status, 200);
    assert_eq!(program.read("elif", &colleague).status, 404);
    assert_eq!(program.read("nobody", &admin).status, 404);

    let forged = format!("{}AAAA", &admin[..admin.len() - 4]);
    assert_eq!(program.read("bilal", &forged).status, 401);

    let out = program.send("POST /sign-out", Some(&stranger), &Value::Null);
    assert_eq!(out.status, 204);
    assert!(out.cookie().unwrap().ends_with('='), "{}", out.head);
    assert_eq!(program.read("bilal", &stranger).status, 401);
    assert_eq!(program.read("bilal", &colleague).status, 200);

    let second = program.sign_in("chidi");
    let everywhere = program.send("POST /sign-out-everywhere", Some(&second), &Value::Null);
    assert_eq!(everywhere.status, 204);
    for cookie in [&colleague, &second] {
        assert_eq!(program.read("bilal", cookie).status, 401);
    }
    assert_eq!(program.read("bilal", &admin).status, 200);
}
