//! A guarded endpoint under load: 50 rows of 100,000 over real HTTP, for 1, 16, 64 and 256 connections at
//! once, beside the same endpoint with no session at all, and beside sessions that are written by hand.
//!
//! SQLite always, PostgreSQL where `POSTGRES_URL` names a server. The requests come from a process of their
//! own, so that what they cost is no part of the runtime that answers them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::disallowed_methods,
    unreachable_pub,
    dead_code,
    reason = "a benchmark that fails has nothing to report, and by hand means by sqlx"
)]

#[path = "../tests/support/engines.rs"]
mod engines;
#[path = "support/items.rs"]
mod items;
mod support;

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use engines::Engine;
use items::{Application, Way};
use support::{is_measured, median};

const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);

/// Set for the process that asks.
const ASKS: &str = "CLEARANCE_BENCH_ASKS";

fn main() {
    if let Ok(asked) = std::env::var(ASKS) {
        println!("{}", ask(&asked));
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    measure(&runtime, Engine::Sqlite);
    if std::env::var_os("POSTGRES_URL").is_some() {
        measure(&runtime, Engine::Postgres);
    } else {
        println!("POSTGRES_URL names no server, so nothing is measured on PostgreSQL");
    }
}

fn measure(runtime: &Runtime, engine: Engine) {
    let application = items::start(runtime, engine);
    for way in Way::ALL {
        let body = answer_of(&application, way);
        assert_eq!(body, answer_of(&application, Way::NoSession), "{way:?}");
    }
    println!(
        "{:<50} {:>8} {:>7} {:>13} {:>7}  verdict",
        format!("{engine:?}, requests a second"),
        "",
        "ratio",
        "spread",
        "target"
    );
    let (rounds, round) = if is_measured() {
        (ROUNDS, ROUND)
    } else {
        (1, Duration::from_millis(50))
    };
    for connections in CONNECTIONS {
        let mut rates = vec![Vec::new(); Way::ALL.len()];
        for turn in 0..rounds {
            // Whoever comes first finds another machine than whoever comes last.
            for step in 0..Way::ALL.len() {
                let way = (turn + step) % Way::ALL.len();
                rates[way].push(rate(&application, Way::ALL[way], connections, round));
            }
        }
        println!(
            "{:<50} {:>8.0}",
            format!("{connections} connections, no session"),
            median(&rates[Way::NoSession as usize])
        );
        for way in Way::ALL {
            for (other, target) in way.beside() {
                let (ours, theirs) = (&rates[way as usize], &rates[*other as usize]);
                let ratios: Vec<_> = ours
                    .iter()
                    .zip(theirs)
                    .map(|(one, other)| one / other)
                    .collect();
                let name = format!(
                    "{connections} connections, {} / {}",
                    way.name(),
                    other.name()
                );
                report(&name, median(ours), &ratios, *target);
            }
        }
    }
    println!();
}

fn report(name: &str, rate: f64, ratios: &[f64], target: Option<f64>) {
    let ratio = median(ratios);
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    let (target, verdict) = match target {
        Some(target) if ratio >= target => (format!("{target:.2}"), "met"),
        Some(target) => (format!("{target:.2}"), "NOT MET"),
        None => ("-".to_owned(), "reported"),
    };
    let spread = format!("{least:.2} to {most:.2}");
    println!("{name:<50} {rate:>8.0} {ratio:>7.3} {spread:>13} {target:>7}  {verdict}");
}

/// Requests a second, as a process of its own counts them.
fn rate(application: &Application, way: Way, connections: usize, time: Duration) -> f64 {
    let (address, cookie) = application.of(way);
    let asked = format!("{address} {connections} {} {cookie}", time.as_millis());
    let output = Command::new(std::env::current_exe().unwrap())
        .env(ASKS, asked)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

/// Asks as often as it can, over connections that stay, and tells how often that was in a second.
fn ask(asked: &str) -> f64 {
    let mut words = asked.splitn(4, ' ');
    let address: SocketAddr = words.next().unwrap().parse().unwrap();
    let connections: usize = words.next().unwrap().parse().unwrap();
    let time = Duration::from_millis(words.next().unwrap().parse().unwrap());
    let request = request(words.next().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut streams = Vec::new();
        for _ in 0..connections {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            // The first answer of each fills the caches.
            let _ = answer(&mut stream, &request).await;
            streams.push(stream);
        }
        let began = Instant::now();
        let asking = streams.into_iter().map(|mut stream| {
            let request = request.clone();
            tokio::spawn(async move {
                let mut count = 0_u32;
                while began.elapsed() < time {
                    let _ = answer(&mut stream, &request).await;
                    count += 1;
                }
                count
            })
        });
        let mut count = 0;
        for asking in asking.collect::<Vec<_>>() {
            count += asking.await.unwrap();
        }
        f64::from(count) / began.elapsed().as_secs_f64()
    })
}

fn request(cookie: &str) -> String {
    format!("GET /items HTTP/1.1\r\nhost: app.example\r\ncookie: {cookie}\r\n\r\n")
}

/// The body of an answer, which must be one of rows.
async fn answer(stream: &mut TcpStream, request: &str) -> Vec<u8> {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::with_capacity(8_192);
    loop {
        assert_ne!(
            stream.read_buf(&mut read).await.unwrap(),
            0,
            "the server closed the connection"
        );
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&read[..end]).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        let length: usize = length.parse().unwrap();
        if read.len() == end + 4 + length {
            return read.split_off(end + 4);
        }
    }
}

fn answer_of(application: &Application, way: Way) -> Vec<u8> {
    let (address, cookie) = application.of(way);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        answer(&mut stream, &request(cookie)).await
    })
}
